"""Compares what lies in archive and spool with what the books know."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pbx_plugin.domain.naming import SPOOL_FOLDER, Holding, parse_archive, parse_spool
from pbx_plugin.storage.errors import storage_error


@dataclass(frozen=True, slots=True)
class ArchiveScan:
    """Files are named relative to the archive, sorted.

    ``unknown`` are sounds and peaks without a row, ``missing`` media ids whose sound is not there, ``without_peaks``
    media ids whose picture is not there, ``leftover`` unfinished files, ``foreign`` files that we never named.
    """

    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    without_peaks: tuple[str, ...]
    leftover: tuple[str, ...]
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpoolScan:
    """Files in our folder of Asterisk's spool, relative to the spool, sorted.

    ``unknown`` belong to no open segment (stored and not discarded, or lost to the books), ``waiting`` to one.
    """

    unknown: tuple[str, ...]
    waiting: tuple[str, ...]
    foreign: tuple[str, ...]


def scan_archive(archive: Path, stored: Iterable[str]) -> ArchiveScan:
    """Walk the archive and compare it with the media ids that the books hold as stored.

    A file that appears or goes meanwhile may be reported: look again before acting on it. Links are not followed.
    Raises StorageError when a folder cannot be read, rather than calling its sounds missing.
    """
    known = set(stored)
    have: dict[Holding, set[str]] = {holding: set() for holding in Holding}
    unknown, leftover, foreign = [], [], []
    for path in _files(archive, archive):
        named = parse_archive(path)
        if named is None:
            foreign.append(path)
        elif named.part:
            leftover.append(path)
        elif named.media_id not in known:
            unknown.append(path)
        else:
            have[named.holding].add(named.media_id)
    with_sound = have[Holding.AUDIO]
    return ArchiveScan(
        tuple(sorted(unknown)),
        tuple(sorted(known - with_sound)),
        tuple(sorted(with_sound - have[Holding.PEAKS])),
        tuple(sorted(leftover)),
        tuple(sorted(foreign)),
    )


def scan_spool(spool: Path, open_media: Iterable[str]) -> SpoolScan:
    """Walk our folder in Asterisk's spool and compare it with the media ids of open segments.

    A spool without our folder is an empty one: Asterisk makes it with the first recording.
    Raises StorageError when a folder cannot be read.
    """
    known = set(open_media)
    unknown, waiting, foreign = [], [], []
    ours = spool / SPOOL_FOLDER
    for path in _files(ours, spool) if ours.exists() else ():
        named = parse_spool(path)
        if named is None or not path.endswith(".wav"):
            foreign.append(path)
        elif named.media_id in known:
            waiting.append(path)
        else:
            unknown.append(path)
    return SpoolScan(tuple(sorted(unknown)), tuple(sorted(waiting)), tuple(sorted(foreign)))


def _files(folder: Path, root: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise storage_error(error, f"looking into {folder.name}")

    for where, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            yield str((Path(where) / name).relative_to(root))
