"""A zip file that is made while it is sent: nothing on disk, nothing squeezed, and no limit of size (zip64)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, cast

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LATEST_YEAR = 2107
_FILE_MODE = 0o100640


class ZipStream:
    """Collects what a zip file grows by. ``add`` yields bytes as they come; ``end`` yields the directory."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(cast("IO[bytes]", self._sink), "w", zipfile.ZIP_STORED, allowZip64=True)
        self._names: set[str] = set()

    def free_name(self, name: str) -> str:
        """Return the name, with a number before its ending where it is taken; and take it."""
        stem, dot, ending = name.rpartition(".")
        free, number = name, 1
        # Compared as Windows and macOS compare names: what differs by case only would be one file there.
        while free.casefold() in self._names:
            number += 1
            free = f"{stem}-{number}{dot}{ending}"
        self._names.add(free.casefold())
        return free

    def add(self, name: str, at: datetime, content: Iterable[bytes]) -> Iterator[bytes]:
        """Add a file and yield what the zip file grows by. ``at`` is shown as it reads, in the zone that it carries."""
        entry = zipfile.ZipInfo(name, _dos(at))
        entry.external_attr = _FILE_MODE << 16
        entry.create_system = 3
        with self._zip.open(entry, "w", force_zip64=True) as file:
            for piece in content:
                file.write(piece)
                yield self._sink.taken()
        yield self._sink.taken()

    def end(self) -> bytes:
        """Return the directory, which ends the file."""
        self._zip.close()
        return self._sink.taken()


class _Sink:
    """What zipfile writes into: it can only grow, so that zipfile never goes back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def taken(self) -> bytes:
        """Return what has come since the last time."""
        found = bytes(self._waiting)
        self._waiting.clear()
        return found


def _dos(at: datetime) -> tuple[int, int, int, int, int, int]:
    if at.year < _EARLIEST[0]:
        return _EARLIEST
    return min(at.year, _LATEST_YEAR), at.month, at.day, at.hour, at.minute, at.second
