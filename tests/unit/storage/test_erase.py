"""Erasing a segment's sound: wherever it lies, only its own, as often as asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from segment_builder import MEDIA, NOON, TENANT, Segment, segment_in, tone

from pbx_plugin.storage.erase import erase
from pbx_plugin.storage.errors import StorageError
from pbx_plugin.storage.finalise import finalise

OTHER = "ffffffff-6d1a-4c58-9a53-2f1f6f0f9a11"


def erased(segment: Segment) -> tuple[str, ...]:
    job = segment.job
    return erase(media_id=job.media_id, tenant_id=TENANT, intended_at=NOON, spool=job.spool, archive=job.archive)


def test_a_refused_call_leaves_no_sound_anywhere(tmp_path: Path) -> None:
    refused = segment_in(tmp_path).given(tone(400, 1), tone(700, 1))
    kept = segment_in(tmp_path, OTHER).given(tone(500, 1), tone(800, 1))
    finalise(refused.job)
    finalise(kept.job)
    folder = f"{TENANT}/2026/11/22"
    for part in (f".{MEDIA}.wav.part", f".{MEDIA}.peaks.json.part"):
        (tmp_path / "archive" / folder / part).write_bytes(b"half")
    assert erased(refused) == (
        f"pbxrec/2026/11/22/{MEDIA}-in.wav",
        f"pbxrec/2026/11/22/{MEDIA}-out.wav",
        f"{folder}/.{MEDIA}.wav.part",
        f"{folder}/.{MEDIA}.peaks.json.part",
        f"{folder}/{MEDIA}.wav",
        f"{folder}/{MEDIA}.peaks.json",
    )
    assert refused.files("spool") == [f"pbxrec/2026/11/22/{OTHER}-{sense}.wav" for sense in ("in", "out")]
    assert refused.files("archive") == [f"{folder}/{OTHER}.peaks.json", f"{folder}/{OTHER}.wav"]
    assert erased(refused) == ()


def test_erasing_before_anything_was_recorded_is_no_error(tmp_path: Path) -> None:
    assert erased(segment_in(tmp_path)) == ()


def test_one_file_that_cannot_go_does_not_save_the_others(tmp_path: Path) -> None:
    segment = segment_in(tmp_path).given(None, tone(700, 1))
    finalise(segment.job)
    segment.job.spool_files[0].mkdir()
    with pytest.raises(StorageError, match=MEDIA):
        erased(segment)
    assert segment.files("spool") == segment.files("archive") == []


def test_a_link_is_removed_and_not_what_it_points_at(tmp_path: Path) -> None:
    segment = segment_in(tmp_path).given(None, None)
    precious = tmp_path / "precious"
    precious.write_text("x")
    segment.job.spool_files[0].symlink_to(precious)
    assert len(erased(segment)) == 1
    assert precious.read_text() == "x"


def test_a_hostile_tenant_id_erases_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tenant"):
        erase(media_id=MEDIA, tenant_id="..", intended_at=NOON, spool=tmp_path, archive=tmp_path)


def test_erasing_while_a_worker_finalises_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = segment_in(tmp_path).given(tone(400, 1), tone(700, 1))
    real = os.fsync
    done: list[tuple[str, ...]] = []

    def erase_meanwhile(fd: int) -> None:
        real(fd)
        if not done and any((tmp_path / "archive").rglob("*.part")):
            done.append(())
            done[0] = erased(segment)

    monkeypatch.setattr(os, "fsync", erase_meanwhile)
    with pytest.raises(StorageError):
        finalise(segment.job)
    assert len(done[0]) == 3
    assert segment.files("spool") == segment.files("archive") == []
