"""The picture of all callers for whom we hunt, and the names by which Asterisk keeps our memory for us."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pbx_plugin.domain.hunt_events import LegEnd

LEG_PREFIX = "hunt-"
"""How the channels begin that we make for ringing phones, and the bridges."""


def leg_name(hunt: str, number: int) -> str:
    """Return the channel id of a hunt's n-th phone."""
    return f"{LEG_PREFIX}{hunt}-{number}"


def bridge_name(hunt: str) -> str:
    """Return the bridge id of a hunt."""
    return f"{LEG_PREFIX}{hunt}"


def hunt_of(leg: str) -> str:
    """Return the hunt that a channel was made for, empty when it is none of ours."""
    hunt, _, number = leg.removeprefix(LEG_PREFIX).rpartition("-")
    return hunt if leg.startswith(LEG_PREFIX) and number.isdecimal() else ""


@dataclass(frozen=True, slots=True)
class Ringing:
    """A phone that rings for a caller."""

    user_id: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Hunt:
    """One caller: waiting while ``answered`` is empty, then talking on that leg until the bridge ends.

    ``tried`` are the users rung in this round, ``not_before`` when one may be tried again, ``ends`` all the ways in
    which ringing has ended so far. ``user_id`` is empty once the user who answered has left the call.
    """

    id: str
    caller: str
    group_id: str
    since: datetime
    legs: dict[str, Ringing] = field(default_factory=dict)
    tried: frozenset[str] = frozenset()
    round_at: datetime | None = None
    not_before: dict[str, datetime] = field(default_factory=dict)
    ends: frozenset[LegEnd] = frozenset()
    counter: int = 0
    answered: str = ""
    user_id: str = ""
    joined: bool = False
    alone_since: datetime | None = None

    @property
    def waiting(self) -> bool:
        """Whether nobody has answered yet."""
        return not self.answered

    @property
    def engaged(self) -> frozenset[str]:
        """Return the users who are rung, or talk, for this caller."""
        return frozenset(ringing.user_id for ringing in self.legs.values()) | {self.user_id}


@dataclass(frozen=True, slots=True)
class Floor:
    """All hunts by id, in the order in which they came; when each user's last call ended; who was rung last, by group.

    ``rested`` and ``turn`` are memories of this run only: after a restart the company's order holds.
    """

    hunts: dict[str, Hunt] = field(default_factory=dict)
    rested: dict[str, datetime] = field(default_factory=dict)
    turn: dict[str, str] = field(default_factory=dict)
