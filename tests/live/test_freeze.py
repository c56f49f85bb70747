"""Asterisk stands still for six seconds: the recorder notices that it hears nothing, and comes back by itself."""

from __future__ import annotations

import time

from stage import Stage, hang_up, talk, wait_for

FROZEN_S = 6.0


def test_after_a_freeze_of_asterisk_calls_are_heard_and_recorded_again(stage: Stage) -> None:
    stage.phone("229")
    stage.phone("201")
    asterisk, recorder = stage.site.asterisk, stage.site.recorder
    asterisk.freeze()
    try:
        time.sleep(FROZEN_S)
    finally:
        asterisk.thaw()
    heartbeat = stage.site.settings.recorder
    time.sleep(heartbeat.heartbeat + heartbeat.heartbeat_patience + 1)
    wait_for(lambda: "listening to Asterisk" in recorder.said(), "the recorder to listen", 10)
    stage.from_now()
    leg = stage.phone("201").dial("229")
    leg.wait("CONFIRMED")
    stage.recording_now("201")
    talk(2)
    hang_up(leg)
    (recording,) = stage.settled("201").recordings
    stage.assert_sides(recording, "201", "229")
