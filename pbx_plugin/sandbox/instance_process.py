"""Ending an Asterisk surely: one we started ourselves, or one that an earlier run of ours left in a folder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "asterisk.pid"


@dataclass(frozen=True)
class Running:
    """A process, told from any later one of the same number by the moment it began (clock ticks since boot)."""

    pid: int
    began: int

    def lives(self) -> bool:
        """Whether that very process is still there; a zombie is not."""
        return _began(self.pid) == self.began


def running(pid: int) -> Running | None:
    """The process that has this number now; None when there is none."""
    began = _began(pid)
    return None if began is None else Running(pid, began)


def write_pid_file(folder: Path, pid: int) -> None:
    """Remember in `folder` which process is its Asterisk."""
    began = _began(pid)
    if began is not None:
        path = folder / PID_FILE
        path.touch(mode=0o640)
        path.write_text(f"{pid} {began}\n")


def forget_pid_file(folder: Path) -> None:
    """The Asterisk of `folder` has ended."""
    (folder / PID_FILE).unlink(missing_ok=True)


def running_in(folder: Path) -> Running | None:
    """The Asterisk that runs in `folder`, whoever started it; None when there is none.

    A pid file alone is not believed: the process must have begun when the file says, and have been started with the
    folder's configuration.
    """
    try:
        pid, began = (int(word) for word in (folder / PID_FILE).read_text().split())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    found = Running(pid, began)
    ours = os.fsencode(folder.resolve() / "etc" / "asterisk.conf") in words
    return found if ours and found.lives() else None


def stop_left_over(folder: Path, patience: float = 5.0) -> bool:
    """End the Asterisk that runs in `folder`, and what it started; False when none runs there.

    TERM first, KILL after `patience` seconds.
    """
    found = running_in(folder)
    if found is None:
        return False
    for sign in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(found.pid, sign)
        until = time.monotonic() + (0.0 if sign == signal.SIGCONT else patience)
        while found.lives() and time.monotonic() < until:
            time.sleep(0.05)
    forget_pid_file(folder)
    return True


class Lifeline:
    """Ends a process group when this process is gone, however it went: also by KILL, when nothing of it can clean up.

    `mark` is a word of the group leader's command line, by which it is told from a later process of the same number.
    """

    _WATCH = """\
read -r _
alive() { grep -qaF -e "$2" "/proc/$1/cmdline" 2>/dev/null; }
alive "$@" && kill -CONT "-$1" && kill -TERM "-$1"
for _ in 1 2 3 4 5 6; do alive "$@" || exit 0; sleep 0.5; done
kill -KILL "-$1"
"""

    def __init__(self, pid: int, mark: str) -> None:
        self._watcher = subprocess.Popen(
            ["sh", "-c", self._WATCH, "sh", str(pid), mark],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def untie(self) -> None:
        """Watch no longer, and end nothing; again is harmless."""
        self._watcher.kill()
        self._watcher.communicate()


def has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether our child has ended; unlike `poll` this keeps its number taken, so that its group can still be named."""
    if child.returncode is not None:
        return True
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end_group(child: subprocess.Popen[bytes], patience: float | None) -> None:
    """Wait `patience` seconds for `child` to end by itself, as long again after TERM, then KILL it and all its group.

    Without patience (None) KILL comes at once, as a crash would. `child` must lead a process group of its own.
    """
    if child.returncode is not None:
        return
    if patience is not None and not _ends_within(child, patience):
        os.killpg(child.pid, signal.SIGTERM)
        _ends_within(child, patience)
    # Also when it ended by itself: scripts it started may still run. Its number is taken until `wait`.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _ends_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not has_ended(child):
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True


def _began(pid: int) -> int | None:
    try:
        # The name, in parentheses, may hold anything; what follows its last parenthesis is well formed.
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
