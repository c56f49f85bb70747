"""Callers on a consent number press 1, 2, a wrong key, nothing, or hang up, through ring groups and queues."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from scenes import Played
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.site_people import ddi_of

TALK_S = 4.0


@dataclass(frozen=True)
class Way:
    """One caller's way: the number, the keys (with a pause before each), who answers, and what must come of it."""

    number: str
    keys: str
    method: str
    agent: str
    outcome: str
    verdict: tuple[str, int]


WAYS = {
    "yes, ring group": Way("701", "1", "rfc4733", "231", "given", ("record", 9)),
    "no, ring group": Way("701", "2", "rfc4733", "233", "refused", ("never", 3)),
    "wrong keys, ring group": Way("701", "999", "rfc4733", "233", "wrong key", ("never", 3)),
    "wrong key then yes, ring group": Way("701", "91", "info", "231", "given", ("record", 9)),
    "silence, ring group": Way("701", "", "rfc4733", "233", "silent", ("never", 3)),
    "yes, queue": Way("702", "1", "info", "235", "given", ("record", 9)),
    "no, queue": Way("702", "2", "info", "237", "refused", ("never", 3)),
    "wrong keys, queue": Way("702", "555", "info", "237", "wrong key", ("never", 3)),
    "silence, queue": Way("702", "", "info", "237", "silent", ("never", 3)),
    "no, then a group without policy": Way("703", "2", "rfc4733", "239", "refused", ("never", 3)),
    "silence, then a group without policy": Way("703", "", "rfc4733", "239", "silent", ("never", 4)),
}
RECORDED = [name for name, way in WAYS.items() if way.verdict[0] == "record"]
NOT_RECORDED = [name for name in WAYS if name not in RECORDED]


def caller_of(stage: Stage, name: str) -> Phone:
    return stage.outside(f"caller {name}")


def go(stage: Stage, name: str) -> CallDetail:
    way = WAYS[name]
    stage.phone(way.agent)
    caller = caller_of(stage, name)
    number = caller.config.caller
    leg = caller.dial(ddi_of(way.number))
    leg.wait("CONFIRMED")
    for key in way.keys:
        talk(2.5)
        leg.dtmf(key, way.method)  # type: ignore[arg-type]
    stage.decided(number, way.agent, 75)
    if way.verdict[0] == "record":
        stage.recording_now(number)
    talk(TALK_S)
    hang_up(leg)
    return stage.settled(number)


def hangs_up_in_the_prompt(stage: Stage, number: str) -> CallDetail:
    caller = stage.outside(f"gone {number}")
    leg = caller.dial(ddi_of(number))
    leg.wait("CONFIRMED")
    talk(1.5)
    hang_up(leg)
    called = caller.config.caller
    wait_for(lambda: bool(stage.settled(called).consents), "the evidence", 10)
    return stage.settled(called)


def dials_the_recorded_group(stage: Stage) -> CallDetail:
    stage.phone("232")
    caller = stage.outside("straight in")
    leg = caller.dial(ddi_of("601"))
    leg.wait("CONFIRMED")
    stage.decided(caller.config.caller, "232")
    talk(TALK_S)
    hang_up(leg)
    stage.gone("232")  # so that it does not answer for the others
    return stage.settled(caller.config.caller)


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    straight_in = dials_the_recorded_group(stage)
    for name, way in WAYS.items():  # a phone that starts makes its neighbours stutter
        stage.phone(way.agent)
        caller_of(stage, name)
    scenes: dict[str, Callable[[], CallDetail]] = {name: partial(go, stage, name) for name in WAYS}
    scenes |= {f"hang-up on {number}": partial(hangs_up_in_the_prompt, stage, number) for number in ("701", "702")}
    scenes["straight in"] = lambda: straight_in
    return Played(scenes)


@pytest.mark.parametrize("name", WAYS)
def test_what_the_caller_pressed_decides(calls: Played[CallDetail], name: str) -> None:
    call, way = calls[name], WAYS[name]
    last = call.decisions[-1]
    assert (last.verdict, last.rule) == way.verdict
    assert last.facts["user"]["extension"] == way.agent


@pytest.mark.parametrize("name", WAYS)
def test_the_evidence_tells_keys_prompt_and_its_hash(calls: Played[CallDetail], stage: Stage, name: str) -> None:
    way = WAYS[name]
    (evidence,) = calls[name].consents
    assert (evidence.outcome, evidence.digits) == (way.outcome, way.keys)
    assert evidence.caller_e164 == caller_of(stage, name).config.caller
    assert evidence.language == ("da" if way.number == "702" else "en")
    played = stage.site.settings.paths.prompts / evidence.language / f"{evidence.prompt}.wav"
    assert hashlib.sha256(played.read_bytes()).hexdigest() == evidence.prompt_sha256
    assert evidence.text_version


@pytest.mark.parametrize("name", RECORDED)
def test_a_consenting_caller_is_recorded_with_the_evidence(calls: Played[CallDetail], stage: Stage, name: str) -> None:
    call = calls[name]
    (recording,) = call.recordings
    assert recording.state == "stored"
    assert recording.evidence_id == call.consents[0].evidence_id
    assert recording.length_ms > (TALK_S - 0.5) * 1000
    stage.assert_sides(recording, WAYS[name].agent, f"caller {name}")


@pytest.mark.parametrize("name", NOT_RECORDED)
def test_not_a_tenth_of_a_second_of_who_did_not_consent_is_on_disk(
    calls: Played[CallDetail], stage: Stage, name: str
) -> None:
    assert calls[name].recordings == ()
    stage.assert_nowhere(f"caller {name}")


@pytest.mark.parametrize("number", ["701", "702"])
def test_hanging_up_during_the_prompt_is_evidence_too(calls: Played[CallDetail], stage: Stage, number: str) -> None:
    call = calls[f"hang-up on {number}"]
    assert [evidence.outcome for evidence in call.consents] == ["hung up"]
    assert call.call.outcome == "not answered"
    assert call.recordings == ()
    stage.assert_nowhere(f"gone {number}")


def test_whoever_dials_the_recorded_group_itself_was_not_asked_and_is_not_recorded(
    calls: Played[CallDetail], stage: Stage
) -> None:
    call = calls["straight in"]
    assert [(d.verdict, d.rule) for d in call.decisions] == [("never", 4)]
    assert call.consents == ()
    stage.assert_nowhere("straight in")


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["yes, queue"]
    stage.assert_nothing_left()
