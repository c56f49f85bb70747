"""Who hears that a call is recorded, and when: by the phones' own ears, with tones of the plan as the prompts.

Each language's announcement is a voice of its own here, and so is the beep: put in as a company's own recordings.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from kinds import called, closed, ready, recorded
from rules import apply_policy
from scenes import Played
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.db.views import CallDetail, RecordingView
from pbx_plugin.domain.beeping import beep_which
from pbx_plugin.prompts.build import build_prompts
from pbx_plugin.prompts.texts import load_texts
from pbx_plugin.resources import resource_dir
from pbx_plugin.sandbox.listening import heard_anywhere, silence, tones
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.signals import VOICES, Voice, tone, write_wav
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_extras import CONFERENCE

ENGLISH, DANISH, SWEDISH, BEEP, ON, OFF = (VOICES[-2 - n] for n in range(6))
PROMPTS = {"en/announce": (ENGLISH, 1.2), "da/announce": (DANISH, 1.2), "sv/announce": (SWEDISH, 1.2)}
TONES = {"tones/beep": (BEEP, 0.3), "tones/toggle-on": (ON, 0.3), "tones/toggle-off": (OFF, 0.3)}
SIGNS = (ENGLISH, DANISH, SWEDISH, BEEP)
BEEPED = {"other party": ("201", "caller of 201"), "user": ("202", "caller of 211"), "both": ("203", "put through")}
LONGEST_SIGN_S = 1.5
TALK_S = 2.5
EVERY_S = 10
NO_LONGER_S = 0.05
"""Nobody notices less than 40 ms of dead air; measured in steps of 10 ms."""


@dataclass(frozen=True)
class Ears:
    """A call, and what each of its phones heard."""

    call: CallDetail
    heard: dict[str, Path]

    def moments(self, who: str, sign: Voice) -> list[float]:
        """Return when that phone began to hear this, in seconds of its call; a busy machine may tear a prompt."""
        found = [trace.seconds for trace in heard_anywhere(self.heard[who], sign)]
        return [at for n, at in enumerate(found) if not n or at - found[n - 1] > LONGEST_SIGN_S]

    def signs(self, who: str) -> set[Voice]:
        """Return all announcements and beeps that it heard."""
        return {sign for sign in SIGNS if self.moments(who, sign)}

    def told(self, detail: str = "heard to its end") -> list[datetime]:
        """Return when the time line has that of the announcement."""
        return [
            step.at for step in self.call.timeline if step.what == "announcement" and step.detail.startswith(detail)
        ]


def ears(stage: Stage, number: str, *more: Leg, **legs: Leg) -> Ears:
    """End a call by its first leg, and those that go on without it, and listen to what was heard."""
    first, *others = legs.values()
    hang_up(first, *more)
    for leg in others:
        leg.wait_ended()
    heard = {name: leg.heard for name, leg in legs.items() if leg.heard is not None}
    return Ears(stage.settled(number), heard)


def incoming(stage: Stage) -> Ears:
    call = called(stage, "201")
    recorded(stage, call.number, "201")
    talk(TALK_S)
    return ears(stage, call.number, other=call.caller, user=call.user)


def outgoing_to_sweden(stage: Stage) -> Ears:
    number = "+46701234567"
    world = stage.world()
    world.disregard_incoming()
    mine = stage.phone("202").dial(number)
    other = world.wait_incoming()
    mine.wait("CONFIRMED")
    recorded(stage, number, "202")
    talk(TALK_S)
    return ears(stage, number, user=mine, other=other)


def internal(stage: Stage) -> Ears:
    colleague = ready(stage, "229")
    mine = stage.phone("203").dial("229")
    other = colleague.wait_incoming()
    mine.wait("CONFIRMED")
    recorded(stage, "203", "203")
    talk(TALK_S)
    return ears(stage, "203", user=mine, other=other)


def toggled(stage: Stage) -> Ears:
    call = called(stage, "211")
    stage.decided(call.number, "211")
    talk(TALK_S)
    call.user.dtmf("*4")
    recorded(stage, call.number, "211")
    talk(TALK_S)
    call.user.dtmf("*4")
    closed(stage, call.number, "211")
    call.user.dtmf("*4")
    recorded(stage, call.number, "211", 2)
    talk(TALK_S)
    return ears(stage, call.number, other=call.caller, user=call.user)


def joined(stage: Stage) -> Ears:
    """A caller is told and recorded; into their conference comes another, who had spoken to an unrecorded user."""
    first = called(stage, "212", "first in the conference")
    first.user.transfer(CONFERENCE)
    first.user.wait_ended()
    mine = stage.phone("239").dial(CONFERENCE)
    mine.wait("CONFIRMED")
    recorded(stage, first.number, "239")
    talk(TALK_S)
    second = called(stage, "221", "second in the conference")
    stage.decided(second.number, "221")
    second.user.transfer(CONFERENCE)
    closed(stage, first.number, "239")
    recorded(stage, first.number, "239", 2)
    talk(TALK_S)
    return ears(stage, first.number, first.caller, second.caller, user=mine, first=first.caller, second=second.caller)


def put_through(stage: Stage) -> Ears:
    call = called(stage, "213", "put through")
    call.user.dtmf("*4")
    recorded(stage, call.number, "213")
    talk(TALK_S)
    target = ready(stage, "238")
    call.user.transfer("238")
    other = target.wait_incoming()
    other.wait("CONFIRMED")
    recorded(stage, call.number, "238")
    talk(TALK_S)
    return ears(stage, call.number, other=call.caller, user=other)


def without_prompt(stage: Stage) -> Ears:
    """The announcement is in no language that could be played."""
    folder = stage.site.settings.paths.prompts
    for name in PROMPTS:
        for path in (folder / name).parent.glob("announce.*"):
            path.unlink()
    call = called(stage, "201", "never told")
    stage.decided(call.number, "201")
    wait_for(lambda: bool((found := stage.call(call.number)) and found.gaps), "the gap", 10.0)
    talk(TALK_S)
    return ears(stage, call.number, other=call.caller, user=call.user)


def beeps(stage: Stage) -> dict[str, Ears]:
    """Three calls, each begun under its own policy, that last longer than two beeps; one of them pauses.

    All of them come in: what is said of their direction goes before what is said of all.
    """
    calls = {}
    for beep_to, (user, caller) in BEEPED.items():
        by_direction = {"beep_seconds_directions": {"incoming": EVERY_S}, "beep_to_directions": {"incoming": beep_to}}
        apply_policy(stage.site, beep_seconds=0, **by_direction)
        calls[beep_to] = called(stage, user, caller)
        recorded(stage, calls[beep_to].number, user)
    talk(EVERY_S / 2)
    paused = calls["both"]
    paused.user.dtmf("*5")
    closed(stage, paused.number, "203")
    talk(EVERY_S * 1.5)
    found = {to: ears(stage, one.number, other=one.caller, user=one.user) for to, one in calls.items()}
    apply_policy(stage.site, beep_seconds_directions={})
    return found


SCENES = {
    "incoming": incoming,
    "outgoing": outgoing_to_sweden,
    "internal": internal,
    "toggled": toggled,
    "joined": joined,
    "put through": put_through,
}


@pytest.fixture(scope="module")
def own_prompts(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each announcement and the beep is a tone that is told from all voices."""
    folder, own = site.settings.paths.prompts, tmp_path_factory.mktemp("own")
    kept = own / "kept"
    shutil.copytree(folder, kept)
    for name, (sign, seconds) in (PROMPTS | TONES).items():
        path = own / f"{name}.wav"
        path.parent.mkdir(mode=0o750, exist_ok=True)
        write_wav(path, tone(sign.hertz, seconds))
    engine = make_engine(site.settings.database)
    try:
        build_prompts(folder, DatabaseRulebook(engine).load(), load_texts(resource_dir("ivr_prompts")), own=own)
    finally:
        engine.dispose()
    yield
    shutil.copytree(kept, folder, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def calls(stage: Stage, own_prompts: None) -> Iterator[Played[Ears]]:
    stage.world()
    for extension in ("201", "202", "203", "211", "212", "213", "221", "229", "238", "239"):
        stage.phone(extension)
    for name in ("caller of 201", "caller of 211", "first in the conference", "second in the conference"):
        stage.outside(name)
    stage.outside("put through")
    stage.outside("never told")
    stage.from_now()
    apply_policy(stage.site, announce_user=["incoming", "outgoing", "internal"])
    try:
        yield Played({name: partial(scene, stage) for name, scene in SCENES.items()})
    finally:
        apply_policy(stage.site, announce_user=[])


def began(recording: RecordingView) -> datetime:
    assert recording.in_at is not None
    assert recording.out_at is not None
    return min(recording.in_at, recording.out_at)


@pytest.mark.parametrize(
    ("scene", "language"), [("incoming", DANISH), ("outgoing", SWEDISH), ("internal", ENGLISH), ("toggled", DANISH)]
)
def test_each_is_told_once_in_their_own_language(calls: Played[Ears], scene: str, language: Voice) -> None:
    heard = calls[scene]
    assert heard.signs("other") == {language}
    assert heard.signs("user") == {ENGLISH}
    assert len(heard.moments("other", language)) == 1
    assert len(heard.moments("user", ENGLISH)) == 1


@pytest.mark.parametrize("scene", ["incoming", "outgoing", "internal", "toggled"])
def test_all_have_heard_it_before_the_first_recorded_second(calls: Played[Ears], stage: Stage, scene: str) -> None:
    heard = calls[scene]
    assert len(heard.told()) == 2
    assert max(heard.told()) <= min(began(recording) for recording in heard.call.recordings)
    for recording in heard.call.recordings:
        assert not any(heard_anywhere(stage.file(recording), sign) for sign in SIGNS)


def test_what_is_switched_on_again_is_recorded_without_telling_anybody_again(calls: Played[Ears]) -> None:
    assert len(calls["toggled"].call.recordings) == 2


def test_the_user_alone_hears_a_tone_when_recording_is_switched_on_and_off(calls: Played[Ears]) -> None:
    heard = calls["toggled"]
    assert len(heard.moments("user", ON)) == 2
    assert len(heard.moments("user", OFF)) == 1
    assert heard.moments("other", ON) + heard.moments("other", OFF) == []


def test_who_joins_is_told_alone_and_before_they_are_recorded(calls: Played[Ears], stage: Stage) -> None:
    heard = calls["joined"]
    assert len(heard.moments("first", DANISH)) == 1
    assert len(heard.moments("second", DANISH)) == 1
    assert len(heard.moments("user", ENGLISH)) == 1
    before, after = [recording for recording in heard.call.recordings if recording.extension == "239"][:2]
    assert not heard_anywhere(stage.file(before), stage.voice("second in the conference"))
    assert heard.told()[-1] <= began(after)
    assert heard_anywhere(stage.file(after), stage.voice("second in the conference"))


def test_who_is_put_through_is_not_told_again_and_the_new_user_is(calls: Played[Ears]) -> None:
    heard = calls["put through"]
    assert len(heard.moments("other", DANISH)) == 1
    assert len(heard.moments("user", ENGLISH)) == 1
    assert [recording.extension for recording in heard.call.recordings] == ["213", "238"]


@pytest.fixture(scope="module")
def beeped(calls: Played[Ears], stage: Stage) -> dict[str, Ears]:
    assert calls["incoming"]
    apply_policy(stage.site, announce_user=[])
    return beeps(stage)


@pytest.mark.parametrize(("to", "hears", "not_"), [("other party", "other", "user"), ("user", "user", "other")])
def test_the_beep_is_heard_at_its_seconds_by_whom_the_policy_says(
    beeped: dict[str, Ears], stage: Stage, to: str, hears: str, not_: str
) -> None:
    heard = beeped[to]
    moments = heard.moments(hears, BEEP)
    assert len(moments) >= 2
    assert moments[1] - moments[0] == pytest.approx(EVERY_S, abs=0.6)
    assert heard.moments(not_, BEEP) == []
    (recording,) = heard.call.recordings
    steps = [step for step in heard.call.timeline if step.what == "beep"]
    assert len(steps) == len(moments)
    played = {beep_which(step.detail) for step in steps}
    file = stage.site.settings.paths.prompts / "tones" / "beep.wav"
    assert [one and one.sha256 for one in played] == [sha256(file.read_bytes()).hexdigest()]
    due = [(step.at - began(recording)).total_seconds() for step in steps]
    assert due == [pytest.approx(EVERY_S * (n + 1), abs=0.6) for n in range(len(moments))]


@pytest.mark.parametrize("to", ["other party", "user"])
def test_a_beep_is_on_no_recording_and_tears_no_hole_in_the_talk(
    beeped: dict[str, Ears], stage: Stage, to: str
) -> None:
    heard = beeped[to]
    (recording,) = heard.call.recordings
    user, caller = BEEPED[to]
    stage.assert_sides(recording, user, caller)
    assert not heard_anywhere(stage.file(recording), BEEP)
    ear = {"other party": "other", "user": "user"}[to]
    holes = silence(heard.heard[ear], at_least_s=NO_LONGER_S)
    speaker = stage.voice(caller if ear == "user" else user)
    for moment in heard.moments(ear, BEEP):
        beside = [w for w in tones(heard.heard[ear]) if w.start_s < moment + 1 and w.end_s > moment - 0.5]
        assert sum(speaker not in window.voices for window in beside) <= 1
        assert not [hole for hole in holes if hole[0] < moment + 1 and hole[1] > moment - 0.5]
    for step in (step for step in heard.call.timeline if step.what == "beep"):
        at = (step.at - began(recording)).total_seconds()
        for channel in (0, 1):
            holes = silence(stage.file(recording), channel, at_least_s=NO_LONGER_S)
            assert not [hole for hole in holes if hole[0] < at + 1 and hole[1] > at - 0.5]


def test_a_pause_ends_the_beep(beeped: dict[str, Ears]) -> None:
    assert beeped["both"].moments("other", BEEP) == []
    assert beeped["both"].moments("user", BEEP) == []


def test_where_nobody_can_be_told_nothing_is_recorded_and_the_gap_says_why(
    beeped: dict[str, Ears], stage: Stage
) -> None:
    assert beeped
    heard = without_prompt(stage)
    assert heard.call.recordings == ()
    assert any("announce" in gap.reason and "missing" in gap.reason for gap in heard.call.gaps)
    (begun,) = heard.told("begins")
    assert [step.detail.split(":")[0] for step in heard.call.timeline if step.what == "announcement"] == [
        "begins",
        "not heard",
    ]
    assert heard.signs("other") == set()
    stage.assert_nowhere("never told")
    assert begun


def test_nothing_is_left_behind(beeped: dict[str, Ears], stage: Stage) -> None:
    assert beeped
    stage.assert_nothing_left()
