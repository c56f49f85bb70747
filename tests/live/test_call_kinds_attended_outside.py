"""Transfers to somebody outside, or to somebody who still rings; and a phone that is gone without a word."""

from __future__ import annotations

from functools import partial

import pytest
from kinds import TALK_S, Part, assert_one_journey, assert_segments, called, ready, recorded
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.site_extras import VANISHED_S


def to_outside(stage: Stage, user: str) -> CallDetail:
    """The user asks somebody outside, and joins them to the caller: from then on no user is there."""
    world = stage.world()
    world.disregard_incoming()
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    call.user.hold()
    outside = stage.fresh_number()
    consultation = stage.phone(user).dial(outside)
    consultation.wait("CONFIRMED")
    recorded(stage, outside, user)
    talk(TALK_S)
    call.user.transfer_to(consultation)
    call.user.wait_ended()
    consultation.wait_ended()
    talk(TALK_S + 1)
    assert not call.caller.ended
    assert not world.wait_incoming().ended
    hang_up(call.caller)
    return stage.settled(call.number)


def while_it_rings(stage: Stage, user: str, other: str) -> CallDetail:
    """The user goes before the colleague answers; the colleague finds the caller on the line."""
    target = ready(stage, other, answers=False)
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    call.user.hold()
    consultation = stage.phone(user).dial(other)
    rings = target.wait_incoming()
    consultation.wait("EARLY")
    call.user.transfer_to(consultation)
    call.user.wait_ended()
    talk(1.0)
    assert not rings.ended
    rings.answer()
    recorded(stage, call.number, other)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def vanished(stage: Stage, user: str) -> CallDetail:
    """The phone loses its power. Nobody hangs up: Asterisk hears no packets any more, and ends the call."""
    call = called(stage, user)
    recorded(stage, call.number, user)
    talk(TALK_S)
    stage.kill(user)
    call.caller.wait_ended(VANISHED_S + 10)
    return stage.settled(call.number)


def caller_vanished(stage: Stage, user: str) -> CallDetail:
    """The same on the other side of an internal call: who called is gone."""
    ready(stage, "229")
    leg = stage.phone(user).dial("229")
    leg.wait("CONFIRMED")
    recorded(stage, user, user)
    theirs = stage.phone("229").wait_incoming()
    talk(TALK_S)
    stage.kill(user)
    theirs.wait_ended(VANISHED_S + 10)
    return stage.settled(user)


SCENES = {
    "outside": partial(to_outside, user="201"),
    "ringing": partial(while_it_rings, user="203", other="237"),
    "vanished": partial(vanished, user="234"),
    "caller vanished": partial(caller_vanished, user="233"),
}


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    for extension in ("201", "203", "237", "234", "233", "229"):
        stage.phone(extension)
    stage.world()
    for extension in ("201", "203", "234"):
        stage.outside(f"caller of {extension}")
    stage.from_now()
    return Played({name: partial(scene, stage) for name, scene in SCENES.items()})


def test_recording_ends_where_the_last_user_leaves(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["outside"]
    assert_segments(stage, call, Part("201", "caller of 201"), Part("201", "world"))
    assert call.gaps == ()


def test_who_answers_after_the_transfer_is_recorded_from_then_on(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["ringing"]
    assert_segments(stage, call, Part("203", "caller of 203"), Part("237", "caller of 203"))
    assert_one_journey(call)


@pytest.mark.parametrize(
    ("name", "user", "other"),
    [("vanished", "234", "caller of 234"), ("caller vanished", "233", "229")],
)
def test_a_phone_that_is_gone_ends_its_call_and_the_recording_is_stored(
    calls: Played[CallDetail], stage: Stage, name: str, user: str, other: str
) -> None:
    call = calls[name]
    (recording,) = call.recordings
    assert (recording.extension, recording.state) == (user, "stored")
    assert TALK_S < recording.length_ms / 1000 < VANISHED_S + TALK_S + 10
    assert_segments(stage, call, Part(user, other, keys=recording.length_ms / 1000 - TALK_S - 0.25))
    assert call.gaps == ()


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["vanished"]
    stage.assert_nothing_left()
