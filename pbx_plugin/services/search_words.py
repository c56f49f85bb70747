"""Words and numbers as they are looked for: one spelling for all that people mean by the same.

Free text is kept and asked for in folded words, so that every database finds the same: no case, no accents, letters
and digits only. What is kept is written by :func:`words_kept`, what is asked is read by :func:`words_asked`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers

from pbx_plugin.domain.numbers import dial_string, number_key, parse_number, spellings

LONGEST_TEXT = 100_000
"""Folded characters of one recording that can be found; what is written after them is not looked through."""
LONGEST_WORD = 80
MOST_WORDS = 10
_WORDS = re.compile(r"[^\W_]+")
_ASKED = re.compile(r"([^\W_]+)(\*?)")


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word that must be there, or (``open``) one that begins so."""

    text: str
    open: bool = False


@dataclass(frozen=True, slots=True)
class NumberAsked:
    """A number that is looked for: any of ``keys`` as it is, or anything that begins with any of ``beginnings``."""

    keys: tuple[str, ...] = ()
    beginnings: tuple[str, ...] = ()


def fold(text: str) -> str:
    """Return a text without case and accents."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def words_kept(text: str) -> str:
    """Return a text's folded words between blanks, with one at either end, so that a word is found whole."""
    words = [word[:LONGEST_WORD] for word in _WORDS.findall(fold(text[:LONGEST_TEXT]))]
    return f" {' '.join(words)} "[:LONGEST_TEXT] if words else ""


def words_asked(text: str) -> tuple[Word, ...]:
    """Return the words of a question, each once; ``rent*`` asks for all that begin so. Signs ask for nothing."""
    found = [Word(word[:LONGEST_WORD], bool(star)) for word, star in _ASKED.findall(fold(text))]
    return tuple(dict.fromkeys(found))[:MOST_WORDS]


def number_kept(raw: str, e164: str) -> str:
    """Return how a recording's number is kept for finding: E.164, else the one spelling of what was received."""
    return e164 or number_key(raw)


def number_asked(text: str, country: str) -> NumberAsked:
    """Return what a typed number may be kept as, in whatever spelling it was typed; a star at its end leaves it open.

    ``country`` is where a number without a country code is at home.
    """
    if text.endswith("*"):
        begin = number_key(text.rstrip("*"))
        return NumberAsked(beginnings=tuple(dict.fromkeys(part for part in (begin, *_abroad(begin, country)) if part)))
    number = parse_number(text, country)
    found = (*spellings(number, country), number_key(text), dial_string(text))
    return NumberAsked(keys=tuple(dict.fromkeys(key for key in found if key)))


def _abroad(begin: str, country: str) -> tuple[str, ...]:
    """Return the beginning with its country code, where it has none: with and without the zero before it."""
    region = country.strip().upper()
    code = phonenumbers.country_code_for_region(region)
    if not code or not begin.isdigit():
        return ()
    zero = phonenumbers.ndd_prefix_for_region(region, True) or ""
    if zero and begin.startswith(zero):
        return (f"+{code}{begin[len(zero) :]}",) if len(begin) > len(zero) else ()
    return (f"+{code}{begin}",)
