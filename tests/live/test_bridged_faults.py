"""The bridge is away, killed, back; the recorder is killed in a bridged call: calls go on, nobody stays alone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from bridged import agents, bridged_by_us
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.sandbox.site_people import ddi_of

CALLER = "caller of all"
LEFT_ALONE_S = 10.0


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> Iterator[None]:
    stage.from_now()
    yield
    start_bridge(stage)


def start_bridge(stage: Stage) -> None:
    """Start the bridge, unless it runs."""
    if not stage.site.bridge.running:
        stage.site.bridge.start()
        stage.site.bridge.wait_ready()


def test_without_the_bridge_asterisk_rings_the_group_and_the_call_is_recorded(stage: Stage) -> None:
    stage.site.bridge.stop()
    first, second = agents(stage, "241", "242")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    rings = first.wait_incoming()
    second.wait_incoming()
    rings.answer()
    leg.wait("CONFIRMED")
    stage.recording_now(caller.config.caller)
    talk(2)
    hang_up(leg)
    call = stage.settled(caller.config.caller)
    assert not bridged_by_us(call)
    (recording,) = call.recordings
    stage.assert_sides(recording, "241", CALLER)


@pytest.mark.parametrize("leaves", ["caller", "user"])
def test_a_call_goes_on_without_the_bridge_and_nobody_is_left_alone_after_it_is_back(stage: Stage, leaves: str) -> None:
    (first,) = agents(stage, "241")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    rings = first.wait_incoming()
    rings.answer()
    leg.wait("CONFIRMED")
    stage.recording_now(caller.config.caller)
    stage.site.bridge.kill()
    talk(3)
    leg.still_up(0.1)
    goes, stays = (leg, rings) if leaves == "caller" else (rings, leg)
    hang_up(goes)
    talk(1)
    assert not stays.ended, "Asterisk keeps who is left until somebody comes"
    began = time.monotonic()
    start_bridge(stage)
    stays.wait_ended(LEFT_ALONE_S)
    assert time.monotonic() - began < LEFT_ALONE_S
    (recording,) = stage.settled(caller.config.caller).recordings
    assert recording.length_ms > 2500
    stage.assert_sides(recording, "241", CALLER)
    stage.assert_nothing_left()


def test_a_restarted_bridge_goes_on_with_the_call_its_keys_and_its_end(stage: Stage) -> None:
    (first,) = agents(stage, "241")
    leg = stage.outside(CALLER).dial(ddi_of("606"))
    rings = first.wait_incoming()
    rings.answer()
    leg.wait("CONFIRMED")
    stage.site.bridge.kill()
    start_bridge(stage)
    rings.dtmf("7*8")
    leg.wait_digits("7*8")
    hang_up(rings)
    leg.wait_ended(2)
    stage.assert_nothing_left()


def test_a_caller_who_waits_while_the_bridge_is_restarted_is_answered(stage: Stage) -> None:
    first, second = agents(stage, "241", "242")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    rings, other = first.wait_incoming(), second.wait_incoming()
    stage.site.bridge.kill()
    talk(1)
    start_bridge(stage)
    rings.answer()
    leg.wait("CONFIRMED")
    other.wait_ended(2)
    stage.recording_now(caller.config.caller)
    talk(2)
    hang_up(leg)
    rings.wait_ended(2)
    (recording,) = stage.settled(caller.config.caller).recordings
    stage.assert_sides(recording, "241", CALLER)


def test_who_answers_while_the_bridge_is_dead_talks_when_it_is_back(stage: Stage) -> None:
    first, second = agents(stage, "241", "242")
    leg = stage.outside(CALLER).dial(ddi_of("606"))
    rings, other = first.wait_incoming(), second.wait_incoming()
    stage.site.bridge.kill()
    rings.answer()
    talk(1)
    start_bridge(stage)
    leg.wait("CONFIRMED", LEFT_ALONE_S)
    other.wait_ended(2)
    hang_up(leg)
    rings.wait_ended(2)


def test_phones_stop_ringing_for_a_caller_who_hung_up_while_the_bridge_was_dead(stage: Stage) -> None:
    phones = agents(stage, "241", "242")
    leg = stage.outside(CALLER).dial(ddi_of("606"))
    rings = [phone.wait_incoming() for phone in phones]
    stage.site.bridge.kill()
    hang_up(leg)
    start_bridge(stage)
    for one in rings:
        one.wait_ended(LEFT_ALONE_S)
    stage.assert_nothing_left()


def test_the_recorders_death_does_not_touch_a_bridged_call_nor_its_recording(stage: Stage) -> None:
    (first,) = agents(stage, "241")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    rings = first.wait_incoming()
    rings.answer()
    leg.wait("CONFIRMED")
    stage.recording_now(caller.config.caller)
    talk(1)
    stage.site.recorder.kill()
    talk(1)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    talk(2)
    hang_up(rings)
    leg.wait_ended(2)
    (recording,) = stage.settled(caller.config.caller).recordings
    assert recording.state == "stored"
    assert recording.length_ms > 4000
    stage.assert_sides(recording, "241", CALLER)


def test_no_bridge_of_ours_is_left_in_asterisk(stage: Stage) -> None:
    wait_for(lambda: "hunt-" not in stage.site.asterisk.rx("bridge show all"), "our bridges to be gone", 5)
