"""Judging a recording: a form of weighted questions in weighted categories, and the score of its answers.

An answer is a whole number on the form's scale, or None where the question does not apply: such a question counts
neither for nor against. A category's score is the mean of its answers by the questions' weights; the whole score is
the mean of the categories that have one, by their weights. Scores are tenths of a percent, 0 to 1000, rounded half up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

LONGEST_TEXT = 200
MOST_QUESTIONS = 100
MOST_WEIGHT = 1000
WIDEST_SCALE = 100

Answers = Mapping[str, int | None]


class FormError(ValueError):
    """A form or answers that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question; ``key`` names it in answers and never changes between versions of a form that mean the same."""

    key: str
    text: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Category:
    """Questions that belong together."""

    name: str
    questions: tuple[Question, ...]
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Form:
    """An evaluation form: answers go from ``lowest`` (worst) to ``highest`` (best)."""

    categories: tuple[Category, ...]
    lowest: int = 1
    highest: int = 5

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions, in order."""
        return tuple(question for category in self.categories for question in category.questions)


@dataclass(frozen=True, slots=True)
class Score:
    """``total`` and, by category name, each one's own; None where nothing applied."""

    total: int | None
    categories: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """An evaluation as results need it: whose recording it was, and what came out."""

    person_id: str
    recorded_at: datetime
    score: int | None
    categories: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Result:
    """What one user's evaluations came to: how many, and the mean scores of those that have one."""

    person_id: str
    evaluations: int
    score: int | None
    categories: Mapping[str, int | None]


def read_form(data: Any) -> Form:
    """Return the form that this JSON-like data describes. Raises FormError, naming the first fault.

    ``{"scale": [1, 5], "categories": [{"name": …, "weight": 1, "questions": [{"key": …, "text": …, "weight": 1}]}]}``
    """
    table = _table(data, "the form", {"scale", "categories"})
    scale = table.get("scale", [1, 5])
    if not isinstance(scale, list) or len(scale) != 2 or not all(_whole(end) for end in scale):
        raise FormError(f"scale is {scale!r}: give two whole numbers, the worst and the best, as [1, 5]")
    lowest, highest = scale
    if not 0 <= lowest < highest <= WIDEST_SCALE:
        raise FormError(f"scale is {scale!r}: give 0 to {WIDEST_SCALE}, the worst first")
    categories = tuple(_category(item, number) for number, item in enumerate(_items(table, "categories", "form"), 1))
    form = Form(categories, lowest, highest)
    _all_different("category", [category.name for category in categories])
    _all_different("question key", [question.key for question in form.questions])
    if len(form.questions) > MOST_QUESTIONS:
        raise FormError(f"the form has {len(form.questions)} questions: {MOST_QUESTIONS} at most")
    return form


def form_as_data(form: Form) -> dict[str, Any]:
    """Return what :func:`read_form` takes."""
    return {
        "scale": [form.lowest, form.highest],
        "categories": [
            {
                "name": category.name,
                "weight": category.weight,
                "questions": [{"key": q.key, "text": q.text, "weight": q.weight} for q in category.questions],
            }
            for category in form.categories
        ],
    }


def checked(form: Form, answers: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the answers, every question with one, None where it does not apply. Raises FormError."""
    known = {question.key for question in form.questions}
    strange = sorted(set(answers) - known)
    if strange:
        raise FormError(f"the form has no question {strange[0]!r}")
    found: dict[str, int | None] = {}
    for question in form.questions:
        answer = answers.get(question.key)
        if answer is not None and not (_whole(answer) and form.lowest <= answer <= form.highest):
            raise FormError(
                f"answer to {question.text!r} is {answer!r}: give {form.lowest} to {form.highest}, or nothing where it"
                " does not apply"
            )
        found[question.key] = answer
    return found


def score(form: Form, answers: Answers) -> Score:
    """Return what these answers come to."""
    width = form.highest - form.lowest
    parts: dict[str, Fraction | None] = {}
    for category in form.categories:
        shares = [
            (Fraction(answer - form.lowest, width), question.weight)
            for question in category.questions
            if (answer := answers.get(question.key)) is not None
        ]
        parts[category.name] = _mean(shares)
    whole = _mean(
        [(part, category.weight) for category in form.categories if (part := parts[category.name]) is not None]
    )
    return Score(_tenths(whole), {name: _tenths(part) for name, part in parts.items()})


def results(judged: Iterable[Judged]) -> Sequence[Result]:
    """Return each user's results, the best first; users without a score come last."""
    by_person: dict[str, list[Judged]] = {}
    for one in judged:
        by_person.setdefault(one.person_id, []).append(one)
    found = [_result(person_id, own) for person_id, own in by_person.items()]
    return sorted(found, key=lambda result: (result.score is None, -(result.score or 0), result.person_id))


def _result(person_id: str, own: Sequence[Judged]) -> Result:
    names = dict.fromkeys(name for one in own for name in one.categories)
    return Result(
        person_id,
        len(own),
        _plain_mean([one.score for one in own]),
        {name: _plain_mean([one.categories.get(name) for one in own]) for name in names},
    )


def _plain_mean(scores: Sequence[int | None]) -> int | None:
    mean = _mean([(Fraction(one, 1000), 1) for one in scores if one is not None])
    return _tenths(mean)


def _mean(shares: Sequence[tuple[Fraction, int]]) -> Fraction | None:
    weight = sum(weight for _, weight in shares)
    return sum((share * weight for share, weight in shares), Fraction(0)) / weight if weight else None


def _tenths(share: Fraction | None) -> int | None:
    return None if share is None else int(share * 1000 + Fraction(1, 2))


def _category(item: Any, number: int) -> Category:
    where = f"category {number}"
    table = _table(item, where, {"name", "weight", "questions"})
    name = _text(table.get("name"), f"{where}: name")
    questions = tuple(
        _question(question, f"{name}, question {place}")
        for place, question in enumerate(_items(table, "questions", name), 1)
    )
    return Category(name, questions, _weight(table, name))


def _question(item: Any, where: str) -> Question:
    table = _table(item, where, {"key", "text", "weight"})
    text = _text(table.get("text"), f"{where}: text")
    return Question(_text(table.get("key", text), f"{where}: key"), text, _weight(table, where))


def _table(item: Any, where: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise FormError(f"{where} is {item!r}: give a table with {', '.join(sorted(known))}")
    strange = sorted(str(key) for key in set(item) - known)
    if strange:
        raise FormError(f"{where} has {strange[0]!r}, which nobody reads: there is {', '.join(sorted(known))}")
    return item


def _items(table: Mapping[str, Any], key: str, where: str) -> list[Any]:
    found = table.get(key)
    if not isinstance(found, list) or not found:
        raise FormError(f"{where} has no {key}: give at least one")
    return found


def _text(value: Any, where: str) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or len(text) > LONGEST_TEXT or not text.isprintable():
        raise FormError(f"{where} is {value!r}: give 1 to {LONGEST_TEXT} characters")
    return text


def _weight(table: Mapping[str, Any], where: str) -> int:
    weight = table.get("weight", 1)
    if not _whole(weight) or not 1 <= weight <= MOST_WEIGHT:
        raise FormError(f"{where}: weight is {weight!r}: give a whole number, 1 to {MOST_WEIGHT}")
    return int(weight)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _all_different(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FormError(f"{what} {twice[0]!r} is there twice")
