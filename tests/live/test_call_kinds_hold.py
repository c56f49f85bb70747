"""Hold, with music: it closes the segment, whoever holds; the music is in no recording."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from kinds import TALK_S, Part, assert_one_journey, assert_segments, called, closed, recorded
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.listening import heard_anywhere
from pbx_plugin.sandbox.site_extras import MUSIC

CODE = "*4"


def held(stage: Stage, user: str, who: str, times: int = 1) -> CallDetail:
    """An outside caller's call is held, by the user or by the caller, and taken back."""
    call = called(stage, user)
    holder = call.user if who == "user" else call.caller
    for nth in range(1, times + 1):
        recorded(stage, call.number, user, nth)
        talk(TALK_S)
        holder.hold()
        closed(stage, call.number, user, nth)
        talk(2.5)
        holder.unhold()
    recorded(stage, call.number, user, times + 1)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


def inside(stage: Stage) -> CallDetail:
    """Two users who are always recorded; the called one holds."""
    phone = stage.phone("202")
    phone.disregard_incoming()
    mine = stage.phone("201").dial("202")
    theirs = phone.wait_incoming()
    theirs.wait("CONFIRMED")
    recorded(stage, "201", "202")
    talk(TALK_S)
    theirs.hold()
    closed(stage, "201", "202")
    talk(2.5)
    theirs.unhold()
    recorded(stage, "201", "202", 2)
    talk(TALK_S)
    hang_up(mine)
    return stage.settled("201")


def hung_up_on_hold(stage: Stage) -> CallDetail:
    """The caller gives up while on hold."""
    call = called(stage, "203")
    recorded(stage, call.number, "203")
    talk(TALK_S)
    call.user.hold()
    closed(stage, call.number, "203")
    talk(1.5)
    hang_up(call.caller)
    return stage.settled(call.number)


def pressed(stage: Stage) -> CallDetail:
    """A user on demand switches on, holds, takes back: what was switched on stays on."""
    call = called(stage, "211")
    stage.decided(call.number, "211")
    call.user.dtmf(CODE)
    recorded(stage, call.number, "211")
    talk(TALK_S)
    call.user.hold()
    closed(stage, call.number, "211")
    talk(1.5)
    call.user.unhold()
    recorded(stage, call.number, "211", 2)
    talk(TALK_S)
    hang_up(call.caller)
    return stage.settled(call.number)


SCENES: dict[str, Callable[[Stage], CallDetail]] = {
    "by the user": partial(held, user="233", who="user", times=2),
    "by the caller": partial(held, user="237", who="caller"),
    "inside": inside,
    "hung up": hung_up_on_hold,
    "pressed": pressed,
}


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    for extension in ("201", "202", "203", "211", "233", "237"):
        stage.phone(extension)
    for extension in ("203", "211", "233", "237"):
        stage.outside(f"caller of {extension}")
    stage.from_now()
    return Played({name: partial(scene, stage) for name, scene in SCENES.items()})


@pytest.mark.parametrize(
    ("scene", "user", "segments"),
    [("by the user", "233", 3), ("by the caller", "237", 2), ("pressed", "211", 2), ("hung up", "203", 1)],
)
def test_each_stretch_of_talk_is_a_segment(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str, segments: int
) -> None:
    call = calls[scene]
    assert_segments(stage, call, *[Part(user, f"caller of {user}")] * segments)
    assert_one_journey(call)
    assert [recording.close_reason for recording in call.recordings[:-1]] == ["hold"] * (segments - 1)
    holds = [step.what for step in call.timeline if step.what in ("hold", "unhold")]
    assert holds[:2] == (["hold", "unhold"] if segments > 1 else ["hold"])


def test_between_two_users_both_recordings_pause(calls: Played[CallDetail], stage: Stage) -> None:
    pair = Part("201", "202"), Part("202", "201")
    assert_segments(stage, calls["inside"], *pair, *pair)
    assert [recording.segment for recording in calls["inside"].recordings] == [1, 1, 2, 2]


def test_music_is_in_no_recording(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["by the user"].recordings
    assert stage.heard_by("caller of 233", MUSIC)
    assert heard_anywhere(stage.site.archive, MUSIC) == []


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["inside"]
    stage.assert_nothing_left()
