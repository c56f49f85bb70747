"""The consent service is away, the recorder dies, the database is locked: calls go on, and consent is never guessed."""

from __future__ import annotations

import sqlite3
import time

import pytest
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.sandbox.listening import read_audio
from pbx_plugin.sandbox.site_people import ddi_of

LOCKED_S = 10.0


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> None:
    stage.from_now()


@pytest.mark.parametrize(("number", "agent", "rule"), [("703", "239", 4), ("701", "233", 3)])
def test_consent_service_away_means_not_asked_and_not_recorded(
    stage: Stage, number: str, agent: str, rule: int
) -> None:
    stage.phone(agent)
    caller = stage.outside(f"unasked {number}")
    stage.site.agi.stop()
    try:
        leg = caller.dial(ddi_of(number))
        leg.wait("CONFIRMED")
        decision = stage.decided(caller.config.caller, agent)
        talk(3)
        hang_up(leg)
    finally:
        stage.site.agi.start()
        stage.site.agi.wait_ready()
    assert (decision.verdict, decision.rule) == ("never", rule)
    call = stage.settled(caller.config.caller)
    assert call.recordings == ()
    assert call.consents == ()
    stage.assert_nowhere(f"unasked {number}")


def test_a_killed_and_restarted_recorder_goes_on_with_the_same_recording(stage: Stage) -> None:
    stage.phone("229")
    leg = stage.phone("201").dial("229")
    leg.wait("CONFIRMED")
    stage.recording_now("201")
    talk(3)
    stage.site.recorder.kill()
    talk(2)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    talk(3)
    leg.still_up(0.1)
    hang_up(leg)
    (recording,) = stage.settled("201").recordings
    assert recording.state == "stored"
    assert recording.length_ms > 8000
    stage.assert_sides(recording, "201", "229")
    stage.assert_nothing_left()


def test_a_call_that_ends_while_the_recorder_is_dead_is_stored_at_its_next_start(stage: Stage) -> None:
    stage.phone("229")
    leg = stage.phone("202").dial("229")
    leg.wait("CONFIRMED")
    stage.recording_now("202")
    began = time.monotonic()
    talk(3)
    stage.site.recorder.kill()
    talk(1)
    hang_up(leg)
    lasted_ms = (time.monotonic() - began) * 1000
    time.sleep(1)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    (recording,) = stage.settled("202").recordings
    assert recording.state == "stored"
    assert recording.length_ms == pytest.approx(lasted_ms, abs=1500)
    stage.assert_sides(recording, "202", "229")
    stage.assert_nothing_left()


def test_a_call_that_begins_while_the_recorder_is_dead_is_recorded_from_its_start_on(stage: Stage) -> None:
    stage.phone("229")
    stage.site.recorder.kill()
    leg = stage.phone("203").dial("229")
    leg.wait("CONFIRMED")
    talk(2)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    stage.recording_now("203")
    talk(3)
    hang_up(leg)
    (recording,) = stage.settled("203").recordings
    assert recording.length_ms > 2500
    stage.assert_sides(recording, "203", "229")


def test_a_recorder_that_is_told_to_stop_leaves_the_recording_running(stage: Stage) -> None:
    stage.phone("229")
    leg = stage.phone("201").dial("229")
    leg.wait("CONFIRMED")
    before = stage.recording_now("201").media_id
    stage.site.recorder.stop()
    talk(2)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    talk(2)
    hang_up(leg)
    (recording,) = stage.settled("201").recordings
    assert recording.media_id == before
    assert recording.length_ms > 4000


def test_a_locked_database_delays_the_books_and_loses_nothing(stage: Stage) -> None:
    stage.phone("229")
    path = stage.site.settings.database.removeprefix("sqlite:///")
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    locked_at = time.monotonic()
    leg = stage.phone("202").dial("229")
    leg.wait("CONFIRMED")
    spool = stage.site.spool / "pbxrec"
    wait_for(lambda: any(p.stat().st_size > 40_000 for p in spool.rglob("*.wav")), "sound in the spool", 10)
    time.sleep(max(0.0, LOCKED_S - (time.monotonic() - locked_at)))
    hang_up(leg)
    time.sleep(1)
    lock.execute("ROLLBACK")
    lock.close()
    call = stage.settled("202")
    assert [(d.verdict, d.rule) for d in call.decisions if d.facts["user"]["extension"] == "202"] == [("record", 10)]
    (recording,) = call.recordings
    assert recording.state == "stored"
    assert recording.length_ms > 8000
    stage.assert_sides(recording, "202", "229")
    assert recording.in_at is not None
    assert recording.at <= recording.in_at, "the intent came before the first frame"
    assert call.call.ended_at is not None


def test_every_stored_file_is_what_the_books_say(stage: Stage) -> None:
    # Other files of tests let whole file systems vanish: only this file's recordings are looked at.
    stored = [r for r in stage.queries.list_recordings(limit=0, since=stage.set_up_at) if r.state == "stored"]
    assert stored
    for recording in stored:
        audio = read_audio(stage.file(recording))
        assert audio.channels == 2
        assert round(audio.seconds * 1000) == pytest.approx(recording.length_ms, abs=1)
