"""Who pressed a code, and what had been decided for them."""

from __future__ import annotations

from dataclasses import replace

from pbx_plugin.domain.call import User
from pbx_plugin.domain.callstate import Leg
from pbx_plugin.domain.conversation import conversations
from pbx_plugin.domain.decision import Decision
from pbx_plugin.domain.turn import Turn

TONE_DENIED = "denied"


def user_on(turn: Turn, channel: str) -> tuple[Leg, User] | None:
    """Return the leg and user of a phone on this call; None for an outside party and for strangers."""
    leg = turn.call.legs.get(channel)
    return None if leg is None or leg.user is None else (leg, leg.user)


def told_twice(turn: Turn, channel: str) -> bool:
    """Tell whether this press was taken before, and remember it: taken twice, it would be on and off again."""
    if turn.at == turn.call.pressed.get(channel):
        return True
    turn.call = replace(turn.call, pressed={**turn.call.pressed, channel: turn.at})
    return False


def decision_on(turn: Turn, leg: Leg, user: User) -> Decision | None:
    """Return the decision in force for a user who talks now, None for one who does not."""
    talks = conversations(turn.call.legs.values(), hold_ends=turn.call.policy.hold_closes_segment)
    last = turn.call.decided.get(user.id)
    return last.decision if last is not None and any(leg.channel in talk.members for talk in talks) else None
