"""What the prompts say, per language, and under which name each is kept.

The texts lie in ``ivr_prompts/<language>.toml``. A language without a file is spoken to in English.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pbx_plugin.domain.rulebook import ConsentNumber, Rulebook

FALLBACK = "en"
"""The language that always has every prompt."""

CONSENT = "consent"
"""Name, in the text files, of the question that every consent number puts in its own words."""

LANGUAGE = "language"
"""Name, in the text files, of the offer to choose that language by a key."""

ANNOUNCE = "announce"

GENERAL = ("again-silence", "again-wrong", "thanks-yes", "thanks-no", ANNOUNCE)
"""Spoken prompts that are the same for all numbers."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SPACES = re.compile(r"\s+")
# espeak-ng reads [[…]] as phonemes, and a company's name is not ours to trust.
_UNSPOKEN = re.compile(r"[\x00-\x1f\x7f\[\]<>{}]+")


class PromptTextError(Exception):
    """A text file is missing or cannot be used; says which, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's texts, still with their placeholders. ``voice`` is espeak-ng's name of it."""

    language: str
    text_version: str
    voice: str
    words_per_minute: int
    prompts: dict[str, str]
    purposes: dict[str, str]
    one_day: str
    many_days: str

    def general(self, name: str) -> str:
        """Return the words of one of :data:`GENERAL`."""
        return _tidy(self.prompts[name])

    def offer(self, key: str) -> str:
        """Return the words that offer this language for a key."""
        return _tidy(self.prompts[LANGUAGE].replace("{key}", key))

    def question(self, company: str, number: ConsentNumber) -> str:
        """Return the words in which this number asks for consent."""
        keeping = self.one_day if number.keep_days == 1 else self.many_days.replace("{days}", str(number.keep_days))
        values = {
            "company": _UNSPOKEN.sub(" ", company),
            "purpose": self.purposes.get(number.purpose) or _UNSPOKEN.sub(" ", number.purpose),
            "keeping": keeping,
        }
        return _tidy(_PLACEHOLDER.sub(lambda found: values[found[1]], self.prompts[CONSENT]))


@dataclass(frozen=True, slots=True)
class Wording:
    """One prompt to be spoken: under which language and name it is kept, and its words.

    ``general`` is its name in the text files; ``keep_days`` is 0 where no keeping time is told.
    """

    language: str
    name: str
    general: str
    text: str
    text_version: str
    voice: str
    words_per_minute: int
    keep_days: int = 0
    number: str = ""


def question_name(number: ConsentNumber) -> str:
    """Return the name under which this number's question is kept; safe as a file name whatever the id is."""
    if _SAFE_ID.fullmatch(number.id):
        return f"{CONSENT}-{number.id}"
    return f"{CONSENT}-{hashlib.sha256(number.id.encode()).hexdigest()[:32]}"


def language_name(key: str) -> str:
    """Return the name under which the offer of a language for this key is kept."""
    return f"{LANGUAGE}-{key}"


def base_language(tag: str) -> str:
    """Return ``da`` for ``da-DK`` or ``da_DK``, in small letters."""
    return re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]


def load_texts(folder: Path) -> dict[str, Texts]:
    """Read all languages. Raises PromptTextError when a file cannot be used, or when English is not there."""
    found = {path.stem: _read(path) for path in sorted(folder.glob("*.toml"))}
    if FALLBACK not in found:
        raise PromptTextError(f"{folder}: there is no {FALLBACK}.toml")
    return found


def wordings(rulebook: Rulebook, texts: dict[str, Texts]) -> list[Wording]:
    """Return every prompt that this rulebook needs.

    The general ones in its languages, English always; the announcement in all that we have, because nobody knows who
    will be called; each number's question in each of its languages, and the offers to choose one. A number in a
    language that we have no texts for asks in English; such a language is not offered.
    """
    wanted = {FALLBACK} | {base_language(tenant.language) for tenant in rulebook.tenants.values()}
    wanted |= {base_language(user.language) for user in rulebook.users}
    wanted |= {base_language(language) for number in rulebook.consent_numbers for language in number.languages}
    made = [
        _wording(texts[language], name, name, texts[language].general(name))
        for language in sorted(texts)
        for name in GENERAL
        if language in wanted or name == ANNOUNCE
    ]
    offers = {
        (base_language(language), key)
        for number in rulebook.consent_numbers
        for key, language in number.by_key
        if key.isascii() and key.isdigit()
    }
    for language, key in sorted(offers):
        if language in texts:
            made.append(_wording(texts[language], language_name(key), LANGUAGE, texts[language].offer(key)))
    for number in sorted(rulebook.consent_numbers, key=lambda one: one.id):
        made += _questions(rulebook, texts, number)
    return made


def _questions(rulebook: Rulebook, texts: dict[str, Texts], number: ConsentNumber) -> list[Wording]:
    tenant = rulebook.tenants.get(number.tenant_id)
    own, *others = (base_language(language) for language in number.languages)
    spoken = dict.fromkeys((own if own in texts else FALLBACK, *(one for one in others if one in texts)))
    return [
        _wording(
            texts[language],
            question_name(number),
            CONSENT,
            texts[language].question(tenant.name if tenant else "", number),
            number,
        )
        for language in spoken
    ]


def _wording(texts: Texts, name: str, general: str, text: str, number: ConsentNumber | None = None) -> Wording:
    return Wording(
        language=texts.language,
        name=name,
        general=general,
        text=text,
        text_version=texts.text_version,
        voice=texts.voice,
        words_per_minute=texts.words_per_minute,
        keep_days=number.keep_days if number else 0,
        number=number.number if number else "",
    )


def _read(path: Path) -> Texts:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        texts = Texts(
            language=path.stem,
            text_version=str(data["text_version"]),
            voice=str(data["voice"]),
            words_per_minute=int(data["words_per_minute"]),
            prompts={name: str(data["prompts"][name]) for name in (CONSENT, LANGUAGE, *GENERAL)},
            purposes={key: str(value) for key, value in data["purposes"].items()},
            one_day=str(data["keeping"]["one"]),
            many_days=str(data["keeping"]["many"]),
        )
    except KeyError as error:
        raise PromptTextError(f"{path}: {error.args[0]!r} is missing") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PromptTextError(f"{path}: {error}") from error
    if set(_PLACEHOLDER.findall(texts.prompts[CONSENT])) != {"company", "purpose", "keeping"}:
        raise PromptTextError(f"{path}: the consent text must name {{company}}, {{purpose}} and {{keeping}}, no more")
    if set(_PLACEHOLDER.findall(texts.prompts[LANGUAGE])) != {"key"}:
        raise PromptTextError(f"{path}: the text language must name {{key}}, no more")
    return texts


def _tidy(text: str) -> str:
    return _SPACES.sub(" ", text).strip()
