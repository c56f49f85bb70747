"""Opening stored sound for reading: never outside the archive, never through a link, never anything but a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

CHUNK = 64 * 1024


def open_stored(archive: Path, name: str) -> int:
    """Open a file of the archive by its name relative to it, and return its descriptor; the caller closes it.

    Raises FileNotFoundError when it is not there, or would be outside; OSError when it cannot be read.
    """
    root = archive.resolve()
    place = (root / name).resolve()
    if not name or not place.is_relative_to(root) or place != root / name:
        raise FileNotFoundError(f"not a file of the archive: {name!r}")
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(f"not an ordinary file: {name!r}")
    return fd


class pieces(Iterator[bytes]):  # noqa: N801  (used as a function)
    """The bytes of an open file from ``first`` to before ``end`` (None: its end).

    The file is closed at the end, by :meth:`close`, or when nobody holds this any more, begun or not.
    """

    def __init__(self, fd: int, first: int = 0, end: int | None = None) -> None:
        self._fd = fd
        self._open = True
        self._at = first
        self._end = end

    def __next__(self) -> bytes:
        """Return the next bytes. Raises OSError when the disk refuses."""
        wanted = CHUNK if self._end is None else min(CHUNK, self._end - self._at)
        piece = os.pread(self._fd, wanted, self._at) if self._open and wanted > 0 else b""
        if not piece:
            self.close()
            raise StopIteration
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        if self._open:
            self._open = False
            os.close(self._fd)

    def __del__(self) -> None:
        self.close()
