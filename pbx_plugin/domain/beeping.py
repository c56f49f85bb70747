"""The periodic beep: who is recorded is reminded of it for as long as it lasts, where the policy wants it.

It belongs to a segment that is being recorded: with a pause, a toggle or a hold it stops, and a new segment counts its
seconds anew. What each hears is played on their own channel, and is on no recording: the time line tells of it.
"""

from __future__ import annotations

from datetime import datetime

from pbx_plugin.domain.callstate import CallState, Capture, Phase
from pbx_plugin.domain.policy import BeepTo

TONE_BEEP = "beep"


def beeps_due(call: CallState, capture: Capture, at: datetime) -> int:
    """Return how many beeps a segment should have had by now (``at`` is by the call's own clock)."""
    every = call.policy.beep_seconds
    if not every or capture.phase is not Phase.RECORDING or capture.in_at is None:
        return 0
    return max(0, int((at - capture.in_at).total_seconds() // every))


def beep_channels(call: CallState, capture: Capture) -> list[str]:
    """Return the channels on which the beep is heard now: the recorded users', the others', or all."""
    here = [leg for channel, leg in call.legs.items() if channel in capture.members]
    users = [leg.channel for leg in here if leg.user is not None and leg.user.id in capture.user_ids]
    match call.policy.beep_to:
        case BeepTo.USER:
            return users
        case BeepTo.OTHER:
            return [leg.channel for leg in here if leg.channel not in users]
        case BeepTo.BOTH:
            return [leg.channel for leg in here]
