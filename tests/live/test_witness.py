"""The recorder is dead while calls go on: Asterisk's own event log tells it afterwards who talked, and until when.

With the witness a recording ends where somebody came who may not be recorded, and goes to its end where nobody did.
Without it nothing is kept behind the moment when the recorder last heard Asterisk.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from kinds import Part, assert_heard, called, recorded
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.clock import now
from pbx_plugin.db.views import CallDetail, RecordingView
from pbx_plugin.domain.capacity import AWAY
from pbx_plugin.domain.losses import UNWATCHED

NEAR = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> None:
    stage.from_now()


@contextmanager
def dead_recorder(stage: Stage) -> Iterator[datetime]:
    """The recorder is killed, and started again in the end; yields when."""
    stage.site.recorder.kill()
    try:
        yield now()
        time.sleep(0.5)  # the last word of a call is on its way to Asterisk
    finally:
        stage.site.recorder.start()
        stage.site.recorder.wait_ready()


@contextmanager
def no_witness(stage: Stage) -> Iterator[None]:
    """Asterisk writes no channel events."""
    folder = stage.site.settings.paths.witness.parent
    away = folder.with_name("witness-away")
    shutil.move(folder, away)
    folder.write_text("no folder")
    try:
        yield
    finally:
        folder.unlink()
        shutil.move(away, folder)


def settled(stage: Stage, number: str) -> CallDetail:
    """The call when all of it is told and stored; a recorder that has just begun takes its time on a busy machine."""

    def look() -> CallDetail | None:
        found = stage.call(number)
        if found is None or found.call.ended_at is None:
            return None
        return found if all(one.state in ("stored", "failed", "erased") for one in found.recordings) else None

    return wait_for(look, f"the call of {number} to be over and its recordings stored", 90.0)


def only_recording(call: CallDetail) -> RecordingView:
    (recording,) = call.recordings
    assert recording.state == "stored", recording.fail_reason
    return recording


def test_a_transfer_to_somebody_who_is_never_recorded_ends_the_recording_although_all_have_hung_up(
    stage: Stage,
) -> None:
    stage.phone("221")
    talking = called(stage, "201", "sent on to 221")
    recorded(stage, talking.number, "201")
    talk(2.5)
    with dead_recorder(stage):
        talk(2)
        sent_at = now()
        talking.user.transfer("221")
        talk(3)
        hang_up(talking.caller)
        left_at = now()
    call = settled(stage, talking.number)
    recording = only_recording(call)
    assert recording.closed_at is not None
    assert abs(recording.closed_at - sent_at) < NEAR
    assert_heard(stage, recording, 0, "201", Part("201", talking.name))
    assert_heard(stage, recording, 1, talking.name, Part("201", talking.name))
    stage.assert_nothing_left()
    stage.assert_nowhere("221")
    assert call.call.ended_at is not None
    assert abs(call.call.ended_at - left_at) < NEAR
    verdicts = [(one.facts["user"]["extension"], one.verdict) for one in call.decisions]
    assert verdicts == [("201", "record"), ("221", "never")]
    assert call.gaps == ()


def test_calls_that_begin_and_end_while_the_recorder_is_dead_are_decided_and_told_as_gaps(stage: Stage) -> None:
    with dead_recorder(stage):
        first = called(stage, "202", "missed")
        talk(1.5)
        hang_up(first.caller)
        second = called(stage, "222", "of no interest")
        talk(1.5)
        hang_up(second.caller)
    call = settled(stage, first.number)
    assert [(one.verdict, one.rule) for one in call.decisions] == [("record", 10)]
    (gap,) = call.gaps
    assert (gap.user_id, gap.reason) == (call.decisions[0].facts["user"]["id"], AWAY)
    assert gap.until is not None
    assert timedelta(seconds=1) < gap.until - gap.since < timedelta(seconds=4)
    other = settled(stage, second.number)
    assert [one.verdict for one in other.decisions] == ["never"]
    assert other.gaps == ()
    assert call.recordings == other.recordings == ()


def test_a_refusal_and_a_withdrawal_hold_although_the_recorder_was_dead(stage: Stage) -> None:
    talking = called(stage, "201", "takes it back")
    recorded(stage, talking.number, "201")
    talk(2.5)
    with dead_recorder(stage):
        talk(1)
        withdrawn_at = now()
        talking.user.dtmf("*6")
        talk(2)
        hang_up(talking.caller)
    call = settled(stage, talking.number)
    (recording,) = call.recordings
    assert recording.closed_at is not None
    assert abs(recording.closed_at - withdrawn_at) < timedelta(seconds=2)
    assert call.gaps == ()
    assert [mark.consent for mark in call.marks][-1] == "withdrawn"


def test_a_call_that_just_ends_is_kept_whole_and_the_next_recording_goes_on(stage: Stage) -> None:
    talking = called(stage, "203", "just ends")
    recorded(stage, talking.number, "203")
    talk(2)
    with dead_recorder(stage):
        talk(4)
        hang_up(talking.caller)
        left_at = now()
    call = settled(stage, talking.number)
    recording = only_recording(call)
    assert recording.closed_at is not None
    assert abs(recording.closed_at - left_at) < NEAR
    assert recording.in_at is not None
    assert recording.length_ms > (left_at - recording.in_at - NEAR) / timedelta(milliseconds=1)
    assert_heard(stage, recording, 1, talking.name, Part("203", talking.name))
    assert call.gaps == ()


def test_a_conversation_that_begins_while_the_recorder_is_dead_is_recorded_from_its_start_and_missing_before(
    stage: Stage,
) -> None:
    with dead_recorder(stage):
        talking = called(stage, "202", "goes on")
        talk(2)
    recorded(stage, talking.number, "202")
    talk(2)
    hang_up(talking.caller)
    call = settled(stage, talking.number)
    recording = only_recording(call)
    (gap,) = call.gaps
    assert gap.reason == AWAY
    assert gap.until is not None
    assert gap.since < gap.until <= recording.at + timedelta(milliseconds=1)


def test_without_a_witness_nothing_is_kept_after_the_recorder_last_heard_asterisk(stage: Stage) -> None:
    talking = called(stage, "203", "unwatched")
    recorded(stage, talking.number, "203")
    with no_witness(stage):
        talk(8)  # Asterisk is heard of every five seconds at least: there is sound before the last time
        with dead_recorder(stage) as died_at:
            talk(4)
            hang_up(talking.caller)
        call = settled(stage, talking.number)
    recording = only_recording(call)
    assert recording.closed_at is not None
    assert died_at - timedelta(seconds=7) < recording.closed_at <= died_at
    assert recording.in_at is not None
    assert recording.in_at + timedelta(milliseconds=recording.length_ms) <= recording.closed_at + timedelta(seconds=0.1)
    (gap,) = call.gaps
    assert (gap.since, gap.reason) == (recording.closed_at, UNWATCHED)
    stage.assert_nothing_left()


def test_without_a_witness_a_call_that_lives_with_the_same_people_is_kept(stage: Stage) -> None:
    talking = called(stage, "201", "same people")
    recorded(stage, talking.number, "201")
    with no_witness(stage):
        talk(2)
        with dead_recorder(stage):
            talk(2)
        talk(2)
        hang_up(talking.caller)
        call = settled(stage, talking.number)
    assert only_recording(call).length_ms > 6000
    assert call.gaps == ()


def test_a_file_that_was_stored_and_not_removed_goes_at_the_next_start(stage: Stage) -> None:
    talking = called(stage, "202", "left behind")
    media = recorded(stage, talking.number, "202").media_id
    talk(2)
    spool = stage.site.spool / "pbxrec"
    kept = {path: path.read_bytes() for path in spool.rglob(f"{media}-*.wav")}
    assert len(kept) == 2
    hang_up(talking.caller)
    settled(stage, talking.number)
    stage.assert_nothing_left()
    stage.site.recorder.kill()
    for path, sound in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    wait_for(lambda: not list(spool.rglob("*.wav")), "the spool to be tidied", 10.0)
