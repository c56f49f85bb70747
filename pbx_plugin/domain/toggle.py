"""The star code: one user's switch, asked of the decision in force; whoever may not is told by a tone."""

from __future__ import annotations

from dataclasses import replace

from pbx_plugin.domain.call import Switch
from pbx_plugin.domain.commands import PlayTone
from pbx_plugin.domain.conversation import conversations
from pbx_plugin.domain.decision import Verdict
from pbx_plugin.domain.turn import Turn

TONE_ON = "toggle-on"
TONE_OFF = "toggle-off"
TONE_DENIED = "denied"


def press(turn: Turn, channel: str) -> None:
    """Take the code from one phone. An outsider's press, or one outside a conversation, does nothing."""
    leg = turn.call.legs.get(channel)
    if leg is None or leg.user is None:
        return
    # A press that is told twice is one press: taken twice, it would be on and off again.
    if turn.at == turn.call.pressed.get(channel):
        return
    turn.call = replace(turn.call, pressed={**turn.call.pressed, channel: turn.at})
    hold_ends = turn.call.policy.hold_closes_segment
    talking = any(channel in talk.members for talk in conversations(turn.call.legs.values(), hold_ends=hold_ends))
    last = turn.call.decided.get(leg.user.id)
    if not talking or last is None:
        return
    decision = last.decision
    if decision.verdict is Verdict.RECORD and decision.may_switch_off:
        switch, tone = Switch.OFF, TONE_OFF
    elif decision.verdict is not Verdict.RECORD and decision.may_switch_on:
        switch, tone = Switch.ON, TONE_ON
    else:
        turn.note(leg, "toggle", f"denied: {decision.rule_name}")
        turn.ask(PlayTone(channel, TONE_DENIED))
        return
    turn.call = replace(turn.call, switches={**turn.call.switches, leg.user.id: switch})
    turn.note(leg, "toggle", switch.value)
    turn.ask(PlayTone(channel, tone))
