"""What the machine can take: how many recordings at once, and how much room its disks have. Measured at the edge.

Recording goes before running out in an order: what a person or their department chose for themselves (rules 10, 11
and 12) stops when room is short; what the company promised (whitelisted numbers and groups, callers who consented;
rules 7, 8 and 9) goes on until the disk itself refuses. What is being recorded already always goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pbx_plugin.domain.callstate import CallState

OPTIONAL_RULES = frozenset({10, 11, 12})
"""Rules whose recordings are not begun any more when a disk is nearly full."""


class Room(StrEnum):
    """How much room is left on the fullest disk that a recording needs."""

    ENOUGH = "enough"
    LITTLE = "little"
    NONE = "none"


AWAY = "the recorder was away"
"""Why what is told afterwards was not recorded."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one call may take: ``others`` is how many recordings the company's other calls have, ``most`` how many it
    may have at once (0: any number). ``away`` while what happens is told afterwards: nothing can begin then."""

    others: int = 0
    most: int = 0
    room: Room = Room.ENOUGH
    away: bool = False


UNLIMITED = Capacity()


def refusal(capacity: Capacity, call: CallState, rules: Iterable[int]) -> str:
    """Return why a recording that these rules want cannot begin now, in plain words; empty when it can.

    ``rules`` are those of the users who would own it: one that is not optional is enough.
    """
    if capacity.away:
        return AWAY
    if capacity.room is Room.NONE and OPTIONAL_RULES.issuperset(rules):
        return "no room: a disk is nearly full"
    own = sum(capture.takes_a_place for capture in call.captures.values())
    if capacity.most and capacity.others + own >= capacity.most:
        return f"no room: the company's limit is {capacity.most} recordings at once"
    return ""
