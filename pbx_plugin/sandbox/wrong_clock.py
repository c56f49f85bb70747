"""A clock of its own for one process, so that a test can set it back or forward while that process works.

The machine's clock is never touched. `libfaketime` stands in front of the C library's clock in the processes that are
started with `WrongClock.environment`, and reads from a file how far off they are to believe themselves to be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path

from pbx_plugin.sandbox.provision import cache_dir
from pbx_plugin.sandbox.provision_debian import Apt
from pbx_plugin.sandbox.provision_error import ProvisionError

LIBRARY = "libfaketimeMT.so.1"
"""The variant for programs with threads: the other one would let two of them read its file into one buffer."""


class WrongClock:
    """How far some processes' clock is off, kept in `folder`; right until :meth:`set_off`.

    Only the clock of the day is moved, as when an administrator or a time server sets it: timers that count from the
    machine's start go on evenly, and files keep the times that the kernel gave them.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set_off(timedelta())

    @property
    def environment(self) -> dict[str, str]:
        """What a process must be started with. Raises ProvisionError when there is no libfaketime to be had."""
        return {
            "LD_PRELOAD": str(ensure_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def set_off(self, by: timedelta) -> None:
        """Set the clock `by` ahead of the machine's (negative: behind it), at once and for all its processes."""
        handle, name = tempfile.mkstemp(prefix="clock.", dir=self._file.parent)
        with os.fdopen(handle, "w") as file:
            file.write(f"{by.total_seconds():+.0f}\n")
        Path(name).replace(self._file)


def ensure_library() -> Path:
    """Return libfaketime: the machine's own, else Debian's package unpacked once into the cache; nothing is installed.

    Raises ProvisionError when there is neither.
    """
    return _library_below(Path("/")) or _library_below(_folder()) or _unpacked()


def _folder() -> Path:
    return cache_dir() / "faketime"


def _library_below(root: Path) -> Path | None:
    return next(iter(sorted(root.glob(f"usr/lib/*/faketime/{LIBRARY}"))), None)


def _unpacked() -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ProvisionError("There is no libfaketime here, and no apt to get one: please install it.")
    cache_dir().mkdir(mode=0o750, parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="faketime.making-", dir=cache_dir()))
    try:
        apt = Apt(work / "apt", None, None)
        failure = apt.run("update", "-qq") or apt.run("download", "-qq", "libfaketime")
        if failure is not None:
            raise ProvisionError(f"libfaketime could not be fetched from this machine's Debian mirror.\n{failure}")
        for package in apt.folder.glob("libfaketime_*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, work / "tree"], check=True)
        found = _library_below(work / "tree")
        if found is None:
            raise ProvisionError("Debian's package of libfaketime does not hold what it used to.")
        if not _folder().exists():  # another run may have been quicker
            (work / "tree").rename(_folder())
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _folder() / found.relative_to(work / "tree")
