"""The doctor's look at the processor time that Asterisk gets: recordings suffer first when there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pbx_plugin.cli.check import Check, ok, warn
from pbx_plugin.settings import Settings

RUN_DIR = Path("/var/run/asterisk")
"""Where Asterisk notes its process id unless asterisk.conf says otherwise."""

REALTIME = {1: "SCHED_FIFO", 2: "SCHED_RR"}
"""Scheduling policies under which a process comes before ordinary ones (sched(7))."""

_POLICY = 41
"""Field of /proc/PID/stat, counted from 1 as in proc(5)."""

MEND = (
    "asterisk.conf: [options] highpriority = yes (or start Asterisk with -p), then restart Asterisk when no call is up;"
    " in a container allow SYS_NICE"
)


def priority(settings: Settings, proc: Path = Path("/proc")) -> Iterator[Check]:
    """Look whether Asterisk comes before other processes. Nothing is said where it runs on another machine."""
    pid = _asterisk(settings.paths.asterisk_etc / "asterisk.conf", proc)
    policy = None if pid is None else _policy(proc / str(pid) / "stat")
    if policy is None:
        return
    if policy in REALTIME:
        yield ok("priority", f"Asterisk runs with realtime priority ({REALTIME[policy]})")
        return
    told = "Asterisk has no realtime priority: on a machine short of CPU, pieces of recordings are lost"
    yield warn("priority", told, MEND)


def _asterisk(conf: Path, proc: Path) -> int | None:
    """Return the process id that Asterisk noted, if that is an Asterisk."""
    try:
        text = conf.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^\s*astrundir\s*=>?\s*([^;\s]+)", text, re.MULTILINE)
    folder = Path(named[1]) if named else RUN_DIR
    try:
        pid = int((folder / "asterisk.pid").read_text(encoding="ascii"))
        command = (proc / str(pid) / "cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"asterisk" in command else None


def _policy(stat: Path) -> int | None:
    try:
        told = stat.read_text(encoding="ascii", errors="replace")
        # The second field is the program's name, in brackets, and may hold anything.
        return int(told.rpartition(")")[2].split()[_POLICY - 3])
    except (OSError, ValueError, IndexError):
        return None
