"""The periodic beep: who is recorded is reminded of it for as long as it lasts, where the policy wants it.

It belongs to a segment that is being recorded: with a pause, a toggle or a hold it stops, and a new segment counts its
seconds anew. What each hears is played on their own channel, and is on no recording: the time line tells of it. How
often it comes and who hears it may differ by direction, which is that of the people who talk to each other now.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.callstate import CallState, Capture, Leg, Phase
from pbx_plugin.domain.conversation import Conversation, direction_of
from pbx_plugin.domain.happenings import Spoken
from pbx_plugin.domain.policy import BeepTo, PolicyVersion, beep_for

TONE_BEEP = "beep"
_HEARD = re.compile(r"heard: .*, tone version (.+), SHA-256 ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Beep:
    """One beep for one party. ``setting`` is why, for the time line: the policy's own words for this direction."""

    channel: str
    setting: str


def beeps_at_all(policy: PolicyVersion) -> bool:
    """Tell whether there is a direction in which calls beep."""
    return any(beep_for(policy, direction)[0] for direction in Direction)


def beeps_due(call: CallState, capture: Capture, at: datetime) -> int:
    """Return how many beeps a segment should have had by now (``at`` is by the call's own clock)."""
    every, _ = beep_for(call.policy, _direction(call, capture))
    if not every or capture.phase is not Phase.RECORDING or capture.in_at is None:
        return 0
    return max(0, int((at - capture.in_at).total_seconds() // every))


def beeps_of(call: CallState, capture: Capture) -> list[Beep]:
    """Return the beeps that are heard now: by the recorded users, by the others, or by all."""
    here = _here(call, capture)
    direction = _direction(call, capture)
    every, to = beep_for(call.policy, direction)
    users = [leg.channel for leg in here if leg.user is not None and leg.user.id in capture.user_ids]
    match to:
        case BeepTo.USER:
            channels = users
        case BeepTo.OTHER:
            channels = [leg.channel for leg in here if leg.channel not in users]
        case BeepTo.BOTH:
            channels = [leg.channel for leg in here]
    return [Beep(channel, f"every {every} s on {direction.value} calls") for channel in channels]


def beep_heard(setting: str, tone_version: str, sha256: str) -> str:
    """Return how the time line tells that a beep was heard, and which; :func:`beep_which` reads it back."""
    return f"heard: {setting}, tone version {tone_version}, SHA-256 {sha256}"


def beep_which(detail: str) -> Spoken | None:
    """Return what was heard (a tone has no language); None where it was not, or it is not known what."""
    found = _HEARD.fullmatch(detail)
    return Spoken("", *found.groups()) if found else None


def _direction(call: CallState, capture: Capture) -> Direction:
    return direction_of(Conversation(tuple(_here(call, capture))))


def _here(call: CallState, capture: Capture) -> list[Leg]:
    return [leg for channel, leg in call.legs.items() if channel in capture.members]
