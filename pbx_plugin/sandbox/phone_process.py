"""One SIP phone as one process: commands as JSON lines on stdin, events as JSON lines on stdout.

    python -m pbx_plugin.sandbox.phone_process --json-config FILE|-|{...}

With `-` the first line of stdin is the configuration, which keeps a password out of the process list. Each command
carries an `id` and is answered by `done` or `refused` with that id. The process ends on `quit`, on SIGTERM and when
stdin closes, so that it never outlives whoever started it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pbx_plugin.sandbox.phone_wire import PhoneConfig, encode

POLL_MS = 20  # how long a command may have to wait; 1 % of a core buys 10 ms less


class Lines:
    """Whole lines from a file descriptor, without ever waiting for one."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self.closed = False

    def take(self) -> list[str]:
        """The lines that have arrived since the last call."""
        try:
            while chunk := os.read(self._fd, 65536):
                self._rest += chunk
            self.closed = True
        except BlockingIOError:
            self.closed = False
        *whole, self._rest = self._rest.split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole if line.strip()]

    def first(self) -> str:
        """The first line, waited for. Raises EOFError when there is none."""
        os.set_blocking(self._fd, True)
        while b"\n" not in self._rest:
            chunk = os.read(self._fd, 65536)
            if not chunk:
                raise EOFError("stdin closed before the configuration came")
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        os.set_blocking(self._fd, False)
        return line.decode("utf-8")


class Events:
    """Writes events to the driver; each carries CLOCK_MONOTONIC (`t`) and UTC epoch seconds (`utc`)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self, event: str, at: tuple[float, float] | None = None, /, **details: Any) -> None:
        t, utc = at or (time.monotonic(), time.time())
        line = encode({"event": event, "t": t, "utc": utc, **details})
        while line:
            line = line[os.write(self._fd, line) :]


def _configuration(given: str, lines: Lines) -> PhoneConfig:
    if given == "-":
        return PhoneConfig.from_json(lines.first())
    if given.lstrip().startswith("{"):
        return PhoneConfig.from_json(given)
    return PhoneConfig.from_json(Path(given).read_text(encoding="utf-8"))


def _keep_stdout_for_events() -> int:
    """PJSIP's C code prints to descriptor 1; give it stderr and keep the real stdout for the events."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def run(config: PhoneConfig, lines: Lines, events: Events) -> None:
    from pbx_plugin.sandbox.phone_engine import Engine  # noqa: PLC0415  # PJSIP prints at import; stdout is moved by now

    engine = Engine(config, events)
    try:
        engine.start()
        while not engine.finished:
            engine.poll(POLL_MS)
            for line in lines.take():
                engine.obey(json.loads(line))
            if lines.closed:
                engine.quit()
    finally:
        engine.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="phone_process", description=__doc__)
    parser.add_argument("--json-config", required=True, help="FILE, the JSON itself, or - for stdin's first line")
    arguments = parser.parse_args(argv)
    os.umask(0o027)
    events = Events(_keep_stdout_for_events())
    lines = Lines(0)
    try:
        config = _configuration(arguments.json_config, lines)
        os.set_blocking(0, False)
    except (ValueError, OSError, EOFError) as error:
        events("died", reason=f"configuration: {error}")
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the driver, which ends its phones in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(config, lines, events)
    except Exception as error:
        events("died", reason=f"{type(error).__name__}: {error}")
        raise
    events("ended")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # PJSIP's Python objects crash now and then when the interpreter collects them after the library
