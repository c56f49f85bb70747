"""Disks that are full, for folders of a site: a small file system of their own, or a locked folder where none may be
mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SmallDisk:
    """A folder with little room. ``real`` tells whether it is a file system of its own: only that can fill in mid-file;
    a locked folder refuses new files alone."""

    def __init__(self, folder: Path, *, real: bool) -> None:
        self._folder = folder
        self._filler = folder / "filler"
        self.real = real

    def fill(self) -> None:
        """Leave no byte free."""
        if not self.real:
            for folder in self._folders():
                folder.chmod(0o550)
            return
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(65536)) == 65536:
                    pass
            except OSError:
                return

    def make_room(self) -> None:
        """Take back what filled it."""
        if self.real:
            self._filler.unlink(missing_ok=True)
            return
        for folder in self._folders():
            folder.chmod(0o750)

    def _folders(self) -> list[Path]:
        return [self._folder, *(path for path in self._folder.rglob("*") if path.is_dir())]


@contextmanager
def small(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Give a folder, which must be there, a disk of its own while this lasts."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0750", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        disk = SmallDisk(folder, real=False)
        try:
            yield disk
        finally:
            disk.make_room()
        return
    subprocess.run(mount, check=True)
    try:
        yield SmallDisk(folder, real=True)
    finally:
        # Somebody may have a file open there still: the old folder is back at once, the rest goes with its last user.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
