"""The sensitive-data pause: a card number is read out, and nobody's recording holds it.

Whose pause it is decides who ends it; while it lasts, nothing of the conversation is recorded for anybody. It leaves a
gap with its reason, and ends by itself after the policy's ``pause_seconds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pbx_plugin.domain.callstate import CallState, Leg, Pause
from pbx_plugin.domain.commands import PlayTone
from pbx_plugin.domain.conversation import Conversation
from pbx_plugin.domain.pressing import TONE_DENIED, decision_on, told_twice, user_on
from pbx_plugin.domain.turn import Turn

TONE_PAUSED = "paused"
TONE_RESUMED = "resumed"


def press(turn: Turn, channel: str) -> None:
    """Take the code from one phone: pause, or go on. An outsider's press, or one outside a conversation, does nothing.

    Only who has the right to it, and only where a recording is due (rules 7 to 12); all others hear *no*.
    """
    found = user_on(turn, channel)
    decision = decision_on(turn, *found) if found else None
    if found is None or decision is None or told_twice(turn, channel):
        return
    leg, user = found
    if not decision.may_pause:
        turn.note(leg, "pause", f"denied: {decision.rule_name}")
        turn.ask(PlayTone(channel, TONE_DENIED))
    elif user.id in turn.call.pauses:
        _end(turn, user.id, leg, "ended by the user")
    else:
        longest = turn.call.policy.pause_seconds
        pause = Pause(user.name or user.extension, turn.at, turn.at + timedelta(seconds=longest))
        turn.call = replace(turn.call, pauses={**turn.call.pauses, user.id: pause})
        turn.note(leg, "pause", f"for at most {longest} s")
        turn.ask(PlayTone(channel, TONE_PAUSED))


def end_those_over(turn: Turn) -> None:
    """End the pauses that have lasted long enough."""
    for user_id in [user_id for user_id, pause in turn.call.pauses.items() if pause.until <= turn.at]:
        legs = (leg for leg in turn.call.legs.values() if leg.user is not None and leg.user.id == user_id)
        _end(turn, user_id, next(legs, None), "ended by itself")


def paused_by(pauses: Mapping[str, Pause], talk: Conversation) -> str:
    """Return who paused this conversation, as a gap's reason; empty when nobody did."""
    users = {leg.user.id for leg in talk.inside if leg.user is not None}
    names = [pause.by for user_id, pause in pauses.items() if user_id in users]
    return f"paused by {' and '.join(names)}" if names else ""


def is_over(call: CallState, at: datetime) -> bool:
    """Tell whether a pause on this call has lasted long enough."""
    return any(pause.until <= at for pause in call.pauses.values())


def _end(turn: Turn, user_id: str, leg: Leg | None, why: str) -> None:
    rest = {other: pause for other, pause in turn.call.pauses.items() if other != user_id}
    turn.call = replace(turn.call, pauses=rest)
    if leg is not None:
        turn.note(leg, "pause", why)
        turn.ask(PlayTone(leg.channel, TONE_RESUMED))
