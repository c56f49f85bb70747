"""Calls in our own bridges are recorded like any other: consent, star code, transfer; keys reach the other side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from bridged import bridged_by_us, digits_heard
from scenes import Played
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.listening import assert_side
from pbx_plugin.sandbox.site_people import ddi_of

TALK_S = 3.0
PRESS_S = 0.75
"""Pressing a star and a digit takes nearly half a second, in which a phone sends no voice."""


def consents_and_is_switched(stage: Stage) -> CallDetail:
    """Key 1, the group's user answers, and presses the star code twice."""
    user = stage.phone("244", answers=False)
    caller = stage.outside("says yes")
    number = caller.config.caller
    leg = caller.dial(ddi_of("704"))
    leg.wait("CONFIRMED")
    talk(2.5)
    leg.dtmf("1")
    mine = user.wait_incoming(20)
    mine.answer()
    mine.wait("CONFIRMED")
    stage.recording_now(number, 1)
    talk(TALK_S)
    mine.dtmf("*4")
    talk(TALK_S)
    mine.dtmf("*4")
    stage.recording_now(number, 2)
    talk(TALK_S)
    hang_up(leg)
    assert digits_heard(leg) == "", "the other side heard the star code"
    return stage.settled(number)


def refuses(stage: Stage) -> CallDetail:
    """Key 2: another bridged group, whose user is always recorded otherwise."""
    user = stage.phone("245")
    user.disregard_incoming()
    caller = stage.outside("says no")
    leg = caller.dial(ddi_of("704"))
    leg.wait("CONFIRMED")
    talk(2.5)
    leg.dtmf("2")
    mine = user.wait_incoming(20)
    mine.wait("CONFIRMED")
    stage.decided(caller.config.caller, "245")
    mine.dtmf("*4")
    talk(TALK_S)
    hang_up(leg)
    return stage.settled(caller.config.caller)


def keys_and_transfer(stage: Stage) -> CallDetail:
    """Both sides press keys; then the user hands the caller on to a colleague."""
    user, colleague = stage.phone("241"), stage.phone("202")
    colleague.disregard_incoming()
    caller = stage.outside("presses keys")
    number = caller.config.caller
    leg = caller.dial(ddi_of("606"))
    mine = user.wait_incoming()
    mine.wait("CONFIRMED")
    stage.recording_now(number, 1)
    mine.dtmf("12*8#")
    mine.dtmf("*")
    leg.wait_digits("12*8#*")
    leg.dtmf("*478")
    mine.wait_digits("*478")
    mine.dtmf("9", "info")
    leg.wait_digits("9")
    mine.transfer("202")
    mine.wait_ended()
    colleague.wait_incoming().wait("CONFIRMED")
    stage.recording_now(number, 2)
    talk(TALK_S)
    leg.still_up(0.1)
    hang_up(leg)
    return stage.settled(number)


SCENES: dict[str, Callable[[Stage], CallDetail]] = {
    "yes": consents_and_is_switched,
    "no": refuses,
    "keys": keys_and_transfer,
}


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    for extension in ("202", "241", "244", "245"):  # a phone that starts makes its neighbours stutter
        stage.phone(extension)
    for name in ("says yes", "says no", "presses keys"):
        stage.outside(name)
    return Played({name: partial(scene, stage) for name, scene in SCENES.items()})


def test_who_consented_is_recorded_in_the_bridged_group_while_its_user_wants_it(
    calls: Played[CallDetail], stage: Stage
) -> None:
    call = calls["yes"]
    assert bridged_by_us(call)
    assert {(d.verdict, d.rule) for d in call.decisions if d.verdict == "record"} == {("record", 9)}
    assert [recording.state for recording in call.recordings] == ["stored", "stored"]
    for recording in call.recordings:
        assert recording.evidence_id == call.consents[0].evidence_id
        assert recording.length_ms > 2000
        end = recording.length_ms / 1000 - PRESS_S
        assert_side(stage.file(recording), 0, stage.voice("244"), 0.25, end)
        assert_side(stage.file(recording), 1, stage.voice("says yes"), 0.25, end)


def test_the_time_between_two_presses_belongs_to_no_recording(calls: Played[CallDetail]) -> None:
    call = calls["yes"]
    off, on = [step.at for step in call.timeline if step.what == "toggle"]
    first, second = call.recordings
    assert first.closed_at is not None
    assert second.in_at is not None
    assert first.closed_at <= off
    assert second.in_at >= on


def test_not_a_tenth_of_a_second_of_who_refused_is_on_disk(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["no"]
    assert bridged_by_us(call)
    assert [(d.verdict, d.rule) for d in call.decisions] == [("never", 3)]
    assert [step.detail.split(":")[0] for step in call.timeline if step.what == "toggle"] == ["denied"]
    assert call.recordings == ()
    stage.assert_nowhere("says no")


def test_keys_reach_the_other_side_and_a_transferred_call_is_recorded_with_the_next_user(
    calls: Played[CallDetail], stage: Stage
) -> None:
    first, second = calls["keys"].recordings
    assert (first.extension, second.extension) == ("241", "202")
    stage.assert_sides(second, "202", "presses keys")


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["yes"]
    stage.assert_nothing_left()
    wait_for(lambda: "hunt-" not in stage.site.asterisk.rx("bridge show all"), "our bridges to be gone", 5)
