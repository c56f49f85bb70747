"""Which dialled strings reach the emergency services. Those calls are never recorded, announced, asked or refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

from pbx_plugin.domain.call import Number
from pbx_plugin.domain.numbers import number_key, parse_number

_HIDE_CALLER_ID = re.compile(r"^(?:[*#]\d{2,3}[*#]|\*(?:67|82))(?=\d)")
_OUTSIDE_LINE = ("0", "9")
_SHORT = 4
_SERVICE_URN = "urn:service:sos"


@dataclass(frozen=True, slots=True)
class _Spellings:
    always: frozenset[str]
    outgoing: frozenset[str]


def is_emergency(number: Number, numbers: tuple[str, ...], country: str, *, outgoing: bool) -> bool:
    """Tell whether ``number`` is one of the emergency ``numbers`` of a policy.

    Compared as a whole, never as a prefix, so that no ordinary number is taken for one. Also read: the number with
    the country's code (``+45112``), after a code that hides the caller's number (``#31#112``), and as RFC 5031 URN.
    With ``outgoing`` (a user dialled it to the outside) short ones are also known behind the usual digit for an
    outside line (``0112``, ``9911``); only then, because trunks deliver, and offices use, such numbers as extensions.
    """
    known = _spellings(numbers, country)
    key = number_key(number.raw)
    if key.startswith(("*", "#")):
        key = _HIDE_CALLER_ID.sub("", key)
    if key in known.always or number.e164 in known.always or key.startswith(_SERVICE_URN):
        return True
    return outgoing and key in known.outgoing


@lru_cache(maxsize=256)
def _spellings(numbers: tuple[str, ...], country: str) -> _Spellings:
    code = phonenumbers.country_code_for_region(country.strip().upper())
    keys = {key for key in map(number_key, numbers) if key}
    always = keys | {parse_number(number, country).e164 for number in numbers} - {""}
    if code:
        always |= {f"+{code}{key}" for key in keys if key.isdecimal()}
    short = {key for key in keys if key.isdecimal() and len(key) <= _SHORT}
    return _Spellings(frozenset(always), frozenset(digit + key for digit in _OUTSIDE_LINE for key in short))
