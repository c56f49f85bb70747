"""What the machine is, and how much CPU time processes have used on it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from pbx_plugin.sandbox.bench_report import Machine
from pbx_plugin.sandbox.provision import ensure_asterisk

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def machine(folder: Path) -> Machine:
    """Describe this machine; `folder` is where the benchmarks write."""
    return Machine(
        cpu=cpu_model((PROC / "cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        memory=f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        system=f"{_distribution()}, Linux {platform.release()}",
        disk=filesystem((PROC / "mounts").read_text(), folder.resolve()),
        python=platform.python_version(),
        asterisk=ensure_asterisk().version,
    )


def cpu_model(cpuinfo: str) -> str:
    """Return the processor's name from `/proc/cpuinfo`; its architecture where it has none (ARM)."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return " ".join(value.split())
    return platform.machine()


def filesystem(mounts: str, folder: Path) -> str:
    """Return the file system that holds the folder, from `/proc/mounts`: a sync costs nothing on some."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        where, what = line.split()[1:3]
        if folder.is_relative_to(where) and len(where) >= len(best):
            best, kind = where, what
    return kind


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU seconds that these processes and all their descendants, dead ones too, have used so far."""
    stats = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            stats[int(path.parent.name)] = read_stat(path.read_text())
        except (OSError, ValueError, IndexError):
            continue  # it ended while we looked
    wanted = set(pids)
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in stats.items() if parent in wanted} - wanted
        wanted |= more
        grown = bool(more)
    return sum(stats[pid][1] for pid in wanted if pid in stats) / _TICKS


def read_stat(stat: str) -> tuple[int, int]:
    """Return parent and CPU ticks (its own and its ended children's) from a `/proc/PID/stat`."""
    # The name, in parentheses, may hold anything; what follows its last parenthesis is well formed.
    fields = stat.rsplit(")", 1)[1].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15])


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
