"""The star code: one user's switch, asked of the decision in force; whoever may not is told by a tone."""

from __future__ import annotations

from dataclasses import replace

from pbx_plugin.domain.call import Switch
from pbx_plugin.domain.capacity import refusal
from pbx_plugin.domain.commands import PlayTone
from pbx_plugin.domain.decision import Verdict
from pbx_plugin.domain.pressing import TONE_DENIED, decision_on, told_twice, user_on
from pbx_plugin.domain.turn import Turn

TONE_ON = "toggle-on"
TONE_OFF = "toggle-off"
ON_DEMAND_RULE = 12


def press(turn: Turn, channel: str) -> None:
    """Take the code from one phone. An outsider's press, or one outside a conversation, does nothing.

    Who switches on while the machine has no room hears *no*; the switch is on all the same, and the recording begins,
    with its tone, when there is room again.
    """
    found = user_on(turn, channel)
    decision = decision_on(turn, *found) if found else None
    if found is None or decision is None or told_twice(turn, channel):
        return
    leg, user = found
    if decision.verdict is Verdict.RECORD and decision.may_switch_off:
        switch, tone = Switch.OFF, TONE_OFF
    elif decision.verdict is not Verdict.RECORD and decision.may_switch_on:
        refused = refusal(turn.capacity, turn.call, (ON_DEMAND_RULE,))
        switch, tone = Switch.ON, TONE_DENIED if refused else TONE_ON
    else:
        turn.note(leg, "toggle", f"denied: {decision.rule_name}")
        turn.ask(PlayTone(channel, TONE_DENIED))
        return
    pauses = {user_id: pause for user_id, pause in turn.call.pauses.items() if user_id != user.id}
    turn.call = replace(turn.call, switches={**turn.call.switches, user.id: switch}, pauses=pauses)
    turn.note(leg, "toggle", switch.value)
    turn.ask(PlayTone(channel, tone))
