"""SIP phones for live tests and the demo: each a process of its own, driven synchronously.

with Phone.start("anna", user="1001", password=secret, server="127.0.0.1:5060", register=True) as anna:
    leg = anna.dial("1002")
    leg.wait("CONFIRMED")
    leg.dtmf("1")
    leg.hangup()
    leg.wait_ended()
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pbx_plugin.sandbox.phone_journal import (
    Event,
    Journal,
    LegEndedError,
    PhoneDiedError,
    PhoneError,
    PhoneTimeoutError,
)
from pbx_plugin.sandbox.phone_leg import Ended, Leg, Rtp
from pbx_plugin.sandbox.phone_wire import AutoAnswer, DtmfMethod, PhoneConfig, Sends, encode, sip_uri

__all__ = [
    "AutoAnswer",
    "DtmfMethod",
    "Ended",
    "Event",
    "Leg",
    "LegEndedError",
    "Phone",
    "PhoneDiedError",
    "PhoneError",
    "PhoneTimeoutError",
    "Rtp",
    "Sends",
]

STARTS_WITHIN_S = 15.0
ANSWERS_WITHIN_S = 10.0
ENDS_WITHIN_S = 3.0
TAIL_OF_STDERR = 4000

_running: weakref.WeakSet[Phone] = weakref.WeakSet()


class Phone:
    """A running phone. End it with `close`, or use it as a context manager; what is left is ended at exit."""

    def __init__(self, config: PhoneConfig) -> None:
        """Use `Phone.start`: this starts the process, but does not wait for it."""
        self.config = config
        self.name = config.name
        self.journal = Journal(config.name)
        self.address = ""
        self._numbers = itertools.count(1)
        self._offered = 0
        self._writing = threading.Lock()
        self._errors = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pbx_plugin.sandbox.phone_process", "--json-config", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C belongs to the driver, which ends its phones itself
        )
        _close_all_at_exit()
        _running.add(self)
        self._readers = [
            threading.Thread(target=read, name=f"phone {self.name}", daemon=True)
            for read in (self._read_events, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()
        self._write(config.to_json().encode() + b"\n")

    @classmethod
    def start(
        cls,
        name: str,
        *,
        user: str | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        server: str | None = None,
        register: bool = False,
        password: str = "",
        caller: str = "",
        display: str = "",
        signal: Path | None = None,
        sends: Sends = "signal",
        record_dir: Path | None = None,
        codecs: Sequence[str] = ("PCMA", "PCMU"),
        auto_answer: AutoAnswer | None = None,
        log_file: Path | None = None,
        log_level: int = 3,
        timeout: float = STARTS_WITHIN_S,
    ) -> Self:
        """Starts a phone and waits until it listens and, with `register`, is registered.

        `name` also names its recordings in `record_dir` (`NAME-001.wav`, 8 kHz mono). `user` is the account's
        name (default: `name`); `caller` and `display` are what From shows. `server` is `host:port`. `signal` is a
        16-bit mono WAV that every call sends in a loop from the moment its media is active.

        Raises PhoneError when the registration is refused, PhoneTimeoutError, PhoneDiedError, and ValueError for
        a configuration that makes no sense. No process is left behind then.
        """
        phone = cls(
            PhoneConfig(
                name=name,
                user=user or name,
                address=address,
                port=port,
                server=server,
                register=register,
                password=password,
                caller=caller,
                display=display,
                signal=None if signal is None else str(signal),
                sends=sends,
                record_dir=None if record_dir is None else str(record_dir),
                codecs=tuple(codecs),
                auto_answer=auto_answer or AutoAnswer(),
                log_file=None if log_file is None else str(log_file),
                log_level=log_level,
            )
        )
        try:
            started = phone.journal.wait("the phone to start", timeout, lambda event: event.name == "started")
            phone.address = started["address"]
            if register:
                phone.wait_registered(timeout)
        except BaseException:
            phone.close()
            raise
        return phone

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Phone {self.name} at {self.address or 'nowhere yet'}, pid {self.pid}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def uri(self) -> str:
        """Where this phone can be called without a PBX."""
        return sip_uri(self.config.user, self.address)

    def wait_registered(self, timeout: float = ANSWERS_WITHIN_S) -> Event:
        """Waits for the answer to REGISTER. Raises PhoneError when it was a refusal."""
        event = self.journal.wait("registration", timeout, lambda event: event.name == "registered")
        if not event["ok"]:
            raise PhoneError(f"phone {self.name}: registration refused: {event['code']} {event['reason']}")
        return event

    def target(self, number: str) -> str:
        """The URI for a number at this phone's server; a SIP URI stays as it is."""
        if number.startswith(("sip:", "sips:", "tel:")):
            return number
        if self.config.server is None:
            raise PhoneError(f"phone {self.name} has no server; it can dial a SIP URI only, not {number!r}")
        return sip_uri(number, self.config.server)

    def dial(
        self,
        number: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        caller: str | None = None,
        display: str | None = None,
        signal: Path | None = None,
    ) -> Leg:
        """Calls a number or SIP URI, with further headers, another From or another signal where given; does not wait.

        Raises PhoneError when the phone has no room for one more call (`phone_wire.MAX_CALLS`).
        """
        told = self.command(
            "dial",
            uri=self.target(number),
            headers=[list(pair) for pair in headers],
            caller=caller,
            display=display,
            signal=None if signal is None else str(signal),
        )
        return Leg(self, told.leg or 0, _path(told.details.get("record")))

    def wait_incoming(self, timeout: float = ANSWERS_WITHIN_S) -> Leg:
        """The next incoming call that no earlier wait has returned, in the order in which they came."""
        place = itertools.count(1)
        wanted = self._offered + 1
        event = self.journal.wait(
            "an incoming call", timeout, lambda event: event.name == "incoming" and next(place) == wanted
        )
        self._offered = wanted
        return Leg(self, event.leg or 0, _path(event.details.get("record")), event)

    def use_codecs(self, *codecs: str) -> None:
        """Offers and takes these codecs only, in that order, in every INVITE from now on; re-INVITEs too."""
        self.command("codecs", codecs=list(codecs))

    def disregard_incoming(self) -> None:
        """Leaves aside the calls that came in so far: the next wait is for one that comes from now on."""
        self._offered = sum(event.name == "incoming" for event in self.journal.events())

    def auto_answer(self, after_ms: int = 0) -> None:
        """Answers every further call by itself."""
        self.command("auto_answer", code=200, after_ms=after_ms)

    def auto_refuse(self, code: int = 486, after_ms: int = 0) -> None:
        """Refuses every further call by itself."""
        self.command("auto_answer", code=code, after_ms=after_ms)

    def auto_off(self) -> None:
        """Lets further calls ring."""
        self.command("auto_answer", code=0)

    def hang_up_all(self) -> None:
        """Ends every call of this phone, and leaves aside whatever came in; a next test begins on a quiet phone."""
        numbers = sorted({event.leg for event in self.journal.events() if event.leg is not None})
        legs = [Leg(self, number, None) for number in numbers]
        for leg in legs:
            if leg.state != "NULL":
                leg.hangup()
        for leg in legs:
            if leg.state != "NULL":
                leg.wait_ended()
        self.disregard_incoming()

    def faults(self) -> list[Event]:
        """What went wrong inside the phone; empty on a good day."""
        return [event for event in self.journal.events() if event.name == "fault"]

    def command(self, cmd: str, timeout: float = ANSWERS_WITHIN_S, /, **arguments: Any) -> Event:
        """Gives the phone a command and waits until it is accepted. Raises PhoneError with the phone's reason."""
        number = next(self._numbers)
        start = len(self.journal.events())
        self._write(encode({"cmd": cmd, "id": number, **arguments}))
        event = self.journal.wait(
            f"{cmd} to be accepted", timeout, lambda event: event.details.get("id") == number, start=start
        )
        if event.name == "refused":
            raise PhoneError(f"phone {self.name} refused {cmd}: {event['reason']}")
        return event

    def close(self) -> None:
        """Ends all calls and the process: first politely, then by its pid. Calling it again does nothing."""
        _running.discard(self)
        if self._process.poll() is None:
            with contextlib.suppress(PhoneError):
                self._write(encode({"cmd": "quit", "id": 0}))
            for firmer in (self._process.terminate, self._process.kill, lambda: None):
                try:
                    self._process.wait(ENDS_WITHIN_S)
                    break
                except subprocess.TimeoutExpired:
                    firmer()
        for reader in self._readers:
            reader.join(ENDS_WITHIN_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _write(self, line: bytes) -> None:
        try:
            with self._writing:
                _pipe(self._process.stdin).write(line)
                _pipe(self._process.stdin).flush()
        except (OSError, ValueError) as error:
            self.journal.close(f"pid {self.pid}: {error}")
            raise PhoneDiedError(f"phone {self.name} (pid {self.pid}) takes no commands: {error}") from error

    def _read_events(self) -> None:
        for line in _pipe(self._process.stdout):
            self.journal.add(Event.read(json.loads(line)))
        code = self._process.wait()
        why = "closed" if code == 0 else f"exit code {code}"
        said = [event["reason"] for event in self.journal.events() if event.name == "died"]
        if code and not said:
            said = [self._errors.decode("utf-8", "replace").strip()]
        self.journal.close(", ".join([f"pid {self.pid}", why, *said]))

    def _read_errors(self) -> None:
        while chunk := os.read(_pipe(self._process.stderr).fileno(), 65536):
            self._errors = (self._errors + chunk)[-TAIL_OF_STDERR:]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise PhoneDiedError("the phone has no such pipe")
    return pipe


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _close_all() -> None:
    for phone in list(_running):
        phone.close()


@functools.cache
def _close_all_at_exit() -> None:
    atexit.register(_close_all)
