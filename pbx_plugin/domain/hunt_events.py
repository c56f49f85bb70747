"""What can happen to a caller for whom we hunt, and what is found when we come back. ``at`` is one steady clock's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LegEnd(StrEnum):
    """How the ringing of one phone ended."""

    BUSY = "busy"
    NO_ANSWER = "no answer"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class CallerEntered:
    """A caller came to a group. ``caller`` is their channel, and names the hunt from here on."""

    at: datetime
    caller: str
    group_id: str


@dataclass(frozen=True, slots=True)
class CallerReplaced:
    """Another channel stands in the caller's place now (a waiting call was handed over)."""

    at: datetime
    caller: str
    by: str


@dataclass(frozen=True, slots=True)
class CallerGone:
    """The caller hung up, or was taken elsewhere."""

    at: datetime
    caller: str


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """A phone that was rung answered."""

    at: datetime
    leg: str


@dataclass(frozen=True, slots=True)
class LegEnded:
    """A phone's channel is gone: refused, not reached, or hung up."""

    at: datetime
    leg: str
    end: LegEnd = LegEnd.NO_ANSWER


@dataclass(frozen=True, slots=True)
class BridgeChanged:
    """So many channels are now in the bridge of a hunt."""

    at: datetime
    hunt: str
    members: int


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Time has passed. Needed several times a second while anybody is on the floor."""

    at: datetime


@dataclass(frozen=True, slots=True)
class FoundLeg:
    """A phone's channel as it is found; ``joined`` when it is in the bridge."""

    leg: str
    device: str
    up: bool
    joined: bool


@dataclass(frozen=True, slots=True)
class FoundCall:
    """What Asterisk has of one hunt. ``caller`` is empty where the caller is gone; ``members`` are in its bridge."""

    hunt: str
    caller: str
    group_id: str
    members: int
    legs: tuple[FoundLeg, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """We are connected to Asterisk, anew or for the first time: this is all there is."""

    at: datetime
    calls: tuple[FoundCall, ...] = ()


Event = CallerEntered | CallerReplaced | CallerGone | LegAnswered | LegEnded | BridgeChanged | TimePassed | Found
"""Anything that :func:`pbx_plugin.domain.hunt.step` takes."""
