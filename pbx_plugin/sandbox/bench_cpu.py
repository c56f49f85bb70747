"""What recording costs: CPU per call-second without it, with Asterisk's MixMonitor, and with the whole product."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pbx_plugin.clock import now
from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, Table, delays, number, ranged, ratios
from pbx_plugin.sandbox.bench_machine import cpu_seconds
from pbx_plugin.sandbox.bench_site import MONO_PREFIX, BenchSite, wait_until
from pbx_plugin.sandbox.listening import offset_ms

NONE, MONO, OURS = "none", "MixMonitor, mono", "this product, stereo"
KINDS = (NONE, MONO, OURS)
ALIGNED_WITHIN_MS = 60.0
TIMES_MIXMONITOR = 1.30
OURS_MS = 0.5

_A_SECOND = 12.5
_ANNOUNCED_S = 5.0
_SETTLE_S = 1.5
_IDLE_S = 10.0
_FILES_HEARD = 10

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds for each number of calls, and the steady seconds of each."""

    rounds: dict[int, int]
    window_s: float


@dataclass(frozen=True, slots=True)
class Round:
    """CPU milliseconds: steady ones per call-second, and what each call costs besides, once."""

    asterisk: float
    ours: float
    once_asterisk: float
    once_ours: float
    stored_ms: tuple[float, ...] = ()
    offsets_ms: tuple[float, ...] = ()

    @property
    def whole(self) -> float:
        """Asterisk and product together, per call-second."""
        return self.asterisk + self.ours


def once_per_call(total_s: float, steady_ms: float, call_seconds: float, calls: int) -> float:
    """Return the CPU milliseconds of a call that its length does not explain, never less than none."""
    return max(0.0, (total_s * 1000 - steady_ms * call_seconds) / calls)


def measure(bench: BenchSite, plan: Plan, say: Say) -> Result:
    """Run the kinds in turn, round after round, at each number of calls."""
    found: dict[tuple[int, str], list[Round]] = defaultdict(list)
    idle = _idle(bench, say)
    began = time.monotonic()
    for calls, rounds in plan.rounds.items():
        for turn in range(rounds):
            # Each kind comes first in some round: what warms up or fills up must not favour one of them.
            for place in range(len(KINDS)):
                kind = KINDS[(turn + place) % len(KINDS)]
                say(f"{calls} calls, round {turn + 1} of {rounds}: {kind}")
                found[calls, kind].append(_round(bench, kind, calls, plan.window_s))
    return _result(plan, found, idle, time.monotonic() - began)


def _idle(bench: BenchSite, say: Say) -> float:
    say("recorder and consent service without calls")
    with bench.recording():
        pids = [bench.site.recorder.pid, bench.site.agi.pid]
        before, since = cpu_seconds(pids), time.monotonic()
        time.sleep(_IDLE_S)
        return (cpu_seconds(pids) - before) * 1000 / (time.monotonic() - since)


def _round(bench: BenchSite, kind: str, calls: int, window_s: float) -> Round:
    if kind != OURS:
        return _measured(bench, kind, calls, window_s)
    with bench.recording():
        return _measured(bench, kind, calls, window_s)


def _measured(bench: BenchSite, kind: str, calls: int, window_s: float) -> Round:
    asterisk = [bench.site.asterisk.pid]
    ours = [bench.site.recorder.pid, bench.site.agi.pid] if kind == OURS else []
    since, prefix = now(), MONO_PREFIX if kind == MONO else ""
    ready_s = calls / _A_SECOND + _SETTLE_S + (_ANNOUNCED_S if kind == OURS else 0)
    lasting_s = ready_s + window_s + 1.0
    files = len(list(bench.mono.glob("*.wav")))
    first = cpu_seconds(asterisk), cpu_seconds(ours)
    with bench.call_out(calls, lasting_s=lasting_s, a_second=_A_SECOND, prefix=prefix) as sipp:
        wait_until(lambda: bench.calls_up() >= 2 * calls, f"{calls} calls to be up", ready_s + 5)
        if kind == OURS:
            wait_until(lambda: _in_state(bench, since, "recording") == calls, f"{calls} recordings", ready_s + 5)
        elif kind == MONO:
            wait_until(lambda: len(list(bench.mono.glob("*.wav"))) - files == calls, f"{calls} files", 5)
        time.sleep(_SETTLE_S)
        before = cpu_seconds(asterisk), cpu_seconds(ours)
        start = time.monotonic()
        time.sleep(window_s)
        after = cpu_seconds(asterisk), cpu_seconds(ours)
        call_seconds = (time.monotonic() - start) * calls
        sipp.wait(lasting_s + 20)
        wait_until(lambda: bench.calls_up() == 0, "all calls to be gone")
        if kind == OURS:
            wait_until(lambda: _in_state(bench, since, "stored") == calls, f"{calls} recordings to be stored")
    last = cpu_seconds(asterisk), cpu_seconds(ours)
    steady = [(a - b) * 1000 / call_seconds for a, b in zip(after, before, strict=True)]
    once = [
        once_per_call(z - a, rate, lasting_s * calls, calls) for z, a, rate in zip(last, first, steady, strict=True)
    ]
    stored = tuple(_stored_ms(bench, since)) if kind == OURS else ()
    offsets = tuple(_offsets(bench, since)) if kind == OURS else ()
    for path in bench.mono.glob("*.wav"):
        path.unlink()
    return Round(steady[0], steady[1], once[0], once[1], stored, offsets)


def _in_state(bench: BenchSite, since: datetime, state: str) -> int:
    return sum(moment.state == state for moment in bench.moments(since))


def _stored_ms(bench: BenchSite, since: datetime) -> Sequence[float]:
    rows = {moment.media_id: moment for moment in bench.moments(since)}
    delays_ms = []
    for recording in bench.queries.list_recordings(since=since, limit=0):
        stored = rows[recording.media_id].stored_at
        if stored is not None and recording.closed_at is not None:
            delays_ms.append((stored - recording.closed_at).total_seconds() * 1000)
    return delays_ms


def _offsets(bench: BenchSite, since: datetime) -> Sequence[float]:
    """Return how far apart the two sides of recordings are: the world sends back what it hears, at once."""
    found: list[float] = []
    for moment in bench.moments(since)[:_FILES_HEARD]:
        path = bench.site.archive / moment.path
        found += [abs(offset.ms) for offset in offset_ms((path, 0), (path, 1))]
    return found


def _result(plan: Plan, found: dict[tuple[int, str], list[Round]], idle: float, seconds: float) -> Result:
    rows, figures = [], {"idle ms per s": idle}
    aims: list[Aim] = []
    for calls in plan.rounds:
        plain = [one.whole for one in found[calls, NONE]]
        mono = [one.whole for one in found[calls, MONO]]
        for kind in KINDS:
            runs = found[calls, kind]
            whole = [one.whole for one in runs]
            rows.append(
                (
                    f"{calls} calls: {kind}",
                    ranged(Spread.of([one.asterisk for one in runs])),
                    ranged(Spread.of([one.ours for one in runs])) if kind == OURS else "-",
                    ranged(ratios(whole, plain)) if kind != NONE else "1",
                    ranged(ratios(whole, mono)) if kind == OURS else "-" if kind == NONE else "1",
                    number(Spread.of([one.once_asterisk for one in runs]).median),
                    number(Spread.of([one.once_ours for one in runs]).median) if kind == OURS else "-",
                )
            )
            figures[f"{calls} calls, {kind}: ms per call-second"] = statistics.median(whole)
        aims += _aims(calls, found)
    head = (
        "CPU ms", "Asterisk, per call-second", "ours, per call-second", "both, ratio to none", "ratio to MixMonitor",
        "Asterisk, once a call", "ours, once a call",
    )  # fmt: skip
    busiest = found[max(plan.rounds), OURS]
    stored = Spread.of([delay for one in busiest for delay in one.stored_ms])
    offsets = Spread.of([offset for one in busiest for offset in one.offsets_ms])
    figures["offset p99 ms"] = offsets.percentile(99)
    burst = f"{max(plan.rounds)} calls that end within {max(plan.rounds) / _A_SECOND:.0f} s"
    rounds = ", ".join(f"{count} at {calls} calls" for calls, count in plan.rounds.items())
    return Result(
        name="cpu",
        title="CPU per call",
        method=(
            "Users call outside numbers through Asterisk (PJSIP, A-law on both legs, RTP both ways, Dial with the "
            "star code's features on, hence simple_bridge in every row). *None*: no recording, recorder and "
            "consent service not running. *MixMonitor*: started by the dialplan, one mono file, nothing else. "
            "*This product*: decision, announcement, two snoops, stereo, database. Per call-second is taken from "
            f"/proc while all calls talk and are recorded, over {plan.window_s:g} s; *ours* is recorder, finaliser "
            "and consent service. Once a call is what remains of the whole round, from dialling to stored, after "
            "the talking is taken off: set-up, decision, announcement, finalising, hang-up."
        ),
        runs=f"Rounds: {rounds}, the three kinds in turn, each first in some round.",
        tables=(
            Table(head, tuple(rows)),
            delays([(f"closed to stored, {burst}", stored.values), ("left against right", offsets.values)]),
        ),
        aims=(
            *aims,
            Aim(
                f"the two sides lie within {ALIGNED_WITHIN_MS:g} ms of each other",
                f"{number(offsets.high)} ms at most in {len(offsets)} seconds compared",
                offsets.high <= ALIGNED_WITHIN_MS,
            ),
        ),
        remarks=(
            f"Without any call, recorder and consent service use {number(idle)} ms of CPU a second. Left against right "
            "is the distance of the same noise bursts on both sides of recordings made under this load; the world "
            "echoes what it hears, so that it should be nothing.",
        ),
        figures=figures,
        seconds=seconds,
    )


def _aims(calls: int, found: dict[tuple[int, str], list[Round]]) -> list[Aim]:
    mono = [one.whole for one in found[calls, MONO]]
    ratio = ratios([one.whole for one in found[calls, OURS]], mono)
    ours = Spread.of([one.ours for one in found[calls, OURS]])
    return [
        Aim(
            f"at {calls} calls, Asterisk and product together use at most {TIMES_MIXMONITOR:.2f} times the CPU of "
            "Asterisk with MixMonitor",
            ranged(ratio),
            ratio.median <= TIMES_MIXMONITOR,
        ),
        Aim(
            f"at {calls} calls, recorder, finaliser and consent service use at most {OURS_MS:g} ms per call-second",
            f"{ranged(ours)} ms",
            ours.median <= OURS_MS,
        ),
    ]
