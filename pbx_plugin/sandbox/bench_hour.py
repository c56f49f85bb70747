"""One long call, recorded from end to end: whether its two sides stay together, and its length with the clock."""

from __future__ import annotations

import time
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pbx_plugin.clock import now
from pbx_plugin.db.views import GapView, RecordingView
from pbx_plugin.domain.losses import STARVED
from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, Table, number
from pbx_plugin.sandbox.bench_site import BenchError, BenchSite, wait_until
from pbx_plugin.sandbox.listening import offset_ms

SIDES_WITHIN_MS = 60.0
CALLS = 2

_ANNOUNCED_S = 10.0
_A_MINUTE = 60
_LOST_MS = 10_000.0
"""How far apart the two sides are looked for at all."""

Say = Callable[[str], None]


def measure(bench: BenchSite, minutes: float, say: Say) -> Result:
    """Make two calls of that length at once, and compare both sides of their recordings in every second."""
    began = time.monotonic()
    since = now()
    seconds = minutes * _A_MINUTE
    with bench.recording(), bench.call_out(CALLS, lasting_s=seconds, a_second=1.0) as sipp:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not sipp.ended:
            say(f"{CALLS} calls of {minutes:g} minutes, {left / _A_MINUTE:.0f} to go")
            time.sleep(min(30.0, left))
        sipp.wait(_ANNOUNCED_S + 30)
        wait_until(lambda: sum(one.state == "stored" for one in bench.moments(since)) == CALLS, "both to be stored")
        recordings = bench.queries.list_recordings(since=since, limit=0)
    say("listening")
    by_minute: list[list[float]] = []
    for recording in recordings:
        for place, offsets in enumerate(_by_minute(bench, bench.site.archive / recording.path)):
            by_minute += [[] for _ in range(place + 1 - len(by_minute))]
            by_minute[place] += offsets
    short_ms = [_short_ms(one) for one in recordings]
    return _result(by_minute, short_ms, _thrown_away(bench, recordings), minutes, time.monotonic() - began)


def _by_minute(bench: BenchSite, path: Path) -> Iterator[list[float]]:
    """Return how much later the right side has what the left has, second by second, for each minute."""
    piece = bench.folder / "a-minute.wav"
    with wave.open(str(path), "rb") as whole:
        while frames := whole.readframes(whole.getframerate() * _A_MINUTE):
            if len(frames) < whole.getframerate() * whole.getsampwidth() * whole.getnchannels() * 2:
                return  # less than two seconds say nothing of a minute
            with wave.open(str(piece), "wb") as cut:
                cut.setparams(whole.getparams())
                cut.writeframes(frames)
            yield _offsets(piece)


def _offsets(piece: Path) -> list[float]:
    """Return how much later the right side is in each second; nothing where it has no sound in common with the left."""
    for within_ms in (500.0, _LOST_MS):
        try:
            return [offset.ms for offset in offset_ms((piece, 0), (piece, 1), within_ms=within_ms)]
        except ValueError:
            continue
    return []


def _short_ms(recording: RecordingView) -> float:
    """Return how many milliseconds the stored file is shorter than the time between its beginning and its end."""
    if recording.in_at is None or recording.out_at is None or recording.closed_at is None:
        raise BenchError(f"the recording {recording.recording_id} does not say when it began and ended")
    first = min(recording.in_at, recording.out_at)
    return (recording.closed_at - first).total_seconds() * 1000 - recording.length_ms


def _thrown_away(bench: BenchSite, recordings: Sequence[RecordingView]) -> list[GapView]:
    """Return the stretches that Asterisk had no time to write, of all these calls."""
    calls = [bench.queries.call_detail(one.call_id) for one in recordings]
    return [gap for call in calls for gap in call.gaps if gap.reason.startswith(STARVED)]


def _result(
    by_minute: list[list[float]], short_ms: list[float], thrown: list[GapView], minutes: float, seconds: float
) -> Result:
    deaf = [str(place + 1) for place, offsets in enumerate(by_minute) if not offsets]
    compared = [offset for offsets in by_minute for offset in offsets]
    apart = Spread.of([abs(offset) for offset in compared])
    medians = [Spread.of(offsets).median for offsets in by_minute if offsets]
    drift = medians[-1] - medians[0]
    most = max(short_ms, key=abs)
    lost_s = sum(gap.seconds(gap.since) for gap in thrown)
    asked = "an hour" if minutes >= _A_MINUTE else f"{minutes:g} minutes, for want of an hour (`HOUR=1` takes one)"
    rows = (
        ("left against right, p50, ms", number(apart.median)),
        ("left against right, p99, ms", number(apart.percentile(99))),
        ("left against right, most, ms", number(apart.high)),
        ("drift: last minute's median less the first's, ms", number(drift)),
        ("file shorter than the time it covers, ms", number(most)),
        ("thrown away by Asterisk for want of CPU, silence stands for it, s", number(lost_s)),
        ("the same, places in all calls", str(len(thrown))),
        ("minutes without a common sound", str(len(deaf))),
    )
    return Result(
        name="hour",
        title="A long call",
        method=(
            f"{CALLS} calls of {asked}. The caller's bursts come back from the world, which echoes what it hears, so "
            "that both sides have the same sound, and what lies between is the way there and back. Every second of "
            "the stored stereo files is compared. The time a file covers is from the first side's RecordingStarted "
            "to the segment's end. What Asterisk threw away is what `pbx-plugin gaps` tells of it."
        ),
        runs=f"{CALLS} calls of {minutes:g} minutes, {len(compared)} seconds compared.",
        tables=(Table(("", ""), rows),),
        aims=(
            Aim(
                f"the two sides lie within {SIDES_WITHIN_MS:g} ms of each other throughout",
                f"{number(apart.high)} ms at most in {minutes:g} minutes, drift {number(drift)} ms"
                + (f"; no common sound in minute {', '.join(deaf)}" if deaf else ""),
                apart.high <= SIDES_WITHIN_MS and not deaf,
            ),
        ),
        figures={"minutes": minutes, "apart most ms": apart.high, "drift ms": drift, "file short ms": most}
        | {"thrown away s": lost_s, "thrown away places": float(len(thrown))}
        | {f"minute {place + 1}: ms": Spread.of(found).median for place, found in enumerate(by_minute) if found},
        seconds=seconds,
    )
