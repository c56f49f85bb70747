"""Durable file work: folders and files with our rights whatever the umask, and deeds that survive a power cut."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_MODE = 0o640
FOLDER_MODE = 0o750


def make_folder(root: Path, relative: str) -> Path:
    """Make the folder ``relative`` under ``root`` durably, each new level with mode 0750, and return it.

    ``root`` itself must be there (FileNotFoundError): making it would fill the system disk when the archive's own
    disk is not mounted.
    """
    folder = root
    os.stat(root)  # noqa: PTH116  (only for its FileNotFoundError, before anything is made)
    for name in relative.split("/"):
        parent, folder = folder, folder / name
        try:
            os.mkdir(folder, FOLDER_MODE)  # noqa: PTH102  (one level, and only if it is new)
        except FileExistsError:
            continue
        os.chmod(folder, FOLDER_MODE)  # noqa: PTH101
        sync_folder(parent)
    return folder


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, content: bytes | memoryview) -> None:
    """Write all of it. Raises OSError when the disk takes only a part."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


@contextmanager
def claimed(part: Path) -> Iterator[int]:
    """Open the unfinished file ``part``, empty, for this process alone; waits while another process holds it.

    A recorder that was killed may leave a worker behind that is still writing while its successor begins.
    What is left under the name at the end is for the caller to rename or remove.
    """
    while True:
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if _is(part, fd):
                os.ftruncate(fd, 0)
                os.fchmod(fd, FILE_MODE)
                yield fd
                return
        finally:
            os.close(fd)


def write_durably(path: Path, content: bytes) -> None:
    """Write a whole small file and make its content durable (its name is durable once the folder is synced)."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(fd, FILE_MODE)
        write_all(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(path: Path) -> bool:
    """Remove a file (a link, not what it points at); False when there was none. Raises OSError if it may not."""
    try:
        os.unlink(path)  # noqa: PTH108
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _is(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))  # noqa: PTH116
    except FileNotFoundError:
        return False
