"""Durable file work: what is synced before it is named, and one writer at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from segment_builder import segment_in, tone

from pbx_plugin.storage.files import claimed, make_folder
from pbx_plugin.storage.finalise import finalise


def test_content_is_on_disk_before_its_name_and_the_name_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(fd: int) -> None:
        told.append(f"sync {Path(f'/proc/self/fd/{fd}').readlink().name}")
        real_sync(fd)

    def rename(source: Path, target: Path) -> None:
        told.append(f"name {target.name}")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    segment = segment_in(tmp_path).given(tone(400, 1), tone(700, 1))
    job, media = segment.job, segment.job.media_id
    finalise(job)
    assert told == [
        "sync archive",
        f"sync {job.tenant_id}",
        "sync 2026",
        "sync 11",
        f"sync .{media}.wav.part",
        f"sync .{media}.peaks.json.part",
        f"name {media}.peaks.json",
        f"name {media}.wav",
        "sync 22",
    ]


@pytest.mark.parametrize("renamed", [True, False])
def test_a_second_writer_waits_and_never_writes_into_the_finished_file(tmp_path: Path, renamed: bool) -> None:
    part, final = tmp_path / ".x.part", tmp_path / "x"
    got = threading.Event()

    def second() -> None:
        with claimed(part) as fd:
            got.set()
            os.write(fd, b"second")

    thread = threading.Thread(target=second)
    with claimed(part) as fd:
        thread.start()
        os.write(fd, b"the first, longer")
        assert not got.wait(0.2), "the second writer did not wait"
        if renamed:
            part.rename(final)
    thread.join(10)
    assert got.is_set()
    assert part.read_bytes() == b"second"
    if renamed:
        assert final.read_bytes() == b"the first, longer"


def test_a_root_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_folder(tmp_path / "not mounted", "a/b")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_somebody_else_made_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    assert make_folder(tmp_path, "a/b") == tmp_path / "a" / "b"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
