"""What the recorder and the consent service do, told as it happens: read from the database, like anybody would."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self, TypeVar

from pbx_plugin.db.directory import read_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.evidence import SiteQueries
from pbx_plugin.db.views import CallDetail, DecisionView, RecordingView
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.settings import Settings

T = TypeVar("T")
LOOKS_EVERY_S = 0.15
BUSY_MS = 5000

VERDICTS = {
    "record": "record",
    "armed": "not unless the user switches it on",
    "no": "do not record",
    "never": "never record",
}


class Tell(Protocol):
    """Says what somebody did; the time is now."""

    def __call__(self, who: str, what: str, style: str = "") -> None: ...


class FactMissingError(Exception):
    """What had to happen did not happen in time."""


class Watch:
    """Looks at the calls while they run. A context manager; with ``tell`` it also says what is new, from a thread."""

    def __init__(self, settings: Settings, tell: Tell) -> None:
        self._engine = make_engine(settings.database, busy_ms=BUSY_MS)
        self.queries = SiteQueries(self._engine)
        with read_directory(self._engine) as directory:
            self.tenant = directory.tenants()[0].id
        self._tell = tell
        self._told: set[str] = set()
        self._looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(5)
        self._engine.dispose()

    def calls(self) -> list[CallDetail]:
        """Return every call so far, the first one first."""
        found = self.queries.list_calls(self.tenant, limit=0)
        return [self.queries.call_detail(call.call_id, self.tenant) for call in reversed(found)]

    def wait(self, what: str, fact: Callable[[], T | None], seconds: float = 15.0) -> T:
        """Wait until ``fact`` returns something true, and return it. Raises FactMissingError naming ``what``."""
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(StoreUnavailableError):  # the next look may find the database free
                found = fact()
                if found:
                    self._catch_up()
                    return found
            if time.monotonic() > until:
                raise FactMissingError(f"waited {seconds:g} s, but {what}")
            time.sleep(LOOKS_EVERY_S)

    def recordings(self, number: str, state: str) -> list[RecordingView]:
        """Return the recordings of whoever calls from ``number`` that have come to ``state``."""
        every = self.queries.list_recordings(self.tenant, limit=0)
        return [one for one in every if one.other_e164 == number and one.state == state]

    def call_from(self, number: str) -> CallDetail | None:
        """Return the newest call from ``number``."""
        return next((call for call in reversed(self.calls()) if call.call.caller_e164 == number), None)

    def _catch_up(self) -> None:
        """Let what has happened so far be told, before anybody does the next thing."""
        until, wanted = time.monotonic() + 2.0, self._looks + 2
        while self._looks < wanted and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.02)

    def _look_on(self) -> None:
        while not self._over.wait(LOOKS_EVERY_S):
            self._looks += 1
            try:
                for key, who, what, style in self._news():
                    if key not in self._told:
                        self._told.add(key)
                        self._tell(who, what, style)
            except StoreUnavailableError:
                continue  # the recorder is writing; the next look sees it

    def _news(self) -> Iterator[tuple[str, str, str, str]]:
        for evidence in reversed(self.queries.list_consents(self.tenant, limit=0)):
            words = f"key {evidence.digits}: consent {evidence.outcome}" if evidence.digits else evidence.outcome
            yield evidence.evidence_id, "consent service", words, "green" if evidence.outcome == "given" else "yellow"
        for call in self.calls():
            for step in call.timeline:
                if step.what == "announcement":
                    words = {"begins": "tells the caller: “this call is recorded”"}.get(step.detail, step.detail)
                    yield f"{call.call.call_id} {step.at} told", "recorder", words, "cyan"
                elif step.what == "toggle" and step.detail.startswith("denied"):
                    yield f"{call.call.call_id} {step.at} denied", "recorder", f"*4 is {step.detail}", "yellow"
            for decision in call.decisions:
                yield decision.decision_id, "recorder", f"decides: {verdict(decision)}", "cyan"
            for one in call.recordings:
                if one.in_at:
                    yield f"{one.recording_id} began", "recorder", "recording begins, both sides", "bold red"
                if one.closed_at and one.in_at:
                    yield f"{one.recording_id} ended", "recorder", "recording ends", "bold"
                if one.state == "failed":
                    yield f"{one.recording_id} failed", "recorder", f"recording failed: {one.fail_reason}", "bold red"
                if one.state == "stored":
                    words = f"stored: {one.length_ms / 1000:.1f} s, two channels, SHA-256 {one.sha256[:12]}…"
                    yield f"{one.recording_id} stored", "recorder", words, "cyan"


def verdict(decision: DecisionView) -> str:
    """Return a decision in a few words, with the rule that took it."""
    return f"{VERDICTS.get(decision.verdict, decision.verdict)} (rule {decision.rule}, {decision.rule_name})"
