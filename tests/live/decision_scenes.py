"""The calls of ``decision.md``'s two tables, each as people make it on the sandbox's telephones."""

from __future__ import annotations

from dataclasses import dataclass

from kinds import closed, ready, recorded
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site_people import WHITELISTED_DDI, WHITELISTED_USER, ddi_of

TALK_S = 2.0
TOGGLE, WITHDRAW = "*4", "*6"
COLLEAGUE = "203"
"""In mode always: who is sent a call that must stay unrecorded."""


@dataclass(frozen=True)
class Talk:
    """Somebody outside and the user who answered them."""

    number: str
    caller: Leg
    user: Leg


def answered(stage: Stage, line: str, dialled: str, user: str, keys: str = "", caller: str = "") -> Talk:
    """Somebody outside dials, presses these keys when asked, and the user answers."""
    phone = ready(stage, user)
    number = caller or stage.fresh_number()
    leg = stage.outside(line).dial(dialled, caller=number)
    leg.wait("CONFIRMED")
    for key in keys:
        talk(2.5)
        leg.dtmf(key)
    mine = phone.wait_incoming(30.0)
    mine.wait("CONFIRMED")
    stage.decided(number, user)
    return Talk(number, leg, mine)


def over(stage: Stage, number: str, *legs: Leg) -> CallDetail:
    """Talk a little longer, hang up, and return what is known of the call in the end."""
    talk(TALK_S)
    hang_up(*legs)
    return stage.settled(number)


def plain(
    stage: Stage, line: str, dialled: str, user: str, keys: str = "", caller: str = "", *, records: bool
) -> CallDetail:
    """A call from outside, and nothing happens in it."""
    call = answered(stage, line, dialled, user, keys, caller)
    if records:
        recorded(stage, call.number, user)
    return over(stage, call.number, call.caller)


def outgoing(stage: Stage, user: str, dialled: str = "") -> CallDetail:
    """A user calls somebody outside."""
    number = dialled or stage.fresh_number()
    leg = stage.phone(user).dial(number)
    leg.wait("CONFIRMED")
    if stage.decided(number, user).verdict == "record":
        recorded(stage, number, user)
    return over(stage, number, leg)


def between_users(stage: Stage, user: str, other: str) -> CallDetail:
    """A user calls a colleague."""
    ready(stage, other)
    leg = stage.phone(user).dial(other)
    leg.wait("CONFIRMED")
    recorded(stage, user, user)
    return over(stage, user, leg)


def sent_on(stage: Stage, line: str, dialled: str, user: str, target: str, keys: str = "") -> CallDetail:
    """A call that is answered, and then passed on to a user in mode always."""
    ready(stage, target)
    call = answered(stage, line, dialled, user, keys)
    call.user.transfer(target)
    call.user.wait_ended()
    stage.decided(call.number, target)
    return over(stage, call.number, call.caller)


def sent_outside(stage: Stage, line: str, user: str) -> CallDetail:
    """A recorded caller is passed on to a number outside."""
    call = answered(stage, line, ddi_of(user), user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    call.user.transfer(stage.fresh_number().removeprefix("+45"))
    closed(stage, call.number, user)
    return over(stage, call.number, call.caller)


def toggled_three_times(stage: Stage, line: str, user: str) -> CallDetail:
    """On, off, on."""
    call = answered(stage, line, ddi_of(user), user)
    for nth in (1, 2):
        call.user.dtmf(TOGGLE)
        recorded(stage, call.number, user, nth)
        talk(TALK_S)
        if nth == 1:
            call.user.dtmf(TOGGLE)
            closed(stage, call.number, user)
            talk(TALK_S)
    return over(stage, call.number, call.caller)


def toggle_refused(stage: Stage, line: str, user: str, caller: str) -> CallDetail:
    """The user presses the code, and is told no."""
    call = answered(stage, line, ddi_of(user), user, caller=caller)
    call.user.dtmf(TOGGLE)
    noted(stage, call.number, "toggle")
    return over(stage, call.number, call.caller)


def withdrawn(stage: Stage, line: str, user: str) -> CallDetail:
    """The caller says no after all, and the user presses the code."""
    call = answered(stage, line, ddi_of(user), user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    call.user.dtmf(WITHDRAW)
    noted(stage, call.number, "withdrawal")
    return over(stage, call.number, call.caller)


@dataclass(frozen=True)
class Consulted:
    """A consultation as it was before the merge, and everything in the end."""

    before: CallDetail
    after: CallDetail


def consulted_about_a_refuser(stage: Stage, line: str, user: str, other: str) -> Consulted:
    """A caller says no; the user who answers asks a colleague, and completes the transfer."""
    ready(stage, other)
    call = answered(stage, line, ddi_of("701"), user, "2")
    call.user.hold()
    consultation = stage.phone(user).dial(other)
    consultation.wait("CONFIRMED")
    recorded(stage, user, user)
    talk(TALK_S)
    before = stage.call(user)
    assert before is not None
    call.user.transfer_to(consultation)
    stage.decided(call.number, other)
    return Consulted(before, over(stage, call.number, call.caller))


def noted(stage: Stage, number: str, what: str) -> None:
    """Wait until that step is on the call's time line."""

    def look() -> bool:
        found = stage.call(number)
        return found is not None and any(step.what == what for step in found.timeline)

    wait_for(look, f"{what} on the time line of {number}", 10.0)


def whitelisted(stage: Stage, line: str, caller: str = "", *, records: bool) -> CallDetail:
    """Somebody dials the number whose calls are always recorded."""
    return plain(stage, line, WHITELISTED_DDI, WHITELISTED_USER, caller=caller, records=records)
