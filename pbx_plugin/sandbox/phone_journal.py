"""What a phone has told its driver, in order, and waiting for what it has not told yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

NOT_SHOWN = frozenset({"headers", "record", "id"})
SHOWN_EVENTS = 40


class PhoneError(Exception):
    """A phone could not do what it was told."""


class PhoneTimeoutError(PhoneError):
    """What was waited for did not come in time. The text names the phone, the wait and the events it did see."""


class LegEndedError(PhoneError):
    """The call was over before what was waited for could happen."""


class PhoneDiedError(PhoneError):
    """The phone's process has ended."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `t` is CLOCK_MONOTONIC, the same for all processes of a machine, `utc` seconds since the epoch."""

    name: str
    t: float
    utc: float
    leg: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.details[key]

    @classmethod
    def read(cls, message: dict[str, Any]) -> Event:
        rest = {key: value for key, value in message.items() if key not in ("event", "t", "utc", "leg")}
        return cls(str(message["event"]), float(message["t"]), float(message["utc"]), message.get("leg"), rest)

    def line(self, since: float) -> str:
        shown = " ".join(f"{key}={value!r}" for key, value in self.details.items() if key not in NOT_SHOWN)
        leg = "" if self.leg is None else f"call {self.leg} "
        return f"{self.t - since:8.3f} s  {leg}{self.name} {shown}".rstrip()


class Journal:
    """The events of one phone. Filled by the thread that reads the phone, read by any thread."""

    def __init__(self, phone: str) -> None:
        self.phone = phone
        self.began = time.monotonic()
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._dead: str | None = None

    def add(self, event: Event) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def close(self, why: str) -> None:
        """After this no event comes any more: those who wait get PhoneDiedError."""
        with self._changed:
            self._dead = self._dead or why
            self._changed.notify_all()

    def events(self, leg: int | None = None) -> list[Event]:
        """All events so far, or those of one leg."""
        with self._changed:
            return [event for event in self._events if leg is None or event.leg == leg]

    def wait(
        self,
        what: str,
        timeout: float,
        wanted: Callable[[Event], bool],
        hopeless: Callable[[Event], bool] = lambda _event: False,
        start: int = 0,
    ) -> Event:
        """The first event from number `start` on that is wanted, whether it has come already or comes in time.

        Raises PhoneTimeoutError after `timeout` seconds, LegEndedError on an event after which it is hopeless,
        PhoneDiedError when the process is gone.
        """
        deadline = time.monotonic() + timeout
        place = start
        with self._changed:
            while True:
                while place < len(self._events):
                    event = self._events[place]
                    place += 1
                    if wanted(event):
                        return event
                    if hopeless(event):
                        raise LegEndedError(self._told(f"waited for {what}, but the call ended", event.leg))
                if self._dead is not None:
                    raise PhoneDiedError(self._told(f"waited for {what}, but the phone is gone ({self._dead})", None))
                left = deadline - time.monotonic()
                if left <= 0:
                    raise PhoneTimeoutError(self._told(f"waited {timeout:g} s for {what}", None))
                self._changed.wait(left)

    def _told(self, sentence: str, leg: int | None) -> str:
        events = [event for event in self._events if leg is None or event.leg in (None, leg)]
        lines = [event.line(self.began) for event in events[-SHOWN_EVENTS:]]
        left_out = len(events) - len(lines)
        head = f"phone {self.phone}: {sentence}; events seen ({len(events)}):"
        return "\n  ".join([head, *([f"... {left_out} older"] if left_out else []), *(lines or ["none"])])
