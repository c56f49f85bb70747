"""What the demonstration claims, checked on what lies on disk and in the database before anybody is told so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pbx_plugin.db.views import CallDetail, RecordingView
from pbx_plugin.domain.telling import HEARD
from pbx_plugin.sandbox.demo_cast import CLARA, DAVID, ODA, RIKKE, ROSA, SARA, Person
from pbx_plugin.sandbox.listening import UnreadableAudioError, heard_anywhere, read_audio
from pbx_plugin.settings import Settings

LEFT, RIGHT = 0, 1
SHORTEST_S = 3.0
ALL_THE_TIME = 0.7
"""The share of a recording in which a person's mark is found; under a loud note of the tune it may be missed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence that must be true; ``problem`` says what was found instead, and is empty when it is."""

    call: int
    sentence: str
    problem: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the claims are checked on: three calls in order, and every folder in which a sound could lie."""

    calls: tuple[CallDetail, ...]
    settings: Settings
    sound_folders: tuple[Path, ...]

    def sound(self, recording: RecordingView) -> Path:
        """Return the stored file."""
        return self.settings.paths.archive / recording.path


def check(evidence: Evidence) -> list[Claim]:
    """Return every claim with what is wrong about it."""
    claims: list[Claim] = []
    for call, sentence, test in _claims(evidence):
        try:
            problem = test()
        except (LookupError, OSError, ValueError, UnreadableAudioError) as error:
            problem = f"could not be checked: {type(error).__name__}: {error}"
        claims.append(Claim(call, sentence, problem))
    return claims


def _claims(evidence: Evidence) -> Iterator[tuple[int, str, Callable[[], str]]]:
    given, refused, demanded = evidence.calls
    yield 1, "the key, its time and the very prompt are on file", lambda: _consent(evidence, given, "1", "given")
    yield 1, "recorded in two parts, whole, under their SHA-256", lambda: _stored(evidence, given, 2)
    yield 1, "Rikke is on the left and Clara on the right, nobody else", lambda: _sides(evidence, given, RIKKE, CLARA)
    yield 1, "nothing of the time between the two *4", lambda: _gap(given)
    yield 2, "the refusal is on file", lambda: _consent(evidence, refused, "2", "refused")
    yield 2, "decided: never, and nothing recorded", lambda: _never(refused)
    yield 2, "neither Rosa nor Sara is heard in any file on disk", lambda: _nowhere(evidence, ROSA, SARA)
    yield 3, "not recorded before Oda's *4, and not before the caller was told", lambda: _told_first(demanded)
    yield 3, "recorded in one part, whole, under its SHA-256", lambda: _stored(evidence, demanded, 1)
    yield 3, "Oda is on the left and David on the right, nobody else", lambda: _sides(evidence, demanded, ODA, DAVID)
    yield 0, "no sound of a call lies anywhere but in these recordings", lambda: _nothing_else(evidence)
    yield 0, "nothing that should have been recorded is missing", lambda: _no_gaps(evidence)


def _consent(evidence: Evidence, call: CallDetail, key: str, outcome: str) -> str:
    if len(call.consents) != 1:
        return f"there are {len(call.consents)} consents"
    found = call.consents[0]
    if (found.digits, found.outcome) != (key, outcome):
        return f"the evidence says key {found.digits!r}, {found.outcome}"
    prompt = evidence.settings.paths.prompts / found.language / f"{found.prompt}.wav"
    if hashlib.sha256(prompt.read_bytes()).hexdigest() != found.prompt_sha256:
        return f"{prompt} is not the prompt that the evidence names"
    if not call.call.began_at < found.asked_at < found.at:
        return "the key was pressed before the question was put"
    return ""


def _stored(evidence: Evidence, call: CallDetail, count: int) -> str:
    if [one.state for one in call.recordings] != ["stored"] * count:
        told = ", ".join(f"{one.state} {one.fail_reason}".strip() for one in call.recordings) or "none"
        return f"expected {count} stored recordings, found: {told}"
    for one in call.recordings:
        data = evidence.sound(one).read_bytes()
        if hashlib.sha256(data).hexdigest() != one.sha256 or len(data) != one.size:
            return f"{one.path} is not the file that was stored"
        seconds = read_audio(evidence.sound(one)).seconds
        if seconds < SHORTEST_S or abs(seconds - one.length_ms / 1000) > 0.01:
            return f"{one.path} lasts {seconds:.2f} s"
    return ""


def _sides(evidence: Evidence, call: CallDetail, user: Person, other: Person) -> str:
    if not call.recordings:
        return "there is no recording"
    for one in call.recordings:
        path = evidence.sound(one)
        seconds = read_audio(path).seconds
        for person, side in ((user, LEFT), (other, RIGHT)):
            traces = heard_anywhere(path, person.mark)
            if {trace.channel for trace in traces} != {side}:
                heard = " and ".join(("left", "right")[at] for at in sorted({trace.channel for trace in traces}))
                return f"{person.first_name} is heard {heard or 'nowhere'} in {path.name}"
            share = sum(trace.lasting_s for trace in traces) / seconds
            if share < ALL_THE_TIME:
                return f"{person.first_name} is heard in {share:.0%} of {path.name} only"
    return ""


def _gap(call: CallDetail) -> str:
    off, on = (step.at for step in call.timeline if step.what == "toggle")
    first, second = call.recordings
    if first.closed_at is None or not first.at < off < second.at or second.at < on:
        return f"recorded from {first.at} to {first.closed_at} and from {second.at}, switched at {off} and {on}"
    late = (first.closed_at - off).total_seconds()
    return f"recording went on for {late:.1f} s after *4" if late > 1 else ""


def _never(call: CallDetail) -> str:
    verdicts = {decision.verdict for decision in call.decisions}
    if verdicts != {"never"}:
        return f"the decisions were: {', '.join(sorted(verdicts)) or 'none'}"
    return f"there are {len(call.recordings)} recordings" if call.recordings else ""


def _nowhere(evidence: Evidence, *people: Person) -> str:
    for person in people:
        for trace in heard_anywhere(evidence.sound_folders, person.mark):
            return f"{person.first_name} is heard in {trace.file}, {trace.seconds:.1f} s from its start"
    return ""


def _told_first(call: CallDetail) -> str:
    begun = call.recordings[0].at
    pressed = next((step.at for step in call.timeline if step.what == "toggle"), None)
    heard = (step.at for step in call.timeline if step.what == "announcement" and step.detail.startswith(HEARD))
    told = next(heard, None)
    if pressed is None or told is None:
        return "there was no *4" if pressed is None else "the announcement was not heard to its end"
    if not pressed < told <= begun:
        return f"*4 at {pressed}, told at {told}, recorded from {begun}"
    return "" if call.decisions[0].verdict == "armed" else f"the first decision was {call.decisions[0].verdict}"


def _nothing_else(evidence: Evidence) -> str:
    known = {evidence.sound(one) for call in evidence.calls for one in call.recordings if one.path}
    for person in (CLARA, RIKKE, DAVID, ODA):
        for trace in heard_anywhere(evidence.sound_folders, person.mark):
            if trace.file not in known:
                return f"{person.first_name} is heard in {trace.file}"
    return ""


def _no_gaps(evidence: Evidence) -> str:
    return "; ".join(gap.reason for call in evidence.calls for gap in call.gaps)
