"""How one direct number may be spelled by a carrier, and which spelling belongs to which number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import phonenumbers

from pbx_plugin.asterisk.escape import Safe, e164


def spellings(number: Safe) -> tuple[Safe, ...]:
    """Return how a carrier may spell a number that is in E.164, E.164 itself first.

    ``+4533123456``: ``+4533123456``, ``4533123456``, ``004533123456``, and nationally ``33123456``; in a country
    with a trunk prefix also with it. A number that no numbering plan knows has no national spelling.
    """
    digits = number[1:]
    found = [number, Safe(digits), Safe("00" + digits)]
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return tuple(found)
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    national = (phonenumbers.national_significant_number(parsed), "".join(d for d in written if d in "0123456789"))
    found += [Safe(spelling) for spelling in national if len(spelling) >= 3]
    return tuple(dict.fromkeys(found))


def spelling_table(numbers: Iterable[str], taken: Iterable[Safe] = ()) -> list[tuple[Safe, Safe]]:
    """Return ``(spelling, number)`` for all numbers, without the spellings that would be ambiguous.

    A spelling that two numbers share, or that is ``taken`` by something else, is left out: such a call must come
    with the country's code. ``+`` with the whole number always stays. Raises RenderError for what is not E.164.
    """
    judged = [e164(number, "direct number") for number in numbers]
    claims: defaultdict[Safe, list[Safe]] = defaultdict(list)
    for number in judged:
        for spelling in spellings(number):
            claims[spelling].append(number)
    reserved = set(taken)
    return [
        (spelling, owners[0])
        for spelling, owners in claims.items()
        if spelling == owners[0] or (len(owners) == 1 and spelling not in reserved)
    ]
