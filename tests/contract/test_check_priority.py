"""The doctor says whether Asterisk comes before other processes, where it can see Asterisk at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pbx_plugin.cli.check_priority import priority
from pbx_plugin.settings import Paths, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "asterisk.conf").write_text(f"[directories](!)\nastrundir => {tmp_path} ; here\n")
    return Settings(paths=Paths(asterisk_etc=tmp_path))


def shown(tmp_path: Path, policy: int, command: bytes = b"/usr/sbin/asterisk\0-f\0") -> Path:
    """A /proc with one process, whose name is as awkward as a name can be."""
    (tmp_path / "asterisk.pid").write_text("4711\n")
    process = tmp_path / "proc" / "4711"
    process.mkdir(parents=True)
    (process / "cmdline").write_bytes(command)
    fields = [str(number) for number in range(4, 53)]
    fields[41 - 4] = str(policy)
    (process / "stat").write_text(f"4711 (aster) 2 (isk) S {' '.join(fields)}\n")
    return tmp_path / "proc"


@pytest.mark.parametrize(("policy", "health"), [(0, "warn"), (1, "ok"), (2, "ok"), (3, "warn")])
def test_an_asterisk_without_realtime_priority_is_something_to_look_at(
    tmp_path: Path, settings: Settings, policy: int, health: str
) -> None:
    (found,) = priority(settings, shown(tmp_path, policy))
    assert (found.name, found.health) == ("priority", health)
    assert ("highpriority = yes" in found.mend) == (health == "warn")


def test_an_asterisk_elsewhere_and_a_number_that_is_somebody_elses_by_now_say_nothing(
    tmp_path: Path, settings: Settings
) -> None:
    assert list(priority(settings, tmp_path)) == []
    assert list(priority(settings, shown(tmp_path, 0, b"/usr/bin/python3\0"))) == []
    assert list(priority(Settings(paths=Paths(asterisk_etc=tmp_path / "nowhere")), tmp_path)) == []


def test_a_real_process_is_read(tmp_path: Path, settings: Settings) -> None:
    # Its command line can be read once it has begun.
    begun = "print(flush=True); input()"
    command = [sys.executable, "-c", begun, "asterisk"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (tmp_path / "asterisk.pid").write_text(str(process.pid))
        found = list(priority(settings))
        process.communicate(b"\n")
    realtime = os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
    assert [one.health for one in found] == ["ok" if realtime else "warn"]
