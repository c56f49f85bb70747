"""A recorded caller is passed on without asking: each user's part is a segment of its own, and others have none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from kinds import TALK_S, Part, assert_one_journey, assert_segments, called, closed, ready, recorded, users_joined
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site_extras import BLIND, PARK_CODE

CODE = "*4"


def by_phone(leg: Leg, number: str) -> None:
    """The phone's own transfer (REFER)."""
    leg.transfer(number)


def by_code(leg: Leg, number: str) -> None:
    """The feature code, and the number."""
    leg.dtmf(BLIND)
    talk(0.8)
    leg.dtmf(number)


WAYS = {"phone": by_phone, "code": by_code}


def to_user(stage: Stage, way: str, user: str, other: str) -> CallDetail:
    """The second user is always recorded, too."""
    target = ready(stage, other)
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    WAYS[way](call.user, other)
    target.wait_incoming().wait("CONFIRMED")
    recorded(stage, call.number, other)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def to_never(stage: Stage, way: str, user: str, other: str) -> CallDetail:
    """The second user is never recorded."""
    target = ready(stage, other)
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    WAYS[way](call.user, other)
    target.wait_incoming().wait("CONFIRMED")
    assert stage.decided(call.number, other).verdict == "never"
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def to_outside(stage: Stage, way: str, user: str) -> CallDetail:
    """The caller is sent out of the company."""
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    outside = stage.fresh_number().removeprefix("+45")
    WAYS[way](call.user, outside)
    closed(stage, call.number, user)
    talk(TALK_S + 1)
    assert not call.caller.ended
    hang_up(call.caller)
    return stage.settled(call.number)


def toggled(stage: Stage, way: str, user: str, other: str) -> CallDetail:
    """Both are on demand; the second presses the code."""
    target = ready(stage, other)
    call = called(stage, user)
    stage.decided(call.number, user)
    WAYS[way](call.user, other)
    mine = target.wait_incoming()
    mine.wait("CONFIRMED")
    stage.decided(call.number, other)
    mine.dtmf(CODE)
    recorded(stage, call.number, other)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def by_whom_they_called(stage: Stage) -> CallDetail:
    """A user has called out, and passes the outside party on to a colleague."""
    stage.world()
    target = ready(stage, "203")
    number = stage.fresh_number()
    mine = stage.phone("239").dial(number)
    mine.wait("CONFIRMED")
    recorded(stage, number, "239")
    talk(TALK_S)
    mine.transfer("203")
    theirs = target.wait_incoming()
    theirs.wait("CONFIRMED")
    recorded(stage, number, "203")
    talk(TALK_S)
    hang_up(theirs)
    return stage.settled(number)


def outsider_tries(stage: Stage) -> CallDetail:
    """The outside caller presses every code there is: they stay plain digits, and nobody is transferred."""
    call = called(stage, "223")
    stage.decided(call.number, "223")
    for code in (BLIND, PARK_CODE):
        call.caller.dtmf(code + "31299998")
        call.user.wait_digits(code + "31299998")
    talk(1)
    assert not call.caller.ended
    hang_up(call.caller)
    return stage.settled(call.number)


Scenes = dict[str, Callable[[Stage], CallDetail]]

FIRST: Scenes = {
    "user by phone": partial(to_user, way="phone", user="201", other="202"),
    "user by code": partial(to_user, way="code", user="233", other="234"),
    "outside by phone": partial(to_outside, way="phone", user="237"),
    "outside by code": partial(to_outside, way="code", user="238"),
    "outsider": outsider_tries,
}
SECOND: Scenes = {
    "never by phone": partial(to_never, way="phone", user="201", other="221"),
    "never by code": partial(to_never, way="code", user="233", other="222"),
    "toggle by phone": partial(toggled, way="phone", user="211", other="212"),
    "toggle by code": partial(toggled, way="code", user="231", other="232"),
    "outgoing": by_whom_they_called,
}


KEYS = {name: 0.8 if name.endswith("code") else 0.0 for name in (*FIRST, *SECOND)}
"""How long a segment's end is keys."""


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    stage.world()
    for extension in ("201", "202", "233", "234", "237", "238", "223"):
        stage.phone(extension)
    for extension in ("201", "233", "237", "238", "223"):
        stage.outside(f"caller of {extension}")
    first = Played({name: partial(scene, stage) for name, scene in FIRST.items()})
    stage.from_now()
    for extension in ("221", "222", "211", "212", "231", "232", "203", "239"):
        stage.phone(extension)
    for extension in ("211", "231"):
        stage.outside(f"caller of {extension}")
    return first.joined(Played({name: partial(scene, stage) for name, scene in SECOND.items()}))


@pytest.mark.parametrize(
    ("scene", "first", "second"), [("user by phone", "201", "202"), ("user by code", "233", "234")]
)
def test_each_users_part_is_a_segment_of_its_own(
    calls: Played[CallDetail], stage: Stage, scene: str, first: str, second: str
) -> None:
    caller = f"caller of {first}"
    assert_segments(stage, calls[scene], Part(first, caller, keys=KEYS[scene]), Part(second, caller))
    assert_one_journey(calls[scene])
    assert len(users_joined(calls[scene])) == 2


@pytest.mark.parametrize(
    ("scene", "user", "never"), [("never by phone", "201", "221"), ("never by code", "233", "222")]
)
def test_recording_ends_with_the_transfer_to_who_is_never_recorded(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str, never: str
) -> None:
    assert_segments(stage, calls[scene], Part(user, f"caller of {user}", keys=KEYS[scene]))
    assert_one_journey(calls[scene])
    assert len(users_joined(calls[scene])) == 2
    stage.assert_nowhere(never)


@pytest.mark.parametrize(("scene", "user"), [("outside by phone", "237"), ("outside by code", "238")])
def test_recording_ends_with_the_transfer_to_outside(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str
) -> None:
    assert_segments(stage, calls[scene], Part(user, f"caller of {user}", keys=KEYS[scene]))
    assert_one_journey(calls[scene])
    assert len(users_joined(calls[scene])) == 1
    assert calls[scene].gaps == ()


@pytest.mark.parametrize(
    ("scene", "user", "other"), [("toggle by phone", "211", "212"), ("toggle by code", "231", "232")]
)
def test_the_new_user_has_the_star_code(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str, other: str
) -> None:
    assert_segments(stage, calls[scene], Part(other, f"caller of {user}"))
    stage.assert_nowhere(user)


def test_whom_a_user_called_can_be_passed_on_too(calls: Played[CallDetail], stage: Stage) -> None:
    assert_segments(stage, calls["outgoing"], Part("239", "world"), Part("203", "world"))
    assert_one_journey(calls["outgoing"])


def test_an_outsider_cannot_transfer(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["outsider"].recordings == ()
    assert len(users_joined(calls["outsider"])) == 1
    stage.assert_nowhere("223", "caller of 223")


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["user by phone"]
    stage.assert_nothing_left()
