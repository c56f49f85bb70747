"""Users on demand press *4: called, calling, refused; nothing of the time in between is in any file."""

from __future__ import annotations

import itertools
from datetime import datetime
from functools import partial

import pytest
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail, RecordingView
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site_people import ddi_of

CODE = "*4"


def called_user(stage: Stage) -> CallDetail:
    """On, off, on, by a user who was called from outside."""
    user = stage.phone("211", answers=False)
    caller = stage.outside("toggle caller")
    number = caller.config.caller
    leg = caller.dial(ddi_of("211"))
    mine = user.wait_incoming()
    mine.answer()
    return on_off_on(stage, number, "211", mine, leg)


def calling_user(stage: Stage) -> CallDetail:
    """On, off, on, by a user who called out."""
    stage.world()
    number = stage.fresh_number()
    mine = stage.phone("212").dial(number)
    mine.wait("CONFIRMED")
    return on_off_on(stage, number, "212", mine, mine)


def on_off_on(stage: Stage, number: str, user: str, presser: Leg, caller: Leg) -> CallDetail:
    presser.wait("CONFIRMED")
    stage.decided(number, user)
    presser.dtmf(CODE)
    stage.recording_now(number, 1)
    talk(3)
    presser.dtmf(CODE)
    talk(3)
    presser.dtmf(CODE)
    stage.recording_now(number, 2)
    talk(3)
    hang_up(caller)
    return stage.settled(number)


def by_info(stage: Stage) -> CallDetail:
    """An internal call; the calling user's phone sends its keys as SIP INFO."""
    stage.phone("229")
    mine = stage.phone("213").dial("229")
    mine.wait("CONFIRMED")
    stage.decided("213", "213")
    mine.dtmf(CODE, "info")
    stage.recording_now("213")
    talk(3)
    hang_up(mine)
    return stage.settled("213")


def outside_caller(stage: Stage) -> CallDetail:
    """The outside caller presses the code: it is theirs to press and nobody's to obey."""
    stage.phone("211")
    caller = stage.outside("curious caller")
    leg = caller.dial(ddi_of("211"))
    leg.wait("CONFIRMED")
    stage.decided(caller.config.caller, "211")
    leg.dtmf(CODE)
    talk(3)
    hang_up(leg)
    return stage.settled(caller.config.caller)


def refused_user(stage: Stage) -> CallDetail:
    """A user in mode never presses the code."""
    user = stage.phone("221", answers=False)
    caller = stage.outside("caller of never")
    leg = caller.dial(ddi_of("221"))
    mine = user.wait_incoming()
    mine.answer()
    stage.decided(caller.config.caller, "221")
    mine.dtmf(CODE)
    talk(3)
    hang_up(leg)
    return stage.settled(caller.config.caller)


SCENES = {
    "called": called_user,
    "calling": calling_user,
    "info": by_info,
    "outside": outside_caller,
    "refused": refused_user,
}


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    stage.world()
    for extension in ("211", "212", "213", "221", "229"):
        stage.phone(extension)
    for name in ("toggle caller", "curious caller", "caller of never"):
        stage.outside(name)
    first = Played({name: partial(SCENES[name], stage) for name in ("called", "calling", "info", "refused")})
    second = Played({"outside": partial(outside_caller, stage)})
    return first.joined(second)


@pytest.mark.parametrize(("scene", "user", "other"), [("called", "211", "toggle caller"), ("calling", "212", "world")])
def test_on_off_on_makes_two_recordings_with_both_voices(
    calls: Played[CallDetail], stage: Stage, scene: str, user: str, other: str
) -> None:
    call = calls[scene]
    assert [recording.state for recording in call.recordings] == ["stored", "stored"]
    for recording in call.recordings:
        assert recording.length_ms > 2000
        stage.assert_sides(recording, user, other, keys_s=0.75)


@pytest.mark.parametrize("scene", ["called", "calling"])
def test_the_time_in_between_belongs_to_no_recording(calls: Played[CallDetail], scene: str) -> None:
    call = calls[scene]
    presses = [step.at for step in call.timeline if step.what == "toggle"]
    assert len(presses) == 3
    for recording in call.recordings:
        assert recording.closed_at is not None
        wall_ms = (recording.closed_at - began(recording)).total_seconds() * 1000
        assert recording.length_ms <= wall_ms + 1
    first, second = call.recordings
    assert first.closed_at is not None
    assert first.closed_at <= presses[1]
    assert began(second) >= presses[2]


def began(recording: RecordingView) -> datetime:
    """When the first of the two sides began: either may be the first."""
    assert recording.in_at is not None
    assert recording.out_at is not None
    return min(recording.in_at, recording.out_at)


@pytest.mark.parametrize("scene", ["called", "calling"])
def test_the_outside_party_is_told_once_before_the_first_recording(calls: Played[CallDetail], scene: str) -> None:
    told = [step for step in calls[scene].timeline if step.what == "announcement" and "end" in step.detail]
    (heard,) = told
    began = calls[scene].recordings[0].in_at
    assert began is not None
    assert heard.at <= began


@pytest.mark.parametrize("scene", ["called", "calling"])
def test_every_switch_is_a_decision_with_its_reason(calls: Played[CallDetail], scene: str) -> None:
    verdicts = [key for key, _ in itertools.groupby(decision.verdict for decision in calls[scene].decisions)]
    assert verdicts == ["armed", "record", "armed", "record"]


def test_keys_sent_as_sip_info_work_as_well(calls: Played[CallDetail], stage: Stage) -> None:
    (recording,) = calls["info"].recordings
    stage.assert_sides(recording, "213", "229")


def test_an_outside_party_cannot_switch(calls: Played[CallDetail]) -> None:
    assert calls["outside"].recordings == ()
    assert not [step for step in calls["outside"].timeline if step.what == "toggle"]


def test_a_user_who_may_not_hears_no_and_is_not_recorded(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["refused"]
    assert [step.detail.split(":")[0] for step in call.timeline if step.what == "toggle"] == ["denied"]
    assert call.recordings == ()
    stage.assert_nowhere("221", "caller of never")


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["called"]
    stage.assert_nothing_left()
