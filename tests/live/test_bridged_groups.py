"""Hunt groups that we bridge ourselves: who is rung, who answers, what is recorded, and what happens without us."""

from __future__ import annotations

import pytest
from stage import Stage, hang_up, talk

from pbx_plugin.sandbox.site_people import ddi_of


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> None:
    stage.from_now()


def test_all_ring_and_the_call_of_the_first_to_answer_is_recorded_on_both_sides(stage: Stage) -> None:
    first, second = stage.phone("241", answers=False), stage.phone("242", answers=False)
    caller = stage.outside("caller of all")
    leg = caller.dial(ddi_of("606"))
    rings, loses = first.wait_incoming(), second.wait_incoming()
    assert rings.caller == loses.caller == caller.config.caller
    rings.answer()
    leg.wait("CONFIRMED")
    loses.wait_ended()
    recording = stage.recording_now(caller.config.caller)
    talk(3)
    hang_up(rings)
    leg.wait_ended(2)
    (recording,) = stage.settled(caller.config.caller).recordings
    assert recording.extension == "241"
    assert recording.length_ms > 2500
    stage.assert_sides(recording, "241", "caller of all")
    stage.assert_nothing_left()
