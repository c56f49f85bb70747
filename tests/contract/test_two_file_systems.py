"""The spool on one file system, the archive on another: what is stored was read back, and only then the spool goes.

Where a tmpfs may be mounted the archive is one; elsewhere two folders stand for the two.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from pbx_plugin.domain.entries import Side
from pbx_plugin.domain.naming import Sense, spool_name
from pbx_plugin.storage.errors import DiskFullError, NotAsWrittenError
from pbx_plugin.storage.finalise import discard_spool, finalise
from pbx_plugin.storage.job import FinaliseJob
from pbx_plugin.storage.wav import header

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MEDIA = "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11"
TENANT = "7e57ab1e-0000-4000-8000-000000000001"
SECONDS = 20
ARCHIVE_KB = 1024


def mounted(folder: Path) -> bool:
    """Put a small file system of its own there, if we may."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ARCHIVE_KB}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    return made.returncode == 0


@pytest.fixture
def job(tmp_path: Path) -> Iterator[FinaliseJob]:
    spool, archive = tmp_path / "spool", tmp_path / "archive"
    spool.mkdir()
    archive.mkdir()
    apart = mounted(archive)
    names = {sense: spool_name(MEDIA, NOON, sense) for sense in Sense}
    try:
        yield FinaliseJob(
            media_id=MEDIA,
            tenant_id=TENANT,
            spool=spool,
            archive=archive,
            spool_in=names[Sense.IN],
            spool_out=names[Sense.OUT],
            in_side=Side.RIGHT,
            intended_at=NOON,
            in_at=NOON,
            out_at=NOON,
            closed_at=NOON + timedelta(seconds=3600),
            shortest_ms=200,
        )
    finally:
        if apart:
            subprocess.run(["umount", str(archive)], check=True)


def recorded(job: FinaliseJob, seconds: int = SECONDS) -> None:
    noise = np.random.default_rng(1).integers(-8000, 8000, seconds * 8000).astype("<i2")
    for path in job.spool_files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(header(8000, 1, len(noise)) + noise.tobytes())


def test_what_is_stored_over_there_is_what_was_recorded_here(job: FinaliseJob) -> None:
    recorded(job)
    result = finalise(job)
    path = job.archive / result.path
    assert hashlib.sha256(path.read_bytes()).hexdigest() == result.sha256
    assert (result.length_ms, path.stat().st_size) == (SECONDS * 1000, result.size)
    left, right = (np.frombuffer(one.read_bytes()[44:], "<i2") for one in reversed(job.spool_files))
    both = np.frombuffer(path.read_bytes()[44:], "<i2").reshape(-1, 2)
    assert (both[:, 0] == left).all()
    assert (both[:, 1] == right).all()
    assert len(discard_spool(job)) == 2


def test_a_disk_that_gives_back_something_else_stores_nothing_and_the_spool_stays(
    job: FinaliseJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(job)
    sync = os.fsync

    def rots(fd: int) -> None:
        sync(fd)
        if os.fstat(fd).st_size > ARCHIVE_KB * 100:
            os.pwrite(fd, b"\x01\x02\x03", 5000)

    with monkeypatch.context() as patched:
        patched.setattr("pbx_plugin.storage.finalise.os.fsync", rots)
        with pytest.raises(NotAsWrittenError, match="does not read back"):
            finalise(job)
    assert [path for path in job.archive.rglob("*") if path.is_file()] == []
    assert all(path.is_file() for path in job.spool_files)
    assert finalise(job).length_ms == SECONDS * 1000


def test_a_full_archive_stores_nothing_and_the_spool_waits_for_room(job: FinaliseJob) -> None:
    recorded(job)
    filler = job.archive / "filler"
    if job.archive.is_mount():
        filler.write_bytes(bytes(900 * 1024))
        with pytest.raises(DiskFullError):
            finalise(job)
        assert [path for path in job.archive.rglob("*") if path.is_file()] == [filler]
        filler.unlink()
    assert all(path.is_file() for path in job.spool_files)
    assert finalise(job).length_ms == SECONDS * 1000
