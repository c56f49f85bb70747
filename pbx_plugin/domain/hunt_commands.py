"""What the hunt asks for. Each command names its hunt; the commands of one hunt are performed in order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Why a caller is given back to the dialplan. ``NOT_OURS``: the dialplan is to ring in its own way."""

    NOT_OURS = ""
    NO_ANSWER = "NOANSWER"
    BUSY = "BUSY"
    UNREACHABLE = "CHANUNAVAIL"


@dataclass(frozen=True, slots=True)
class Comfort:
    """Let the caller hear ringing, or music."""

    hunt: str
    caller: str
    music: bool


@dataclass(frozen=True, slots=True)
class Ring:
    """Ring one phone, for no longer than ``seconds``."""

    hunt: str
    caller: str
    leg: str
    device: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End a phone's channel; ``elsewhere``: another one answered, so that it shows no missed call."""

    hunt: str
    leg: str
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Connect:
    """Let caller and phone hear each other."""

    hunt: str
    caller: str
    leg: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Let the caller go on in the dialplan."""

    hunt: str
    caller: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class EndCall:
    """End the bridge of a hunt, and whoever is left in it."""

    hunt: str


Command = Comfort | Ring | Stop | Connect | GiveBack | EndCall
"""Anything that :func:`pbx_plugin.domain.hunt.step` asks for."""
