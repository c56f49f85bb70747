"""Attended transfers out of our own bridges, and into a group that is still ringing: each part is its users'."""

from __future__ import annotations

import pytest
from bridged import agents, bridged_by_us
from stage import Stage, hang_up, talk

from pbx_plugin.sandbox.site_people import ddi_of


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> None:
    stage.from_now()


def test_a_colleague_takes_the_call_over_after_a_consultation(stage: Stage) -> None:
    (user,) = agents(stage, "241")
    stage.phone("202")
    caller = stage.outside("handed over")
    leg = caller.dial(ddi_of("606"))
    mine = user.wait_incoming()
    mine.answer()
    leg.wait("CONFIRMED")
    stage.recording_now(caller.config.caller)
    talk(2)
    mine.hold()
    consultation = user.dial("202")
    consultation.wait("CONFIRMED")
    talk(2)
    mine.transfer_to(consultation)
    mine.wait_ended(5)
    talk(3)
    leg.still_up(0.1)
    hang_up(leg)
    recordings = stage.settled(caller.config.caller).recordings
    first, last = recordings[0], recordings[-1]
    assert (first.extension, last.extension) == ("241", "202")
    stage.assert_sides(first, "241", "handed over")
    stage.assert_sides(last, "202", "handed over")
    stage.assert_nothing_left()


def test_a_caller_who_is_handed_over_while_the_group_rings_is_answered_there(stage: Stage) -> None:
    (user,) = agents(stage, "241")
    reception = stage.phone("202")
    reception.disregard_incoming()
    caller = stage.outside("sent on")
    leg = caller.dial(ddi_of("202"))
    mine = reception.wait_incoming()
    mine.wait("CONFIRMED")
    leg.wait("CONFIRMED")
    mine.hold()
    ringing = reception.dial("606")
    rings = user.wait_incoming()
    ringing.wait("EARLY")
    mine.transfer_to(ringing)
    mine.wait_ended(5)
    assert not rings.ended, "the same phones ring on"
    rings.answer()
    rings.wait("CONFIRMED")
    talk(5)  # the announcement is heard first
    hang_up(rings)
    leg.wait_ended(2)
    call = stage.settled(caller.config.caller)
    recording = call.recordings[-1]
    assert recording.extension == "241"
    stage.assert_sides(recording, "241", "sent on")
    assert not bridged_by_us(call)  # it began with reception, in a bridge of Asterisk's own
    stage.assert_nothing_left()
