"""What a program asks of a running call in a user's name: the codes that a phone has, and an answer to what came of it.

A program says what it wants (*on*, *off*), where a key only turns things round: asked twice, it is the same again. It
may do what the user's own phone may do at that moment, and nothing more.
"""

from __future__ import annotations

from pbx_plugin.domain import pausing, toggle, withdrawal
from pbx_plugin.domain.call import Consent, User
from pbx_plugin.domain.callstate import Leg
from pbx_plugin.domain.decision import Decision, Verdict
from pbx_plugin.domain.entries import Audited, LegMoved
from pbx_plugin.domain.happenings import Asked, Deed
from pbx_plugin.domain.pressing import decision_on
from pbx_plugin.domain.turn import Turn

ON, OFF = "on", "off"
_PRESS = {Deed.TOGGLE: toggle.press, Deed.PAUSE: pausing.press, Deed.WITHDRAW: withdrawal.press}
_NOTED = {Deed.TOGGLE: "toggle", Deed.PAUSE: "pause", Deed.WITHDRAW: "withdrawal"}


def take(turn: Turn, asked: Asked) -> None:
    """Do what was asked, if the user may, and audit what came of it: the audit entry's id is the asker's own."""
    done, what = _try(turn, asked)
    detail = {"user": asked.user_id, "wanted": asked.wish, "done": done, "what": what}
    action = f"{asked.deed} asked for"
    turn.say(Audited(asked.ask_id, turn.call.tenant_id, turn.at, asked.actor, action, turn.call.call_id, detail))


def _try(turn: Turn, asked: Asked) -> tuple[bool, str]:
    found = _phone_of(turn, asked.user_id)
    if found is None:
        return False, "the user is not on this call"
    leg, user, decision = found
    if asked.deed is not Deed.WITHDRAW and decision is None:
        return False, "the user is not in a conversation"
    if _is_so(turn, user, decision, asked):
        return True, "it was so already"
    already = len(turn.said)
    _PRESS[asked.deed](turn, leg.channel)
    for entry in turn.said[already:]:
        if isinstance(entry, LegMoved) and entry.what == _NOTED[asked.deed]:
            return not entry.detail.startswith("denied"), entry.detail
    return False, "it was asked for twice in one moment"


def _phone_of(turn: Turn, user_id: str) -> tuple[Leg, User, Decision | None] | None:
    """Return the user's phone on this call, the one that talks before others, and the decision in force for it."""
    found = [
        (leg, leg.user, decision_on(turn, leg, leg.user))
        for leg in turn.call.legs.values()
        if leg.user is not None and leg.user.id == user_id
    ]
    return next((one for one in found if one[2] is not None), found[0] if found else None)


def _is_so(turn: Turn, user: User, decision: Decision | None, asked: Asked) -> bool:
    match asked.deed:
        case Deed.TOGGLE:
            is_on = decision is not None and decision.verdict is Verdict.RECORD
        case Deed.PAUSE:
            is_on = user.id in turn.call.pauses
        case _:
            return turn.call.sticky.consent is Consent.WITHDRAWN
    return bool(asked.wish == (ON if is_on else OFF))
