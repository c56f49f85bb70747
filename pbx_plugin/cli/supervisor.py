"""Keeps several processes running: each in its own process group, restarted with back-off, all stopped together.

On Linux they are told to end (SIGTERM) when this process is gone, however it went: killed, it could not tell them, and
the next one could not start while the old ones hold ports and journals.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STEADY = 60.0
"""After so many seconds of life a process counts as well, and its next restart is quick again."""
LOOK_EVERY = 0.2

PR_SET_PDEATHSIG = 1
"""From Linux's ``<sys/prctl.h>``: which signal a process gets when the thread that started it ends."""


@dataclass
class _Charge:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = SHORTEST_PAUSE


class Supervisor:
    """Runs commands until :meth:`stop` is called; the death of one never touches another. ``say`` is told what happens.

    ``wait(seconds)`` returns True when it is time to stop; it is the only place where time passes.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        say: Callable[[str], None],
        wait: Callable[[float], bool],
        *,
        shortest_pause: float = SHORTEST_PAUSE,
        patience: float = 15.0,
    ) -> None:
        self._charges = [_Charge(name, command, pause=shortest_pause) for name, command in commands.items()]
        self._say = say
        self._wait = wait
        self._shortest_pause = shortest_pause
        self._patience = patience
        self._ends_with_us = _ends_with(os.getpid())

    def run(self) -> None:
        """Start everything, restart what dies, and stop everything when ``wait`` says so, however this ends."""
        try:
            while True:
                for charge in self._charges:
                    self._look_after(charge)
                if self._wait(LOOK_EVERY):
                    return
        finally:
            self.stop()

    def stop(self) -> None:
        """End every process group: first asked (SIGTERM), after ``patience`` seconds killed. Again is harmless."""
        for charge in self._charges:
            _signal(charge, signal.SIGTERM)
        until = monotonic() + self._patience
        for charge in self._charges:
            if charge.process is None:
                continue
            try:
                charge.process.wait(max(until - monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                self._say(f"{charge.name} did not end when asked: killed")
            # The group may hold more than the process: what it left behind goes too.
            _signal(charge, signal.SIGKILL)
            charge.process.wait()
            charge.process = None

    def _look_after(self, charge: _Charge) -> None:
        now = monotonic()
        if charge.process is not None:
            code = charge.process.poll()
            if code is None:
                return
            _signal(charge, signal.SIGKILL)
            charge.process = None
            if now - charge.started >= STEADY:
                charge.pause = self._shortest_pause
            charge.due = now + charge.pause
            self._say(f"{charge.name} ended ({_ending(code)}): started again in {charge.pause:g} s")
            charge.pause = min(charge.pause * 2, LONGEST_PAUSE)
        if now >= charge.due:
            charge.process = subprocess.Popen(
                charge.command,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=self._ends_with_us,  # noqa: PLW1509  # there is one thread only
            )
            charge.started = now
            self._say(f"{charge.name} started (process {charge.process.pid})")


def _ends_with(parent: int) -> Callable[[], None] | None:
    """Return what a child does before it becomes its command, so that it ends with ``parent``; None where it cannot.

    It runs between fork and exec, where little is safe: the library is looked up here, before the fork.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        # Only a death from now on is told. A parent that died a moment ago has been replaced by another.
        if os.getppid() != parent:
            os._exit(1)

    return bind


def _signal(charge: _Charge, number: signal.Signals) -> None:
    # Every process leads a group of its own, so its id is the group's.
    if charge.process is not None:
        with suppress(ProcessLookupError):
            os.killpg(charge.process.pid, number)


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
