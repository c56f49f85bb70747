"""What lies in archive and spool against what the books know."""

from __future__ import annotations

from pathlib import Path

import pytest
from segment_builder import MEDIA, TENANT, segment_in, tone

from pbx_plugin.storage.archive import ArchiveScan, SpoolScan, scan_archive, scan_spool
from pbx_plugin.storage.errors import StorageError
from pbx_plugin.storage.finalise import finalise

OTHER = "ffffffff-6d1a-4c58-9a53-2f1f6f0f9a11"
DAY = "2026/11/22"


def test_a_tidy_house_has_nothing_to_report(tmp_path: Path) -> None:
    assert scan_archive(tmp_path, []) == ArchiveScan((), (), (), (), ())
    assert scan_spool(tmp_path, []) == SpoolScan((), (), ())
    finalise(segment_in(tmp_path).given(tone(400, 1), None).job)
    assert scan_archive(tmp_path / "archive", [MEDIA]) == ArchiveScan((), (), (), (), ())


def test_files_without_row_rows_without_file_and_litter_are_told_apart(tmp_path: Path) -> None:
    finalise(segment_in(tmp_path).given(tone(400, 1), None).job)
    archive = tmp_path / "archive"
    (archive / TENANT / DAY / f"{MEDIA}.peaks.json").unlink()
    for name in (f"{OTHER}.wav", f"{OTHER}.peaks.json", f".{OTHER}.wav.part", "notes.txt"):
        (archive / TENANT / DAY / name).write_text("x")
    lost = "aaaaaaaa-6d1a-4c58-9a53-2f1f6f0f9a11"
    assert scan_archive(archive, [MEDIA, lost]) == ArchiveScan(
        unknown=(f"{TENANT}/{DAY}/{OTHER}.peaks.json", f"{TENANT}/{DAY}/{OTHER}.wav"),
        missing=(lost,),
        without_peaks=(MEDIA,),
        leftover=(f"{TENANT}/{DAY}/.{OTHER}.wav.part",),
        foreign=(f"{TENANT}/{DAY}/notes.txt",),
    )


def test_the_spool_shows_what_waits_and_what_nobody_waits_for(tmp_path: Path) -> None:
    segment_in(tmp_path).given(tone(400, 1), None)
    segment_in(tmp_path, OTHER).given(None, tone(400, 1))
    spool = tmp_path / "spool"
    (spool / "monitor.wav").write_text("somebody else's")
    (spool / "pbxrec" / "x").write_text("?")
    assert scan_spool(spool, [MEDIA]) == SpoolScan(
        unknown=(f"pbxrec/{DAY}/{OTHER}-out.wav",),
        waiting=(f"pbxrec/{DAY}/{MEDIA}-in.wav",),
        foreign=("pbxrec/x",),
    )


def test_an_archive_that_cannot_be_read_is_an_error_not_a_loss(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        scan_archive(tmp_path / "not mounted", [MEDIA])
