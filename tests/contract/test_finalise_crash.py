"""Finalising against a real disk: killed at every step, out of room, two workers at once.

The file is also its own worker: ``python test_finalise_crash.py FOLDER`` finalises in a fresh process and, for each
step, in a fork of it that is killed there.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbx_plugin.domain.entries import Side
from pbx_plugin.domain.naming import Sense, parse_archive, spool_name
from pbx_plugin.storage.errors import DiskFullError
from pbx_plugin.storage.finalise import finalise
from pbx_plugin.storage.job import FinaliseJob
from pbx_plugin.storage.wav import header

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MEDIA = "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11"
TENANT = "7e57ab1e-0000-4000-8000-000000000001"
SECONDS = 25

TOUCHING = ("mkdir", "chmod", "open", "ftruncate", "fchmod", "write", "fsync", "replace", "close")
"""The calls of ``os`` with which finalising touches the disk."""


def given_segment(folder: Path) -> FinaliseJob:
    """Put down a spool with both sides of a segment, unless it is there, and an empty archive."""
    (folder / "archive").mkdir(exist_ok=True, parents=True)
    job = FinaliseJob(
        media_id=MEDIA,
        tenant_id=TENANT,
        spool=folder / "spool",
        archive=folder / "archive",
        spool_in=spool_name(MEDIA, NOON, Sense.IN),
        spool_out=spool_name(MEDIA, NOON, Sense.OUT),
        in_side=Side.RIGHT,
        intended_at=NOON,
        in_at=NOON,
        out_at=NOON + timedelta(milliseconds=20),
        closed_at=NOON + timedelta(seconds=SECONDS),
        shortest_ms=200,
    )
    noise = np.random.default_rng(7)
    for path in job.spool_files:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            sound = noise.integers(-9000, 9000, 8000 * SECONDS, dtype=np.int16)
            path.write_bytes(header(8000, 1, len(sound)) + sound.tobytes())
    return job


def lying_in(folder: Path) -> dict[str, str]:
    """Name every file under a folder with its hash."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Steps:
    """Counts the touches of the disk, and dies at one of them: before it, or half way through a write."""

    def __init__(self, deadly: int = -1) -> None:
        self.taken = 0
        self.deadly = deadly

    def watch(self, name: str) -> None:
        real: Callable[..., Any] = getattr(os, name)

        def step(*args: Any, **options: Any) -> Any:
            if self.taken == self.deadly:
                if name == "write":
                    real(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            self.taken += 1
            return real(*args, **options)

        setattr(os, name, step)


def killed_in_a_fork(job: FinaliseJob, deadly: int) -> int:
    """Finalise in a child that dies at one step; return the signal that ended it (0: it lived)."""
    child = os.fork()
    if not child:
        steps = Steps(deadly)
        for name in TOUCHING:
            steps.watch(name)
        finalise(job)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at_every_step(folder: Path) -> dict[str, Any]:
    """Kill finalising at step 0, 1, 2 … of a new segment, look, finalise again; stop when it lives to the end."""
    whole = given_segment(folder / "whole")
    expected = finalise(whole)
    right = lying_in(whole.archive)
    spool = lying_in(whole.spool)
    deaths, wrong = 0, []
    for deadly in range(1000):
        job = given_segment(folder / str(deadly))
        died = killed_in_a_fork(job, deadly)
        left = lying_in(job.archive)
        named_final = {name: digest for name, digest in left.items() if not (parse_archive(name) or _FOREIGN).part}
        if any(right.get(name) != digest for name, digest in named_final.items()):
            wrong.append(f"step {deadly}: a final name on an incomplete file")
        if expected.path in named_final and expected.peaks_path not in named_final:
            wrong.append(f"step {deadly}: sound without peaks")
        if finalise(job) != expected or lying_in(job.archive) != right:
            wrong.append(f"step {deadly}: the second run differs")
        if lying_in(job.spool) != spool:
            wrong.append(f"step {deadly}: spool touched")
        if not died:
            return {"deaths": deaths, "wrong": wrong}
        deaths += died == -signal.SIGKILL
    raise AssertionError("finalising never ends")


class _Foreign:
    part = False


_FOREIGN = _Foreign()


def in_a_process(*arguments: str) -> dict[str, Any]:
    # One thread only: the process forks.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, timeout=50, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.wide
def test_killed_at_any_step_the_next_run_stores_the_same_bytes(tmp_path: Path) -> None:
    told = in_a_process("die", str(tmp_path))
    assert told["wrong"] == []
    assert told["deaths"] > 25, "mkdir, open, writes, syncs, renames: each was deadly once"


@pytest.mark.parametrize("room", [0, 30, 44, 100_000, 600_000])
def test_a_full_disk_is_said_leaves_nothing_half_written_and_keeps_the_spool(tmp_path: Path, room: int) -> None:
    job = given_segment(tmp_path)
    spool = lying_in(job.spool)
    told = in_a_process("full", str(tmp_path), str(room))
    assert told == {"error": "DiskFullError", "error_id": "disk full", "left": {}}
    assert lying_in(job.spool) == spool
    assert finalise(job).length_ms == SECONDS * 1000, "with room again it is stored"


def test_two_workers_at_once_store_it_once_and_agree(tmp_path: Path) -> None:
    job = given_segment(tmp_path)
    workers = [
        subprocess.Popen([sys.executable, __file__, "store", str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [json.loads(worker.communicate(timeout=50)[0]) for worker in workers]
    assert told[0] == told[1] == {"sha256": finalise(job).sha256}
    assert sorted(lying_in(job.archive)) == sorted([finalise(job).path, finalise(job).peaks_path])


@pytest.mark.wide
def test_an_hour_is_finalised_in_constant_memory(tmp_path: Path) -> None:
    short, long = (
        in_a_process("measure", str(tmp_path / name), minutes) for name, minutes in (("a", "2"), ("b", "60"))
    )
    assert long["length_ms"] == 3_600_000
    assert long["memory_kb"] - short["memory_kb"] < 24_000, "an hour of stereo is 115 MB"


def run_out_of_room(folder: Path, room: int) -> dict[str, Any]:
    job = given_segment(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        finalise(job)
    except DiskFullError as error:
        return {"error": type(error).__name__, "error_id": error.error_id, "left": lying_in(job.archive)}
    return {"left": lying_in(job.archive)}


def measure(folder: Path, minutes: int) -> dict[str, Any]:
    job = given_segment(folder)
    piece = np.random.default_rng(7).integers(-9000, 9000, 8000 * 60, dtype=np.int16).tobytes()
    for path in job.spool_files:
        with path.open("wb") as file:
            file.write(header(8000, 1, 8000 * 60 * minutes))
            for _ in range(minutes):
                file.write(piece)
    job = FinaliseJob(
        **{name: getattr(job, name) for name in FinaliseJob.__slots__ if name not in ("closed_at", "out_at")},
        closed_at=None,
        out_at=NOON,
    )
    result = finalise(job)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in (*job.spool_files, job.archive / result.path):
        path.unlink()
    return {"length_ms": result.length_ms, "memory_kb": memory}


def main(task: str, folder: str, *more: str) -> dict[str, Any]:
    where = Path(folder)
    if task == "die":
        return die_at_every_step(where)
    if task == "full":
        return run_out_of_room(where, int(more[0]))
    if task == "measure":
        return measure(where, int(more[0]))
    return {"sha256": finalise(given_segment(where)).sha256}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
