"""What needs no call: finalising, deciding, and the journal, each alone on one core."""

from __future__ import annotations

import resource
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from pbx_plugin.clock import now
from pbx_plugin.domain.book import Book
from pbx_plugin.domain.call import Direction, Mode, Number, Party, User
from pbx_plugin.domain.decide import decide
from pbx_plugin.domain.decision import Facts
from pbx_plugin.domain.entries import Entry, LegMoved, Side
from pbx_plugin.domain.naming import Sense, spool_name
from pbx_plugin.domain.policy import DepartmentRule, Exclusion, PolicyVersion
from pbx_plugin.domain.rulebook import Rulebook, Tenant
from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, Table, number, ranged
from pbx_plugin.sandbox.signals import bursts, write_wav
from pbx_plugin.storage.finalise import finalise
from pbx_plugin.storage.job import FinaliseJob
from pbx_plugin.storage.journal import FileJournal

Say = Callable[[str], None]

LENGTHS = {"1 minute": 60, "10 minutes": 600, "1 hour": 3600}
PEOPLE = 10_000
DECISIONS_A_SECOND = 50_000
TIMES_REAL_TIME = 2_500
_TENANT = str(uuid.UUID(int=1))
_PERIOD_S = 20


def finalising(folder: Path, runs: int, say: Say) -> Result:
    """Join two mono files to a stored stereo file, and let the tools that people know join them too."""
    began = time.monotonic()
    others = {"sox": shutil.which("sox"), "ffmpeg": shutil.which("ffmpeg")}
    rows, figures = [], {}
    for name, seconds in LENGTHS.items():
        say(name)
        job = _job(folder / f"finalise-{seconds}", seconds)
        cpu, wall = zip(*(_finalised(job) for _ in range(runs)), strict=True)
        speeds = Spread.of([seconds / one for one in cpu])
        figures[f"{name}: times real time per core"] = speeds.median
        row = [name, ranged(speeds), number(Spread.of(wall).median * 1000)]
        row += [_other(tool, path, job, seconds, runs) for tool, path in others.items()]
        rows.append(tuple(row))
        shutil.rmtree(job.spool.parent)
    slowest = min(figures.values())
    return Result(
        name="finalise",
        title="Finalising",
        method=(
            "Two mono files of 8 kHz, 16 bits become one stored recording: aligned, joined, hashed (SHA-256), "
            "searched for silence, peaks taken, synced, renamed. Times real time is by CPU time, that of one core. "
            "sox and ffmpeg do the joining alone, without hash, peaks or sync, and are told not to use more than "
            "one thread."
        ),
        runs=f"{runs} runs each.",
        tables=(Table(("length", "x real time per core", "ms from start to end", "sox, x", "ffmpeg, x"), tuple(rows)),),
        aims=(
            Aim(
                f"at least {TIMES_REAL_TIME:,} times real time a core",
                f"{number(slowest)}, where it was slowest",
                slowest >= TIMES_REAL_TIME,
            ),
        ),
        figures=figures,
        seconds=time.monotonic() - began,
    )


def _job(folder: Path, seconds: int) -> FinaliseJob:
    media, at = str(uuid.uuid4()), now()
    names = [spool_name(media, at, sense) for sense in (Sense.IN, Sense.OUT)]
    job = FinaliseJob(
        media_id=media, tenant_id=_TENANT, spool=folder / "spool", archive=folder / "archive", spool_in=names[0],
        spool_out=names[1], in_side=Side.LEFT, intended_at=at, in_at=at, out_at=at + timedelta(milliseconds=20),
        closed_at=at + timedelta(seconds=seconds + 1), shortest_ms=200,
    )  # fmt: skip
    job.archive.mkdir(mode=0o750, parents=True)
    for seed, path in enumerate(job.spool_files):
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        write_wav(path, np.tile(bursts(seed, _PERIOD_S), seconds // _PERIOD_S))
    return job


def _finalised(job: FinaliseJob) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.monotonic()
    stored = finalise(job)
    used = time.process_time() - cpu, time.monotonic() - wall
    for path in (stored.path, stored.peaks_path):
        (job.archive / path).unlink()
    return used


def _other(tool: str, path: str | None, job: FinaliseJob, seconds: int, runs: int) -> str:
    if path is None:
        return "not installed"
    one, other = map(str, job.spool_files)
    target = str(job.archive / f"{tool}.wav")
    command = [path, "--single-threaded", "-M", one, other, target]
    if tool == "ffmpeg":
        command = [path, "-v", "error", "-y", "-threads", "1", "-i", one, "-i", other]
        command += ["-filter_complex", "join=inputs=2:channel_layout=stereo", "-threads", "1", target]
    speeds = []
    for _ in range(runs):
        before = _children()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        speeds.append(seconds / max(_children() - before, 0.01))
    return ranged(Spread.of(speeds))


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def deciding(rounds: int, say: Say) -> Result:
    """Decide calls of ten thousand users, ten thousand numbers being excluded."""
    began = time.monotonic()
    say(f"{PEOPLE} users, {PEOPLE} exclusions")
    rules = _rulebook()
    start = time.process_time()
    book = Book.of(rules, datetime(2026, 1, 1, tzinfo=UTC))
    indexing = (time.process_time() - start) * 1000
    policy, exclusions = rules.policy_of(_TENANT), book.exclusions_of(_TENANT)
    cases = _cases(rules.users)
    speeds, verdicts = [], set()
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        start = time.process_time()
        for facts in cases:
            verdicts.add(decide(facts, policy, exclusions).rule)
        speeds.append(len(cases) / (time.process_time() - start))
    speed = Spread.of(speeds)
    return Result(
        name="decide",
        title="Deciding",
        method=(
            f"decide() with trace, for calls of all directions and modes of {PEOPLE:,} users in 50 departments, "
            f"{PEOPLE:,} exclusions (numbers, prefixes, users) being in force; every tenth call meets one. Asked one "
            "after the other in one thread."
        ),
        runs=f"{rounds} rounds of {len(cases):,} decisions; rules that won: {', '.join(map(str, sorted(verdicts)))}.",
        tables=(
            Table(
                ("", ""),
                (
                    ("decisions per second and core", ranged(speed)),
                    ("microseconds a decision", number(1e6 / speed.median)),
                    ("indexing the rulebook, ms, once a change", number(indexing)),
                ),
            ),
        ),
        aims=(
            Aim(
                f"at least {DECISIONS_A_SECOND:,} decisions a second and core",
                f"{number(speed.median)}",
                speed.median >= DECISIONS_A_SECOND,
            ),
        ),
        figures={"decisions per second": speed.median, "indexing ms": indexing},
        seconds=time.monotonic() - began,
    )


def _rulebook() -> Rulebook:
    users = tuple(
        User(
            id=f"u{n}", tenant_id=_TENANT, name=f"User {n}", extension=str(10_000 + n), mode=list(Mode)[n % 3],
            enrolled=n % 7 != 0, department_id=f"d{n % 50}", devices=(f"PJSIP/{10_000 + n}",),
        )
        for n in range(PEOPLE)
    )  # fmt: skip
    excluded = [Exclusion(f"x{n}", f"+4520{n:06d}") for n in range(PEOPLE - 200)]
    excluded += [Exclusion(f"p{n}", f"+4699{n:02d}", prefix=True) for n in range(100)]
    excluded += [Exclusion(f"w{n}", user_id=f"u{n * 97}") for n in range(100)]
    departments = {Direction.INCOMING: DepartmentRule(department_ids=frozenset(f"d{n}" for n in range(0, 50, 2)))}
    policy = PolicyVersion(_TENANT, number=1, departments=departments)
    tenant = Tenant(_TENANT, "Benchmark")
    return Rulebook(1, {_TENANT: tenant}, users, policies={_TENANT: policy}, exclusions={_TENANT: tuple(excluded)})


def _cases(users: tuple[User, ...]) -> list[Facts]:
    cases = []
    for n, user in enumerate(users):
        direction = list(Direction)[n % 4 % 3]
        national = f"20{n // 10:06d}" if n % 10 == 0 else f"31{n:06d}"
        number_ = Number(national, f"+45{national}")
        other = Party(Number(users[n - 1].extension), users[n - 1])
        others = (other,) if direction is Direction.INTERNAL else (Party(number_),)
        dialled = number_ if direction is Direction.OUTGOING else Number(user.extension)
        cases.append(Facts(user, direction, others, dialled=dialled))
    return cases


def journalling(folder: Path, entries: int, say: Say) -> Result:
    """Append to a journal durably: alone, and as many threads at once as the recorder has."""
    began = time.monotonic()
    rows, figures = [], {}
    for writers in (1, 8, 32):
        say(f"{writers} at once")
        cost, rate = _journalled(folder / f"journal-{writers}", entries, writers)
        rows.append((f"{writers} at once", number(rate), number(cost.median), number(cost.percentile(99))))
        figures[f"{writers} writers: entries per second"] = rate
    return Result(
        name="journal",
        title="Journal",
        method=(
            "One entry an append (a step of a call's time line), durable when the append returns: one fdatasync, "
            "shared by those who wait at the same time. Nothing is applied to a database meanwhile. A recorder "
            "writes all entries of one happening in one append; how many a recorded call takes stands under "
            "Waiting."
        ),
        runs=f"{entries} entries each.",
        tables=(Table(("appending", "entries per second", "p50 ms", "p99 ms"), tuple(rows)),),
        figures=figures,
        seconds=time.monotonic() - began,
    )


def _journalled(folder: Path, entries: int, writers: int) -> tuple[Spread, float]:
    journal = FileJournal(folder, "bench", None)

    def write(share: int) -> list[float]:
        costs = []
        for place in range(share):
            entry: Entry = LegMoved(f"call-{place}", "1795325042.1", now(), "joined", "a bridge of some forty letters")
            start = time.monotonic()
            journal.append(entry)
            costs.append((time.monotonic() - start) * 1000)
        return costs

    try:
        start = time.monotonic()
        with ThreadPoolExecutor(writers) as pool:
            costs = [cost for part in pool.map(write, [entries // writers] * writers) for cost in part]
        return Spread.of(costs), len(costs) / (time.monotonic() - start)
    finally:
        journal.close(0.0)
