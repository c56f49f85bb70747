"""Our codes among a user's keys: a star is held back until the next key says whether it was ours. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

STAR = "*"


@dataclass(frozen=True, slots=True)
class Keys:
    """What one key led to: keys that the other side is to hear now, the digit of a code of ours that is complete (empty
    if none is), whether a star waits.

    A star that waits is passed on when no key follows in time.
    """

    pass_on: str = ""
    ours: str = ""
    star_waits: bool = False


def press(star_waits: bool, key: str, codes: Collection[str]) -> Keys:
    """Return what a key leads to; a code of ours is a star and then one of the digits ``codes``."""
    if star_waits and key in codes:
        return Keys(ours=key)
    before = STAR if star_waits else ""
    if key == STAR:
        return Keys(pass_on=before, star_waits=True)
    return Keys(pass_on=before + key)
