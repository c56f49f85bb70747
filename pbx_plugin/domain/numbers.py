"""Phone numbers: any spelling to E.164, the number as received kept beside it.

What reaches these functions comes from callers, phones and lists that people typed. Nothing here raises on any text,
and the work done is bounded: texts longer than :data:`LONGEST` are never read as a number. What was received is kept
as it is, control characters and all: whoever shows it makes it harmless for the place where it is shown.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers

from pbx_plugin.domain.call import Number

LONGEST = 128
"""Characters of the longest text that is read as a phone number."""

LONGEST_RECEIVED = 255
"""Characters of a number or name that are kept as they were received. Asterisk's own limit for PJSIP is 79 bytes."""
CUT = "…"
"""Stands at the end of what was longer."""

_SHORTEST_UNLISTED = 8
_INSIDE_ANGLES = re.compile(r"<([^<>]*)>")
_SCHEME = re.compile(r"^(?:sips?|tel):", re.IGNORECASE)
_AFTER_NUMBER = re.compile(r"[@;?].*$", re.DOTALL)
_TYPED_EXTENSION = re.compile(r"\s*(?:ext\.?|x)\s*\d{1,7}$", re.IGNORECASE)
_OPTIONAL_ZERO = re.compile(r"(?<=\d)\(0\)")
_SEPARATORS = re.compile(r"[\s\-./()\u2010-\u2015\u2212]+")
_DIALLABLE = re.compile(r"\+?[0-9*#]+")
_PLAIN = re.compile(r"\+?[0-9]+")
_HALVES = re.compile("[\ud800-\udfff]")
_DOUBLE_ZERO = re.compile(r"^00(?=[1-9])")


def parse_number(raw: str, country: str) -> Number:
    """Return ``raw`` with its E.164 form, read as somebody in ``country`` (ISO 3166 region) would write it.

    ``e164`` is empty for what is no public number: internal extensions, 112, "anonymous", nonsense. ``raw`` is kept
    by :func:`as_received`. SIP and tel URIs are read by their user part. Never raises; an unknown country leaves only
    international spellings (``+``, ``00``) readable.
    """
    return _parse(raw[: LONGEST_RECEIVED + 1], country)


def as_received(text: str) -> str:
    """Return a number or a name as it is kept: exactly as it came, but for two things.

    Of more than :data:`LONGEST_RECEIVED` characters the last kept one is :data:`CUT`. Halves of surrogate pairs, which
    are no characters and which no file can hold, become U+FFFD.
    """
    if len(text) > LONGEST_RECEIVED:
        text = text[: LONGEST_RECEIVED - len(CUT)] + CUT
    return text if text.isascii() else _HALVES.sub("\ufffd", text)


@lru_cache(maxsize=16_384)
def _parse(raw: str, country: str) -> Number:
    kept, text = as_received(raw), dial_string(raw)
    if not _PLAIN.fullmatch(text):
        return Number(kept)
    return Number(kept, _e164(text, country.strip().upper()))


def _e164(text: str, region: str) -> str:
    """Read a string of digits in a region; what its own access code does not explain may still begin with ``00``."""
    international = _DOUBLE_ZERO.sub("+", text)
    for spelling in dict.fromkeys((text, international)):
        try:
            number = phonenumbers.parse(spelling, region or None)
        except phonenumbers.NumberParseException:
            continue
        if _plausible(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return ""


def _plausible(number: phonenumbers.PhoneNumber) -> bool:
    """Take numbers of a listed range, and those of a right length in a range that is not listed (yet).

    Short ones must be listed: where short numbers are possible at all, extensions would be taken for them.
    """
    if phonenumbers.is_valid_number(number):
        return True
    long_enough = len(phonenumbers.national_significant_number(number)) >= _SHORTEST_UNLISTED
    reason = phonenumbers.is_possible_number_with_reason(number)
    return long_enough and reason == phonenumbers.ValidationResult.IS_POSSIBLE


def region_of(e164: str) -> str:
    """Return the region (ISO 3166) of a number in E.164; where several share its code, the one it belongs to, else
    the code's main one. Empty for what is no such number, and for codes that are no country's."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return ""
    code = phonenumbers.region_code_for_country_code(number.country_code or 0)
    region = phonenumbers.region_code_for_number(number) or code
    return region if region and len(region) == 2 and region.isalpha() and region != "ZZ" else ""


def dial_string(raw: str) -> str:
    """Return what a phone would dial for ``raw``: ``+``, digits, ``*`` and ``#`` only. Empty if it is no number."""
    if len(raw) > LONGEST:
        return ""
    text = _printable(raw)
    inside = _INSIDE_ANGLES.search(text)
    text = _SCHEME.sub("", (inside.group(1) if inside else text).strip())
    text = _AFTER_NUMBER.sub("", text).replace("%2B", "+").replace("%2b", "+").replace("%23", "#")
    text = _TYPED_EXTENSION.sub("", text)
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(sign, sign)) for sign in text)
    text = _SEPARATORS.sub("", _OPTIONAL_ZERO.sub("", text.replace(" (0)", "(0)")))
    return text if _DIALLABLE.fullmatch(text) else ""


def number_key(raw: str) -> str:
    """Return one spelling for all that mean the same without knowing a country: for exact comparison of raw numbers.

    ``00`` is written ``+``; what is no number (``anonymous``) is compared without regard to case.
    """
    # Most of what is asked for is plain digits already, and every decision asks several times.
    if len(raw) <= LONGEST and raw.isascii() and (raw.isdigit() or not raw):
        return raw if raw[:2] != "00" else _DOUBLE_ZERO.sub("+", raw)
    return _key(raw[: LONGEST + 1])


@lru_cache(maxsize=16_384)
def _key(raw: str) -> str:
    text = dial_string(raw)
    return _DOUBLE_ZERO.sub("+", text) if text else _printable(raw[:LONGEST]).strip().casefold()


def spellings(number: Number, country: str) -> tuple[str, ...]:
    """Return all spellings under which a list may know ``number``: E.164, as received, national with and without zero.

    Lists hold E.164, but also what could not be read as such (short prefixes like ``3120``). No empty spellings.
    """
    if len(number.raw) > LONGEST:
        number = Number(number.raw[: LONGEST + 1], number.e164)
    return _spellings(number, country)


@lru_cache(maxsize=16_384)
def _spellings(number: Number, country: str) -> tuple[str, ...]:
    region = country.strip().upper()
    e164 = number.e164 or parse_number(number.raw, region).e164
    found = [e164, number_key(number.raw)]
    code = f"+{phonenumbers.country_code_for_region(region)}"
    if len(code) > 1 and e164.startswith(code):
        national = e164[len(code) :]
        found += [national, (phonenumbers.ndd_prefix_for_region(region, True) or "") + national]
    return tuple(dict.fromkeys(spelling for spelling in found if spelling))


def _printable(raw: str) -> str:
    if raw.isprintable():
        return raw
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "" for sign in raw)
