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


def pieces(fd: int, first: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Yield a file's bytes from ``first`` to before ``end`` (None: its end), and close it, read to the end or not."""
    with os.fdopen(fd, "rb", buffering=0) as file:
        file.seek(first)
        left = None if end is None else end - first
        while left is None or left > 0:
            piece = file.read(CHUNK if left is None else min(CHUNK, left))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece
