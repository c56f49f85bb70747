"""Which files a process, and those it started, hold open below some folders: read from the kernel, not from them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for tasks in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):
                found.extend(int(word) for word in tasks.read_text().split())
    return found


def held_open(pids: Iterable[int], folders: Iterable[Path]) -> list[str]:
    """The open files of these processes below these folders, deleted ones too."""
    below = [folder.resolve() for folder in folders]
    found = []
    for pid in pids:
        for entry in _handles(pid):
            with suppress(OSError):  # closed while we looked
                path = entry.readlink()
                if any(path.is_relative_to(folder) for folder in below):
                    found.append(f"process {pid}: {path}")
    return found


def _handles(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []
