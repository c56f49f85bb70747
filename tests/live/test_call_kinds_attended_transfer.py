"""A user asks a colleague first: the consultation is a call of its own, and the merge is where everything is cut."""

from __future__ import annotations

from functools import partial

import pytest
from kinds import TALK_S, Part, Talk, assert_one_journey, assert_segments, called, closed, ready, recorded, users_joined
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site_extras import ABANDON, ATTENDED, COMPLETE, THREE_WAY, VAIN_MEMBER, VAIN_QUEUE
from pbx_plugin.sandbox.site_people import ddi_of

CODE = "*4"


def ask(leg: Leg, number: str) -> None:
    """Begin a consultation by the feature code."""
    leg.dtmf(ATTENDED)
    talk(1.0)
    leg.dtmf(number)


def begun(stage: Stage, user: str, other: str) -> Talk:
    """An outside caller talks to a user who is recorded; the colleague's phone is there."""
    stage.phone(other)
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    return call


def by_phone(stage: Stage, user: str, other: str) -> CallDetail:
    """Hold, a second call, REFER with Replaces."""
    call = begun(stage, user, other)
    call.user.hold()
    consultation = stage.phone(user).dial(other)
    consultation.wait("CONFIRMED")
    recorded(stage, user, user)
    talk(TALK_S)
    call.user.transfer_to(consultation)
    recorded(stage, call.number, other, 2)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def by_code(stage: Stage, user: str, other: str) -> CallDetail:
    """The feature code; completed by another."""
    call = begun(stage, user, other)
    ask(call.user, other)
    recorded(stage, call.number, other)
    talk(TALK_S)
    call.user.dtmf(COMPLETE)
    recorded(stage, call.number, other, 2)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def by_hanging_up(stage: Stage, user: str, other: str) -> CallDetail:
    """The feature code; completed by putting the receiver down."""
    call = begun(stage, user, other)
    ask(call.user, other)
    recorded(stage, call.number, other)
    talk(TALK_S)
    hang_up(call.user)
    recorded(stage, call.number, other, 2)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def cancelled_by_phone(stage: Stage, user: str, other: str) -> CallDetail:
    """The consultation is hung up, the caller taken back."""
    call = begun(stage, user, other)
    call.user.hold()
    consultation = stage.phone(user).dial(other)
    consultation.wait("CONFIRMED")
    talk(TALK_S)
    hang_up(consultation)
    call.user.unhold()
    recorded(stage, call.number, user, 2)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def cancelled_by_code(stage: Stage, user: str, other: str) -> CallDetail:
    """The consultation is abandoned by its code, which brings the caller back."""
    call = begun(stage, user, other)
    ask(call.user, other)
    recorded(stage, call.number, other)
    talk(TALK_S)
    call.user.dtmf(ABANDON)
    recorded(stage, call.number, user, 3)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def in_vain_by_phone(stage: Stage, user: str) -> CallDetail:
    """A queue is asked that nobody answers; then the caller is taken back."""
    call = begun(stage, user, VAIN_MEMBER)
    ready(stage, VAIN_MEMBER, answers=False)
    call.user.hold()
    consultation = stage.phone(user).dial(VAIN_QUEUE)
    consultation.wait("CONFIRMED")
    consultation.wait_ended(12.0)
    call.user.unhold()
    recorded(stage, call.number, user, 2)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def in_vain_by_code(stage: Stage, user: str) -> CallDetail:
    """The same by the feature code: when the queue gives up, Asterisk brings the caller back."""
    call = begun(stage, user, VAIN_MEMBER)
    ready(stage, VAIN_MEMBER, answers=False)
    ask(call.user, VAIN_QUEUE)
    closed(stage, call.number, user)
    recorded(stage, call.number, user, 2)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def three_way(stage: Stage, user: str, other: str) -> CallDetail:
    """All three stay; later the user who asked leaves."""
    call = begun(stage, user, other)
    ask(call.user, other)
    recorded(stage, call.number, other)
    talk(TALK_S)
    call.user.dtmf(THREE_WAY)
    recorded(stage, call.number, other, 2)
    talk(TALK_S)
    hang_up(call.user)
    recorded(stage, call.number, other, 3)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def refuser(stage: Stage, way: str, user: str, other: str) -> CallDetail:
    """A caller who said no is passed on to a user who is always recorded."""
    target = ready(stage, other)
    phone = ready(stage, user)
    caller = stage.outside(f"refuser {way}")
    number = caller.config.caller
    leg = caller.dial(ddi_of("703"))
    leg.wait("CONFIRMED")
    talk(1.0)
    leg.dtmf("2")
    mine = phone.wait_incoming(20.0)
    mine.wait("CONFIRMED")
    assert stage.decided(number, user).verdict == "never"
    talk(TALK_S)
    if way == "phone":
        mine.hold()
        consultation = stage.phone(user).dial(other)
        consultation.wait("CONFIRMED")
        recorded(stage, user, other)
        talk(TALK_S)
        mine.transfer_to(consultation)
    else:
        ask(mine, other)
        target.wait_incoming().wait("CONFIRMED")
        talk(TALK_S)
        mine.dtmf(COMPLETE)
    talk(TALK_S + 1)
    assert not leg.ended
    hang_up(leg)
    return stage.settled(number)


def toggled(stage: Stage, way: str, user: str, other: str) -> CallDetail:
    """Both are on demand; after the transfer the second presses the star code."""
    target = ready(stage, other)
    call = called(stage, user)
    stage.decided(call.number, user)
    if way == "phone":
        call.user.hold()
        consultation = stage.phone(user).dial(other)
        consultation.wait("CONFIRMED")
        theirs = target.wait_incoming()
        talk(1.5)
        call.user.transfer_to(consultation)
    else:
        ask(call.user, other)
        theirs = target.wait_incoming()
        theirs.wait("CONFIRMED")
        talk(1.5)
        call.user.dtmf(COMPLETE)
    talk(1.5)
    theirs.dtmf(CODE)
    recorded(stage, call.number, other)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


FIRST = {
    "by phone": partial(by_phone, user="201", other="202"),
    "by code": partial(by_code, user="203", other="237"),
    "by hanging up": partial(by_hanging_up, user="233", other="234"),
    "cancelled by phone": partial(cancelled_by_phone, user="239", other="221"),
    "toggle by phone": partial(toggled, way="phone", user="211", other="212"),
}
SECOND = {
    "cancelled by code": partial(cancelled_by_code, user="201", other="202"),
    "three-way": partial(three_way, user="203", other="237"),
    "in vain by phone": partial(in_vain_by_phone, user="233"),
    "in vain by code": partial(in_vain_by_code, user="234"),
    "toggle by code": partial(toggled, way="code", user="211", other="212"),
}
THIRD = {
    "refuser by phone": partial(refuser, way="phone", user="239", other="202"),
}
FOURTH = {
    "refuser by code": partial(refuser, way="code", user="239", other="201"),
}


def played(stage: Stage, scenes: dict[str, partial[CallDetail]]) -> Played[CallDetail]:
    stage.from_now()
    return Played({name: partial(scene, stage) for name, scene in scenes.items()})


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    for extension in ("201", "202", "203", "237", "233", "234", "239", "221", "211", "212", VAIN_MEMBER):
        stage.phone(extension)
    for extension in ("201", "203", "233", "239", "211", "234"):
        stage.outside(f"caller of {extension}")
    for way in ("phone", "code"):
        stage.outside(f"refuser {way}")
    one = played(stage, FIRST)
    for scenes in (SECOND, THIRD, FOURTH):
        one = one.joined(played(stage, scenes))
    return one


@pytest.mark.parametrize(
    ("scene", "user", "other"),
    [("by phone", "201", "202"), ("by code", "203", "237"), ("by hanging up", "233", "234")],
)
def test_caller_consultation_and_colleague_are_a_segment_each(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str, other: str
) -> None:
    call, caller = calls[scene], f"caller of {user}"
    begun, done = (0.8 if scene != "by phone" else 0.0), (0.8 if scene == "by code" else 0.0)
    first = Part(user, caller, keys=begun)
    consultation = Part(user, other, keys=done), Part(other, user, keys=done)
    assert_segments(stage, call, first, *consultation, Part(other, caller))
    assert_one_journey(call)
    assert len(users_joined(call)) == 2


def test_a_call_that_is_taken_back_goes_on_being_recorded(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["cancelled by phone"]
    assert_segments(stage, call, Part("239", "caller of 239"), Part("239", "caller of 239"))
    assert_one_journey(call)


def test_a_call_that_is_taken_back_by_code_goes_on_being_recorded(calls: Played[CallDetail], stage: Stage) -> None:
    call, caller = calls["cancelled by code"], "caller of 201"
    consultation = Part("201", "202", keys=0.8), Part("202", "201", keys=0.8)
    assert_segments(stage, call, Part("201", caller, keys=0.8), *consultation, Part("201", caller))
    assert_one_journey(call)


@pytest.mark.parametrize(("scene", "user"), [("in vain by phone", "233"), ("in vain by code", "234")])
def test_the_second_half_is_there_after_a_queue_that_nobody_answered(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str
) -> None:
    keys = 0.8 if "code" in scene else 0.0
    caller = f"caller of {user}"
    assert_segments(stage, calls[scene], Part(user, caller, keys=keys), Part(user, caller))
    assert_one_journey(calls[scene])


@pytest.mark.parametrize(("way", "other"), [("phone", "202"), ("code", "201")])
def test_a_refuser_is_nowhere_though_passed_on_to_who_is_always_recorded(
    calls: Played[CallDetail], stage: Stage, way: str, other: str
) -> None:
    call = calls[f"refuser by {way}"]
    assert [d.rule for d in call.decisions if d.facts["user"]["extension"] == other][-1] == 3
    stage.assert_nowhere(f"refuser {way}")


def test_the_consultation_about_a_refuser_is_decided_by_its_own_facts(calls: Played[CallDetail], stage: Stage) -> None:
    assert_segments(stage, calls["refuser by phone"], Part("239", "202"), Part("202", "239"))


@pytest.mark.parametrize("way", ["phone", "code"])
def test_the_star_code_works_after_the_transfer(calls: Played[CallDetail], stage: Stage, way: str) -> None:
    assert_segments(stage, calls[f"toggle by {way}"], Part("212", "caller of 211"))
    stage.assert_nowhere("211")


def test_a_three_way_call_is_recorded_with_all_its_voices(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["three-way"]
    caller = "caller of 203"
    consultation = Part("203", "237", keys=0.8), Part("237", "203", keys=0.8)
    # Until the colleague's Local channel is gone, half a second, Asterisk mixes nobody for the caller.
    three = Part("203", caller, after=1.0, third=("237",)), Part("237", caller, after=1.0, third=("203",))
    assert_segments(stage, call, Part("203", caller, keys=0.8), *consultation, *three, Part("237", caller))
    assert_one_journey(call)


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["by phone"]
    stage.assert_nothing_left()
