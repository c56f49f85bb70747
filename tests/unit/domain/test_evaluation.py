"""Scores of evaluations: weights, questions that do not apply, results of users, and forms that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.evaluation import FormError, Judged, checked, form_as_data, read_form, results, score

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATA: dict[str, Any] = {
    "scale": [1, 5],
    "categories": [
        {"name": "Manner", "questions": [{"key": "greet", "text": "Greeted?"}, {"key": "calm", "text": "Calm?"}]},
        {"name": "Solution", "weight": 3, "questions": [{"key": "solved", "text": "Solved?", "weight": 2}]},
    ],
}
FORM = read_form(DATA)


def test_a_score_weighs_questions_and_categories() -> None:
    told = score(FORM, {"greet": 5, "calm": 1, "solved": 3})
    assert (told.total, told.categories) == (500, {"Manner": 500, "Solution": 500})
    assert score(FORM, {"greet": 5, "calm": 5, "solved": 1}).total == 250


def test_what_does_not_apply_counts_neither_for_nor_against() -> None:
    assert score(FORM, {"greet": 5, "calm": None, "solved": None}).categories == {"Manner": 1000, "Solution": None}
    assert score(FORM, {"greet": 5, "calm": None, "solved": None}).total == 1000
    assert score(FORM, {}).total is None


@given(st.dictionaries(st.sampled_from(["greet", "calm", "solved"]), st.one_of(st.none(), st.integers(1, 5))))
def test_every_score_lies_between_nothing_and_everything_and_better_answers_never_lower_it(
    answers: dict[str, int | None],
) -> None:
    total = score(FORM, answers).total
    assert total is None or 0 <= total <= 1000
    for key, answer in answers.items():
        if answer is not None and answer < 5 and total is not None:
            better = score(FORM, {**answers, key: answer + 1}).total
            assert better is not None
            assert better >= total


def test_users_are_told_by_their_mean_the_best_first() -> None:
    judged = [
        Judged("anna", NOON, 500, {"Manner": 500}),
        Judged("anna", NOON, 1000, {"Manner": None}),
        Judged("bo", NOON, 800, {"Manner": 800}),
        Judged("cilla", NOON, None, {"Manner": None}),
    ]
    told = [(r.person_id, r.evaluations, r.score, dict(r.categories)) for r in results(judged)]
    assert told == [
        ("bo", 1, 800, {"Manner": 800}),
        ("anna", 2, 750, {"Manner": 500}),
        ("cilla", 1, None, {"Manner": None}),
    ]


def test_a_form_comes_back_as_it_was() -> None:
    assert read_form(form_as_data(FORM)) == FORM


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": [5, 1]}, "the worst first"),
        ({"scale": [0.5, 1]}, "whole numbers"),
        ({"categories": []}, "no categories"),
        ({"colour": 1}, "'colour'"),
        ({"categories": [{"name": "x", "questions": []}]}, "no questions"),
        ({"categories": [{"name": "", "questions": [{"text": "q"}]}]}, "name"),
        ({"categories": [{"name": "x", "questions": [{"text": "q", "weight": 0}]}]}, "weight is 0"),
        ({"categories": [{"name": "x", "questions": [{"text": "q"}, {"text": "q"}]}]}, "there twice"),
        ({"categories": [{"name": "x", "questions": ["q"]}]}, "give a table"),
    ],
)
def test_a_form_that_cannot_be_used_says_why(change: dict[str, Any], said: str) -> None:
    with pytest.raises(FormError, match=said):
        read_form({**DATA, **change})


@pytest.mark.parametrize("answers", [{"greet": 6}, {"greet": 0}, {"greet": True}, {"greet": "5"}, {"other": 1}])
def test_answers_off_the_scale_or_to_no_question_are_refused(answers: dict[str, Any]) -> None:
    with pytest.raises(FormError):
        checked(FORM, answers)
