"""One of the product's own services, run as the process that it is in production."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pbx_plugin.sandbox.instance_process import Lifeline, end_group, has_ended
from pbx_plugin.settings import CONFIG_VARIABLE

READY = {"recorder": "listening to Asterisk", "agi": "answering", "bridge": "listening to Asterisk"}
"""What a service logs when calls can come."""

SAYS = READY | {"api": "answering", "portal": "answering"}
"""The same of every service; calls need neither REST interface nor portal: those are started only where wanted."""

WORDS = {"portal": ("portal", "run")}
"""The command of a service, where that is not its name."""


def service_command(config: Path, name: str) -> list[str]:
    """Return the command line of a service: the file on it tells whose service a process is, in any list of them."""
    return [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(config), *WORDS.get(name, (name,))]


class ServiceError(Exception):
    """A service did not start; the text carries the end of its log."""


class Service:
    """``pbx-plugin NAME`` as a process group of its own, its log in the site's folder.

    ``within`` is a command that starts it somewhere else (in another network); ``extra`` goes into its environment.
    Both count from its next start on.
    """

    def __init__(self, name: str, folder: Path, config: Path, *, detached: bool = False) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._config = config
        self._detached = detached
        self._child: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None
        self._started_at = 0
        self.within: tuple[str, ...] = ()
        self.extra: dict[str, str] = {}

    @property
    def pid(self) -> int:
        """The process id. Raises ServiceError when it does not run."""
        if self._child is None or has_ended(self._child):
            raise ServiceError(f"the {self.name} is not running:\n{self.log_tail()}")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._child is not None and not has_ended(self._child)

    def start(self) -> None:
        """Start it; :meth:`wait_ready` tells when it is of use."""
        if self._child is not None and has_ended(self._child):
            self._end(None)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {CONFIG_VARIABLE: str(self._config), **self.extra}
        with os.fdopen(os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640), "ab") as log:
            self._started_at = log.tell()
            self._child = subprocess.Popen(
                [*self.within, *service_command(self._config, self.name)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not self._detached:
            self._lifeline = Lifeline(self._child.pid, "pbx_plugin.cli.main")

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until it says that calls can come. Raises ServiceError."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if SAYS[self.name] in self.said():
                return
            if self._child is None or has_ended(self._child):
                break
            time.sleep(0.05)
        raise ServiceError(f"the {self.name} did not get ready:\n{self.log_tail()}")

    def stop(self, patience: float = 8.0) -> None:
        """End it in an orderly way; again is harmless."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGTERM)
            self._end(patience)

    def kill(self) -> None:
        """Let it die at once (SIGKILL), as a crash would: only the service itself, not what it started."""
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGKILL)
            self._child.wait()
            self._untie()
            self._child = None

    def said(self) -> str:
        """Return what it logged since it was last started."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as log:
            log.seek(self._started_at)
            return log.read().decode(errors="replace")

    def log_tail(self, lines: int = 30) -> str:
        """Return the end of its log."""
        return "\n".join(self.said().splitlines()[-lines:])

    def _end(self, patience: float | None) -> None:
        if self._child is None:
            return
        self._untie()
        end_group(self._child, patience)
        self._child = None

    def _untie(self) -> None:
        if self._lifeline is not None:
            self._lifeline.untie()
            self._lifeline = None
