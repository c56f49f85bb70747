"""Our code among a user's keys: a star is held back until the next key says whether it was ours. Pure."""

from __future__ import annotations

from dataclasses import dataclass

STAR = "*"


@dataclass(frozen=True, slots=True)
class Keys:
    """What one key led to: keys that the other side is to hear now, whether our code is complete, whether a star waits.

    A star that waits is passed on when no key follows in time.
    """

    pass_on: str = ""
    ours: bool = False
    star_waits: bool = False


def press(star_waits: bool, key: str, code: str) -> Keys:
    """Return what a key leads to; our code is a star and then ``code``, one digit."""
    if star_waits and key == code:
        return Keys(ours=True)
    before = STAR if star_waits else ""
    if key == STAR:
        return Keys(pass_on=before, star_waits=True)
    return Keys(pass_on=before + key)
