"""Calls that are picked up, parked and taken back, met in a conference, or go through Local channels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from kinds import TALK_S, Part, assert_one_journey, assert_segments, called, closed, ready, recorded, users_joined
from scenes import Played
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.listening import heard_anywhere
from pbx_plugin.sandbox.site_extras import (
    CONFERENCE,
    FOLLOW_ME,
    FOLLOW_ME_WHOLE,
    LOCAL_MEMBER,
    LOCAL_QUEUE,
    MUSIC,
    PARK,
    PARK_CODE,
    PARKED,
    PICKUP,
)
from pbx_plugin.sandbox.site_people import ddi_of

CODE = "*4"
Scenes = dict[str, Callable[[Stage], CallDetail]]


def picked_up(stage: Stage, ringing: str, picker: str, *, dialled: str = "", press: bool = False) -> CallDetail:
    """One user's phone rings, another user takes the call."""
    phone = ready(stage, ringing, answers=False)
    outside = stage.outside(f"caller of {ringing}")
    leg = outside.dial(ddi_of(ringing))
    phone.wait_incoming().wait("EARLY")
    talk(0.5)
    mine = stage.phone(picker).dial(dialled or PICKUP + ringing)
    mine.wait("CONFIRMED")
    leg.wait("CONFIRMED")
    verdict = stage.decided(outside.config.caller, picker).verdict
    if press:
        assert verdict == "armed"
        mine.dtmf(CODE)
        verdict = "record"
    if verdict == "record":
        recorded(stage, outside.config.caller, picker)
    talk(TALK_S)
    hang_up(leg)
    return stage.settled(outside.config.caller)


def parked(stage: Stage, way: str, user: str, taker: str) -> CallDetail:
    """A recorded caller is parked, hears music, and is taken back by a colleague."""
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    if way == "phone":
        call.user.transfer(PARK)
    else:
        call.user.dtmf(PARK_CODE)
    closed(stage, call.number, user)
    talk(3.0)
    mine = stage.phone(taker).dial(PARKED)
    mine.wait("CONFIRMED")
    if stage.decided(call.number, taker).verdict == "armed":
        mine.dtmf(CODE)
    recorded(stage, call.number, taker)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def in_conference(stage: Stage) -> CallDetail:
    """A caller is sent into a conference; there a user who is always recorded comes, then one who never is."""
    call = called(stage, "203")
    recorded(stage, call.number, "203")
    talk(TALK_S)
    call.user.transfer(CONFERENCE)
    closed(stage, call.number, "203")
    mine = stage.phone("239").dial(CONFERENCE)
    mine.wait("CONFIRMED")
    recorded(stage, call.number, "239")
    talk(TALK_S)
    other = stage.phone("221").dial(CONFERENCE)
    other.wait("CONFIRMED")
    recorded(stage, call.number, "239", 2)
    talk(TALK_S)
    hang_up(mine)
    talk(1.5)
    hang_up(other, call.caller)
    return stage.settled(call.number)


def through_local(stage: Stage, user: str, number: str, answering: str, silent: str = "") -> CallDetail:
    """A caller is passed on to a number behind which phones are rung by Local channels."""
    if silent:
        ready(stage, silent, answers=False)
    target = ready(stage, answering)
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    call.user.transfer(number)
    target.wait_incoming().wait("CONFIRMED")
    recorded(stage, call.number, answering)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def to_oneself(stage: Stage) -> CallDetail:
    """A user who is always recorded dials their own number and answers."""
    mine = ready(stage, "238").dial("238")
    mine.wait("CONFIRMED")
    recorded(stage, "238", "238")
    talk(TALK_S)
    hang_up(mine)
    return stage.settled("238")


ROUNDS: tuple[Scenes, ...] = (
    {
        "picked up": partial(picked_up, ringing="201", picker="202"),
        "parked by phone": partial(parked, way="phone", user="233", taker="234"),
        "conference": in_conference,
        "oneself": to_oneself,
    },
    {
        "picked up by never": partial(picked_up, ringing="237", picker="222"),
        "parked by code": partial(parked, way="code", user="233", taker="212"),
        "follow-me": partial(through_local, user="239", number=FOLLOW_ME, answering="202", silent="201"),
        "queue by Local": partial(through_local, user="234", number=LOCAL_QUEUE, answering=LOCAL_MEMBER),
    },
    {
        "picked up and pressed": partial(picked_up, ringing="237", picker="211", press=True),
        "follow-me, kept whole": partial(
            through_local, user="239", number=FOLLOW_ME_WHOLE, answering="201", silent="202"
        ),
    },
    {"picked up from the group": partial(picked_up, ringing="233", picker="202", dialled=PICKUP)},
)
PEOPLE = ("201", "202", "203", "211", "212", "221", "222", "233", "234", "237", "238", "239")


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    for extension in PEOPLE:
        stage.phone(extension)
    for extension in ("201", "203", "233", "234", "237", "239"):
        stage.outside(f"caller of {extension}")
    played: Played[CallDetail] = Played({})
    for scenes in ROUNDS:
        stage.from_now()
        played = played.joined(Played({name: partial(scene, stage) for name, scene in scenes.items()}))
    return played


@pytest.mark.parametrize(
    ("scene", "ringing", "picker"),
    [
        ("picked up", "201", "202"),
        ("picked up and pressed", "237", "211"),
        ("picked up from the group", "233", "202"),
    ],
)
def test_who_picks_up_is_recorded_as_who_they_are(
    calls: Played[CallDetail], stage: Stage, scene: str, ringing: str, picker: str
) -> None:
    call = calls[scene]
    assert_segments(stage, call, Part(picker, f"caller of {ringing}"))
    assert_one_journey(call)
    assert {d.facts["user"]["extension"] for d in call.decisions} == {picker}


def test_who_is_never_recorded_is_not_when_they_pick_up(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["picked up by never"]
    assert call.recordings == ()
    assert [(d.verdict, d.rule) for d in call.decisions] == [("never", 5)]
    stage.assert_nowhere("222")


@pytest.mark.parametrize(("scene", "taker", "keys"), [("parked by phone", "234", 0.0), ("parked by code", "212", 1.0)])
def test_parking_closes_the_segment_and_taking_back_opens_the_takers(
    calls: Played[CallDetail], stage: Stage, scene: str, taker: str, keys: float
) -> None:
    call = calls[scene]
    assert_segments(stage, call, Part("233", "caller of 233", keys=keys), Part(taker, "caller of 233"))
    assert_one_journey(call)
    assert len(users_joined(call)) == 2


def test_in_a_conference_each_change_of_parties_is_a_segment(calls: Played[CallDetail], stage: Stage) -> None:
    call, caller = calls["conference"], "caller of 203"
    assert_segments(
        stage,
        call,
        Part("203", caller),
        Part("239", caller, after=0.75),
        Part("239", caller, after=0.75, third=("221",)),
    )
    assert_one_journey(call)


@pytest.mark.parametrize(
    ("scene", "user", "answering"),
    [
        ("follow-me", "239", "202"),
        ("follow-me, kept whole", "239", "201"),
        ("queue by Local", "234", LOCAL_MEMBER),
    ],
)
def test_whoever_answers_behind_a_local_channel_is_the_one(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str, answering: str
) -> None:
    call, caller = calls[scene], f"caller of {user}"
    assert_segments(stage, call, Part(user, caller), Part(answering, caller))
    assert_one_journey(call)
    assert {d.facts["user"]["extension"] for d in call.decisions} == {user, answering}


def test_a_call_to_oneself_is_one_recording(calls: Played[CallDetail], stage: Stage) -> None:
    assert_segments(stage, calls["oneself"], Part("238", "238"))


def test_music_is_in_no_recording(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["parked by phone"].recordings
    assert stage.heard_by("caller of 233", MUSIC)
    assert heard_anywhere(stage.site.archive, MUSIC) == []


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["picked up"]
    stage.assert_nothing_left()

    def only_the_parking_lot() -> bool:
        rows = [row for row in stage.site.asterisk.rx("bridge show all").splitlines()[1:] if row.strip()]
        return all("holding_bridge" in row for row in rows)

    wait_for(only_the_parking_lot, "all bridges but the parking lot's own to be gone", 5.0)
