"""Hunt groups that we bridge ourselves: who is rung when, who is told what, and how waiting ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bridged import USUAL, agents, bridged_by_us, set_group, times_rung
from stage import Stage, hang_up, talk

from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.site_people import ddi_of

CALLER = "caller of all"


@pytest.fixture(autouse=True)
def _only_this_call(stage: Stage) -> None:
    stage.from_now()


@pytest.fixture
def _set_as_usual(stage: Stage) -> Iterator[None]:
    yield
    set_group(stage, USUAL)


def test_all_ring_and_the_call_of_the_first_to_answer_is_recorded_on_both_sides(stage: Stage) -> None:
    first, second = agents(stage, "241", "242")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    rings, loses = first.wait_incoming(), second.wait_incoming()
    assert rings.caller == loses.caller == caller.config.caller
    leg.wait("EARLY")
    rings.answer()
    leg.wait("CONFIRMED")
    loses.wait_ended(2)
    stage.recording_now(caller.config.caller)
    talk(3)
    hang_up(rings)
    leg.wait_ended(2)
    call = stage.settled(caller.config.caller)
    (recording,) = call.recordings
    assert bridged_by_us(call)
    assert recording.extension == "241"
    assert recording.length_ms > 2500
    stage.assert_sides(recording, "241", CALLER)
    stage.assert_nothing_left()


def test_who_was_not_first_is_told_so_and_shows_no_missed_call(stage: Stage, tmp_path: Path) -> None:
    (first,) = agents(stage, "241")
    log = tmp_path / "second.log"
    with Phone.start(
        "243", server=stage.server, register=True, password=stage.site.secrets.phones, log_file=log, log_level=5
    ) as second:
        leg = stage.outside(CALLER).dial(ddi_of("606"))
        rings, loses = first.wait_incoming(), second.wait_incoming()
        rings.answer()
        loses.wait_ended(3)
        (cancel,) = cancels_in(log)
        assert "completed elsewhere" in cancel
        hang_up(leg)
        rings.wait_ended(2)
        missed = stage.outside(CALLER).dial(ddi_of("606"))
        rings = second.wait_incoming()
        hang_up(missed)
        rings.wait_ended(3)
        _, cancel = cancels_in(log)
        assert "elsewhere" not in cancel
    stage.settled(stage.outside(CALLER).config.caller)


def cancels_in(log: Path) -> list[str]:
    """The CANCEL requests that a phone was sent."""
    messages = log.read_text(errors="replace").split("--end msg--")
    return [text[text.index("CANCEL sip:") :] for text in messages if "\nCANCEL sip:" in text and "RX " in text]


def test_a_caller_who_hangs_up_while_it_rings_stops_all_phones(stage: Stage) -> None:
    phones = agents(stage, "241", "242")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    rings = [phone.wait_incoming() for phone in phones]
    hang_up(leg)
    for one in rings:
        one.wait_ended(2)
    assert stage.settled(caller.config.caller).call.outcome == "not answered"
    stage.assert_nothing_left()


@pytest.mark.usefixtures("_set_as_usual")
def test_in_order_the_next_is_rung_when_one_is_busy_or_does_not_answer(stage: Stage) -> None:
    set_group(stage, "--strategy in-order --ring-seconds 3")
    first, second = agents(stage, "241", "242")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    rings = first.wait_incoming()
    before = times_rung(second)
    talk(1.5)
    assert times_rung(second) == before
    rings.hangup(486)
    second.wait_incoming(2).wait_ended(5)  # rang for its three seconds
    rings = first.wait_incoming(8)
    rings.answer()
    leg.wait("CONFIRMED")
    assert stage.decided(caller.config.caller, "241").verdict == "record"
    hang_up(leg)
    rings.wait_ended(2)
    stage.settled(caller.config.caller)


@pytest.mark.usefixtures("_set_as_usual")
def test_calls_are_shared_out_as_the_group_is_set_and_nobody_is_rung_while_wrapping_up(stage: Stage) -> None:
    for strategy in ("round-robin", "least-recent"):
        set_group(stage, f"--strategy {strategy}")
        answered = [who_answers(stage) for _ in range(3)]
        assert set(answered[:2]) == {"241", "242"}, strategy
        assert answered[2] == answered[0], strategy
    set_group(stage, "--strategy in-order --wrap-up-seconds 60")
    phones = agents(stage, "241", "242")
    leg = stage.outside(CALLER).dial(ddi_of("606"))
    leg.wait("EARLY")
    before = [times_rung(phone) for phone in phones]
    talk(2)
    assert [times_rung(phone) for phone in phones] == before, "both are wrapping up"
    set_group(stage, "--wrap-up-seconds 0")
    phones[0].wait_incoming().answer()
    leg.wait("CONFIRMED")
    hang_up(leg)


def who_answers(stage: Stage) -> str:
    """Call the group, whose users all answer at once; return whose call it was."""
    for phone in agents(stage, "241", "242"):
        phone.auto_answer(200)
    stage.from_now()
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    leg.wait("CONFIRMED")
    stage.recording_now(caller.config.caller)
    hang_up(leg)
    (decision,) = {one.facts["user"]["extension"] for one in stage.settled(caller.config.caller).decisions}
    return str(decision)


@pytest.mark.usefixtures("_set_as_usual")
def test_when_nobody_answers_the_caller_is_told_and_is_not_rung_for_once_more(stage: Stage) -> None:
    set_group(stage, "--wait-seconds 3")
    phones = agents(stage, "241", "242")
    leg = stage.outside(CALLER).dial(ddi_of("606"))
    rings = [phone.wait_incoming() for phone in phones]
    before = [times_rung(phone) for phone in phones]
    ended = leg.wait_ended(6)
    assert ended.code == 480
    for one in rings:
        one.wait_ended(2)
    talk(1)
    assert [times_rung(phone) for phone in phones] == before
    stage.assert_nothing_left()


@pytest.mark.usefixtures("_set_as_usual")
def test_when_all_are_busy_to_the_end_the_caller_hears_busy(stage: Stage) -> None:
    set_group(stage, "--wait-seconds 3")
    for phone in agents(stage, "241", "242"):
        phone.auto_refuse(486)
    leg = stage.outside(CALLER).dial(ddi_of("606"))
    assert leg.wait_ended(12).code == 486


@pytest.mark.usefixtures("_set_as_usual")
def test_a_caller_may_hear_music_while_waiting(stage: Stage) -> None:
    set_group(stage, "--music")
    first, _ = agents(stage, "241", "242")
    caller = stage.outside(CALLER)
    leg = caller.dial(ddi_of("606"))
    leg.wait("CONFIRMED")
    rings = first.wait_incoming()
    talk(1)
    assert "MusicOnHold" in stage.site.asterisk.rx("core show channels verbose") or leg.rtp().received > 20
    rings.answer()
    rings.wait("CONFIRMED")
    stage.recording_now(caller.config.caller)
    talk(2)
    hang_up(leg)
    (recording,) = stage.settled(caller.config.caller).recordings
    stage.assert_sides(recording, "241", CALLER)
