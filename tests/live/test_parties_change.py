"""Other people come to a call, seen or unseen by the recorder: nobody is recorded on the strength of somebody else."""

from __future__ import annotations

import pytest
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.sandbox.site_people import ddi_of


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> None:
    stage.from_now()


def test_whoever_picks_a_call_up_is_judged_by_their_own_mode(stage: Stage) -> None:
    stage.phone("201", answers=False)
    stage.phone("222")
    caller = stage.outside("picked-up caller")
    leg = caller.dial(ddi_of("201"))

    def ringing() -> str | None:
        rows = [row.split("!") for row in stage.site.asterisk.rx("core show channels concise").splitlines()]
        return next((row[0] for row in rows if row[0].startswith("PJSIP/201-") and row[4] == "Ringing"), None)

    name = wait_for(ringing, "the phone of 201 to ring", 10.0)
    stage.site.asterisk.rx(f"channel originate PJSIP/222 application PickupChan {name}")
    leg.wait("CONFIRMED")
    decision = stage.decided(caller.config.caller, "222")
    assert (decision.verdict, decision.rule) == ("never", 5)
    talk(3)
    hang_up(leg)
    assert stage.settled(caller.config.caller).recordings == ()
    stage.assert_nowhere("222", "picked-up caller")
    stage.assert_nothing_left()


def test_what_was_said_to_somebody_else_while_the_recorder_was_dead_is_not_kept(stage: Stage) -> None:
    user = stage.phone("203", answers=False)
    stage.phone("223")
    caller = stage.outside("transferred caller")
    leg = caller.dial(ddi_of("203"))
    mine = user.wait_incoming()
    mine.answer()
    leg.wait("CONFIRMED")
    stage.recording_now(caller.config.caller)
    talk(7)
    stage.site.recorder.kill()
    mine.transfer("223")
    mine.wait_ended()
    talk(4)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    assert stage.decided(caller.config.caller, "223").verdict == "never"
    talk(1)
    hang_up(leg)
    (recording,) = stage.settled(caller.config.caller).recordings
    assert recording.state == "stored"
    stage.assert_nowhere("223")
    stage.assert_sides(recording, "203", "transferred caller")
    stage.assert_nothing_left()


def test_a_call_whose_announcement_a_restart_broke_off_is_recorded_after_all(stage: Stage) -> None:
    stage.phone("202")
    caller = stage.outside("twice told caller")
    leg = caller.dial(ddi_of("202"))
    leg.wait("CONFIRMED")
    stage.decided(caller.config.caller, "202")
    stage.site.recorder.kill()
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    stage.recording_now(caller.config.caller)
    talk(2)
    hang_up(leg)
    (recording,) = stage.settled(caller.config.caller).recordings
    stage.assert_sides(recording, "202", "twice told caller")
    stage.assert_nothing_left()
