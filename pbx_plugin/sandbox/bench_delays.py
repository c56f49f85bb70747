"""How long people wait: from the answer to the first recorded sound, from hanging up to the stored recording."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from pbx_plugin.clock import now
from pbx_plugin.db.views import CallDetail
from pbx_plugin.domain.policy import Announce
from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, delays, number
from pbx_plugin.sandbox.bench_site import BenchError, BenchSite, Moment, wait_until
from pbx_plugin.sandbox.listening import offset_ms
from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.signals import write_bursts

SPEAKER, LISTENER = "201", "229"
"""Colleagues: the first is recorded always, the second is not enrolled; neither needs to be told."""

STORED_WITHIN_MS = 1000.0
SOUND_WITHIN_MS = 100.0
CROWD, CROWD_A_SECOND = 50, 12.5
LOOK_EVERY_S = 0.02

Say = Callable[[str], None]


@dataclass(slots=True)
class _Seen:
    """When each segment was first seen stored, with its file there."""

    bench: BenchSite
    since: datetime
    at: dict[str, datetime] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    wrong: list[Exception] = field(default_factory=list)

    def watch(self) -> None:
        """Look until told to stop."""
        try:
            while not self.stop.wait(LOOK_EVERY_S):
                for moment in self.bench.moments(self.since):
                    fresh = moment.state == "stored" and moment.media_id not in self.at
                    if fresh and (self.bench.site.archive / moment.path).is_file():
                        self.at[moment.media_id] = now()
        except Exception as error:
            self.wrong.append(error)


@dataclass(slots=True)
class _Found:
    """Milliseconds, one value a call."""

    answer_to_sound: list[float] = field(default_factory=list)
    told_to_sound: list[float] = field(default_factory=list)
    hangup_to_stored: list[float] = field(default_factory=list)


def measure(bench: BenchSite, calls: int, a_second: float, say: Say) -> Result:
    """Make `calls` calls with an announcement, and as many without."""
    began = time.monotonic()
    with bench.recording():
        say(f"{calls} calls, announced")
        told = _played(bench, calls, a_second, lasting_s=6.0)
        bench.announce(Announce.NONE)
        say(f"{calls} calls, not announced")
        plain = _played(bench, calls, a_second, lasting_s=3.0)
        say(f"{CROWD} calls at once, not announced")
        crowd = _played(bench, CROWD, CROWD_A_SECOND, lasting_s=6.0)
        bench.announce(Announce.OR_DO_NOT_RECORD)
        entries = _journal_entries(bench) / (2 * calls + CROWD)
        say("the same by ear")
        by_ear = _by_ear(bench, max(3, calls // 7))
    stored = Spread.of(told.hangup_to_stored + plain.hangup_to_stored)
    sound = Spread.of(plain.answer_to_sound)
    rows = [
        ("answer to first recorded sound, nobody to be told", sound.values),
        (f"the same, {CROWD} calls at once", crowd.answer_to_sound),
        ("announcement's end to first recorded sound", told.told_to_sound),
        ("answer to first recorded sound, announced", told.answer_to_sound),
        ("heard by the other phone before the recording begins", by_ear),
        ("hang-up to stored", stored.values),
        (f"the same, {CROWD} calls at once", crowd.hangup_to_stored),
    ]
    return Result(
        name="delays",
        title="Waiting: first recorded sound, stored recording",
        method=(
            f"Calls of users to outside numbers, {a_second:g} new ones a second, each with its own hang-up; and "
            f"{CROWD} at once, {CROWD_A_SECOND:g} a second. The "
            "answer is Asterisk's ChannelEnteredBridge of the second party, the first recorded sound its "
            "RecordingStarted of the later side: time stamps of one clock, by which a snoop's file is written from "
            "then on. By ear: what a colleague's phone recorded of what it heard is laid over the recording by its "
            "noise bursts; what stands before the recording's beginning is missing from it (answering and the "
            "phone's jitter buffer included). The announcement's end is when the recorder heard of it. Hang-up is "
            "Asterisk's word that the first leg left the bridge; stored is when an observer, who looks every "
            f"{LOOK_EVERY_S * 1000:.0f} ms, finds the row saying so and the file in the archive."
        ),
        runs=f"{calls} calls announced, {calls} not, {len(by_ear)} by ear.",
        tables=(delays(rows),),
        aims=(
            _aim("the first sound is recorded", SOUND_WITHIN_MS, "the answer", plain.answer_to_sound),
            _aim("the first sound is recorded", SOUND_WITHIN_MS, "the announcement", told.told_to_sound),
            _aim(f"of {CROWD} calls at once as well", SOUND_WITHIN_MS, "the answer", crowd.answer_to_sound),
            _aim("a recording can be played", STORED_WITHIN_MS, "the hang-up", stored.values),
            _aim(f"of {CROWD} calls at once as well", STORED_WITHIN_MS, "the hang-up", crowd.hangup_to_stored),
        ),
        remarks=(f"One such call takes {number(entries)} journal entries, the recorder's memory of it included.",),
        figures={"journal entries a call": entries}
        | {f"{name}: {part} ms": value for name, values in rows for part, value in _parts(Spread.of(values))},
        seconds=time.monotonic() - began,
    )


def _aim(what: str, within_ms: float, after: str, found: Sequence[float]) -> Aim:
    slow = Spread.of(found).percentile(99)
    return Aim(f"{what} within {within_ms:g} ms of {after} (p99)", f"{number(slow)} ms", slow <= within_ms)


def _parts(spread: Spread) -> list[tuple[str, float]]:
    return [("p50", spread.median), ("p99", spread.percentile(99))]


def _played(bench: BenchSite, calls: int, a_second: float, lasting_s: float) -> _Found:
    since = now()
    seen = _Seen(bench, since)
    watching = threading.Thread(target=seen.watch, name="watching")
    watching.start()
    try:
        with bench.call_out(calls, lasting_s=lasting_s, a_second=a_second) as sipp:
            sipp.wait(calls / a_second + lasting_s + 20)
        wait_until(lambda: len(seen.at) >= calls or bool(seen.wrong), f"{calls} recordings to be stored")
    finally:
        seen.stop.set()
        watching.join()
    if seen.wrong:
        raise BenchError(f"the database could not be watched: {seen.wrong[0]}")
    found = _Found()
    for recording in bench.queries.list_recordings(since=since, limit=0):
        call = bench.queries.call_detail(recording.call_id)
        if recording.in_at is None or recording.out_at is None:
            raise BenchError(f"the recording {recording.recording_id} does not say when it began")
        sound = max(recording.in_at, recording.out_at)
        found.answer_to_sound.append(_ms(_last(call, "joined"), sound))
        told = [step.at for step in call.timeline if step.what == "announcement"]
        if len(told) > 1:
            found.told_to_sound.append(_ms(told[-1], sound))
        found.hangup_to_stored.append(_ms(_first(call, "left"), seen.at[recording.media_id]))
    return found


def _by_ear(bench: BenchSite, calls: int) -> list[float]:
    """Return how many milliseconds of what the listener's phone heard are not on the recording, call by call."""
    folder = bench.folder / "by-ear"
    folder.mkdir(mode=0o750)
    missing = []
    with ExitStack() as running:
        phones = [
            running.enter_context(
                Phone.start(
                    extension,
                    server=f"127.0.0.1:{bench.site.ports.sip}",
                    register=True,
                    password=bench.site.secrets.phones,
                    signal=write_bursts(folder / f"bursts-{extension}.wav", int(extension), 20),
                    record_dir=folder,
                )
            )
            for extension in (SPEAKER, LISTENER)
        ]
        phones[1].auto_answer()
        for _ in range(calls):
            since = now()
            leg = phones[0].dial(LISTENER)
            heard = phones[1].wait_incoming().heard
            leg.wait("CONFIRMED")
            time.sleep(3.0)
            leg.hangup()
            leg.wait_ended()
            moment = _one_stored(bench, since)
            if heard is None:
                raise BenchError("the phone did not keep what it heard")
            recorded = (bench.site.archive / moment.path, 0)
            missing.append(-offset_ms((heard, 0), recorded, at_s=[1.0])[0].ms)
    return missing


def _journal_entries(bench: BenchSite) -> int:
    """Return how many entries the running recorder has written: they are numbered from one when it starts."""
    newest = max(bench.site.settings.paths.journal.glob("recorder.*.journal"))
    lines = newest.read_bytes().splitlines()[1:]
    return int(lines[-1].split(b" ", 2)[1]) if lines else int(newest.suffixes[0][1:]) - 1


def _one_stored(bench: BenchSite, since: datetime) -> Moment:
    def stored() -> bool:
        return [moment.state for moment in bench.moments(since)] == ["stored"]

    wait_until(stored, "a recording to be stored")
    return bench.moments(since)[0]


def _first(call: CallDetail, what: str) -> datetime:
    return min(step.at for step in call.timeline if step.what == what)


def _last(call: CallDetail, what: str) -> datetime:
    return max(step.at for step in call.timeline if step.what == what)


def _ms(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() * 1000
