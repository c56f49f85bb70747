"""Consent numbers in several languages that lead anywhere: who hears what, who answers, and what the receipt proves.

The numbers are added to the running site by commands, and taken away afterwards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import Played
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.listening_files import read_audio
from pbx_plugin.sandbox.site_extras import CONFERENCE
from pbx_plugin.sandbox.site_people import ddi_of

TALK_S = 3.0
LANGUAGES = ("--language", "da", "--country", "SE=sv", "--country", "DE=de", "--key", "9=en")
NUMBERS = {
    "711": ("--yes", "queue-recorded", "--no", "user:239", *LANGUAGES),
    "712": ("--yes", "bridged-recorded", "--no", f"dialplan:sandbox-services,{CONFERENCE},1", *LANGUAGES),
    "713": ("--yes", "user:201", "--no", "bridged-unrecorded", "--language", "nl", "--keep-days", "30"),
}


@dataclass(frozen=True)
class Way:
    """A caller, the keys with the seconds before each, the language heard, who answers, and what is decided."""

    caller: str
    number: str
    keys: tuple[tuple[float, str], ...]
    language: str
    agent: str
    outcome: str
    verdict: tuple[str, int]


AFTER_OFFER = 5.5
"""An offer and the wait after it are over, and the question has begun."""

WAYS = {
    "a swede says yes, queue": Way(
        "+46701234567", "711", ((AFTER_OFFER, "1"),), "sv", "235", "given", ("record", 9)
    ),
    "a german says no, user": Way(
        "+4915112345678", "711", ((AFTER_OFFER, "2"),), "de", "239", "refused", ("never", 3)
    ),
    "a dane chooses english, bridged group": Way(
        "+4531299001", "712", ((1.0, "9"), (3.0, "1")), "en", "244", "given", ("record", 9)
    ),
    "a dane says no, dialplan": Way(
        "+4531299002", "712", ((AFTER_OFFER, "2"),), "da", "", "refused", ("", 0)
    ),
    "a dutchman says yes, user": Way(
        "+31201234567", "713", ((3.0, "1"),), "nl", "201", "given", ("record", 10)
    ),
    "a dutchman says no, bridged group": Way(
        "+31201234568", "713", ((3.0, "2"),), "nl", "245", "refused", ("never", 3)
    ),
}  # fmt: skip
RECORDED = [name for name, way in WAYS.items() if way.verdict[0] == "record"]
DECIDED = [name for name, way in WAYS.items() if way.agent]


def command(stage: Stage, *words: str) -> str:
    """Type a command on the running site, as an administrator does."""
    program = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(stage.site.config_path), *words]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def numbers(stage: Stage) -> Iterator[None]:
    """The numbers are there, spoken and in the dialplan."""
    for number, words in NUMBERS.items():
        command(stage, "numbers", "add-consent", number, *words, "--timeout-ms", "3000")
        command(stage, "numbers", "add-ddi", ddi_of(number), "--consent", number)
    command(stage, "prompts", "build")
    command(stage, "dialplan", "install")
    yield
    for number in NUMBERS:
        command(stage, "numbers", "remove", ddi_of(number))
        command(stage, "numbers", "remove", number)
    command(stage, "dialplan", "install")


def go(stage: Stage, name: str) -> CallDetail:
    way = WAYS[name]
    caller = stage.outside(name, number=way.caller)
    leg = caller.dial(ddi_of(way.number))
    leg.wait("CONFIRMED")
    for seconds, key in way.keys:
        talk(seconds)
        leg.dtmf(key)
    if way.agent:
        stage.decided(way.caller, way.agent, 60)
    if way.verdict[0] == "record":
        stage.recording_now(way.caller)
    talk(TALK_S)
    hang_up(leg)
    wait_for(lambda: bool(stage.settled(way.caller).consents), "the evidence", 10)
    return stage.settled(way.caller)


@pytest.fixture(scope="module")
def calls(stage: Stage, numbers: None) -> Played[CallDetail]:
    for name, way in WAYS.items():  # a phone that starts makes its neighbours stutter
        stage.outside(name, number=way.caller)
        if way.agent:
            stage.phone(way.agent)
    return Played({name: partial(go, stage, name) for name in WAYS})


def test_the_doctor_knows_where_the_numbers_lead(stage: Stage, numbers: None) -> None:
    program = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(stage.site.config_path), "doctor", "--json"]
    said = json.loads(subprocess.run(program, capture_output=True, text=True, check=False, timeout=120).stdout)
    (found,) = [check for check in said["checks"] if check["name"] == "consent targets"]
    assert (found["health"], CONFERENCE in found["what"]) == ("ok", True)


@pytest.mark.parametrize("name", WAYS)
def test_the_evidence_names_the_language_and_the_prompt_that_was_played(
    calls: Played[CallDetail], stage: Stage, name: str
) -> None:
    way = WAYS[name]
    (evidence,) = calls[name].consents
    assert (evidence.language, evidence.outcome) == (way.language, way.outcome)
    assert evidence.digits == "".join(key for _, key in way.keys)
    assert evidence.keep_days == (30 if way.number == "713" else 7)


@pytest.mark.parametrize("name", WAYS)
def test_the_caller_s_phone_heard_the_question_in_that_language_and_in_no_other(
    calls: Played[CallDetail], stage: Stage, name: str
) -> None:
    (evidence,) = calls[name].consents
    prompts = stage.site.settings.paths.prompts
    heard = np.concatenate([read_audio(path).samples[0] for path in stage.heard_files(name)])
    questions = {path.parent.name: path for path in prompts.glob(f"*/{evidence.prompt}.wav")}
    likeness = {language: like(heard, read_audio(path).samples[0]) for language, path in questions.items()}
    assert max(likeness, key=likeness.__getitem__) == WAYS[name].language, likeness
    assert likeness[WAYS[name].language] > 0.5, likeness
    assert all(value < 0.35 for language, value in likeness.items() if language != WAYS[name].language), likeness


def like(heard: np.ndarray, prompt: np.ndarray, seconds: float = 1.5, rate: int = 8000) -> float:
    """How like the prompt's beginning the best fitting stretch of what was heard is; 1 is the same."""
    part = prompt[: round(seconds * rate)]
    if len(heard) <= len(part):
        return 0.0
    size = len(heard) + len(part)
    found = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)), size)[: len(heard) - len(part)]
    energy = np.concatenate(([0.0], np.cumsum(heard**2)))
    windows = energy[len(part) : len(part) + len(found)] - energy[: len(found)]
    return float(np.max(found / np.sqrt(np.maximum(windows, 1e-3) * np.sum(part**2))))


@pytest.mark.parametrize("name", DECIDED)
def test_yes_and_no_lead_where_they_are_set_to_and_the_marks_go_with_the_caller(
    calls: Played[CallDetail], name: str
) -> None:
    way, call = WAYS[name], calls[name]
    last = call.decisions[-1]
    assert last.facts["user"]["extension"] == way.agent
    assert (last.verdict, last.rule) == way.verdict


def test_a_no_leads_into_the_administrators_dialplan_and_nothing_is_recorded(
    calls: Played[CallDetail], stage: Stage
) -> None:
    call = calls["a dane says no, dialplan"]
    assert call.decisions == ()
    assert call.recordings == ()
    # Hostile callers of other tests may have left bytes there that are no text.
    said = stage.site.asterisk.log_path.read_text(errors="replace")
    assert f'"sandbox-services,{CONFERENCE},1") in new stack' in said


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_is_the_caller_s_and_rests_on_the_evidence(
    calls: Played[CallDetail], stage: Stage, name: str
) -> None:
    (recording,) = calls[name].recordings
    assert recording.evidence_id == calls[name].consents[0].evidence_id
    stage.assert_sides(recording, WAYS[name].agent, name)


@pytest.mark.parametrize("name", [name for name in WAYS if name not in RECORDED])
def test_who_refused_is_nowhere(calls: Played[CallDetail], stage: Stage, name: str) -> None:
    assert calls[name].recordings == ()
    stage.assert_nowhere(name)


def verify(folder: Path, *words: str | Path) -> tuple[int, dict[str, Any]]:
    """Verify as on another machine: an empty folder, no configuration, an empty environment."""
    program = [sys.executable, "-m", "pbx_plugin.cli.main", "consent", "verify", *map(str, words), "--json"]
    environment = {"HOME": str(folder), "PATH": os.defpath}
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"err": done.stderr}


def test_the_receipt_of_a_real_call_is_verified_elsewhere_with_its_audio(
    calls: Played[CallDetail], stage: Stage, tmp_path: Path
) -> None:
    call = calls["a swede says yes, queue"]
    (recording,) = call.recordings
    (shown,) = json.loads(command(stage, "consent", "receipt", call.call.call_id, "--out", str(tmp_path), "--json"))
    key = tmp_path / "company.pem"
    key.write_text(command(stage, "consent", "keys", "export"))
    audio = stage.file(recording)

    code, said = verify(tmp_path, shown["path"], audio, "--key", key)
    assert (code, said["finding"], said["key"]) == (0, "genuine", "given"), said
    assert said["audio"] == {str(audio): recording.recording_id}
    stated = said["statement"]
    assert (stated["heard"]["language"], stated["keys"], stated["pending"]) == ("sv", "1", [])
    assert stated["caller"]["e164"] == "+46701234567"

    swapped = tmp_path / "swapped.wav"
    swapped.write_bytes(audio.read_bytes()[:-2] + b"\x01\x02")
    assert verify(tmp_path, shown["path"], swapped)[0] == 5
    altered = tmp_path / "altered.json"
    altered.write_bytes(Path(shown["path"]).read_bytes().replace(b'"keys":"1"', b'"keys":"2"'))
    assert verify(tmp_path, altered)[0] == 3


def test_the_receipt_of_a_refusal_speaks_of_no_recording(
    calls: Played[CallDetail], stage: Stage, tmp_path: Path
) -> None:
    call = calls["a german says no, user"]
    (shown,) = json.loads(command(stage, "consent", "receipt", call.call.call_id, "--out", str(tmp_path), "--json"))
    code, said = verify(tmp_path, shown["path"])
    assert (code, said["key"], said["statement"]["outcome"]) == (0, "embedded", "refused")
    assert said["statement"]["recordings"] == []


def test_a_prompt_is_heard_on_the_phone_of_whoever_asks_for_it(
    calls: Played[CallDetail], stage: Stage, numbers: None
) -> None:
    assert calls["a swede says yes, queue"]
    stage.from_now()
    stage.phone("203")
    said = json.loads(command(stage, "prompts", "listen", "de/announce", "--phone", "203", "--json"))
    prompt = read_audio(Path(said["path"])).samples[0]

    def heard() -> bool:
        files = stage.heard_files("203")
        return bool(files) and like(read_audio(files[-1]).samples[0], prompt) > 0.5

    wait_for(heard, "the phone to have heard it", 15)
    wait_for(lambda: not stage.site.asterisk.rx("core show channels concise").strip(), "its end", 10)
    listened = stage.call("203")
    assert listened is None or listened.recordings == ()


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["a swede says yes, queue"]
    stage.assert_nothing_left()
