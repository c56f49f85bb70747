"""One call of a phone, as a test or the demo sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pbx_plugin.sandbox.phone_journal import Event, Journal, LegEndedError, PhoneError, PhoneTimeoutError
from pbx_plugin.sandbox.phone_wire import DtmfMethod, Sends, header

RINGS_S = 10.0
TALKS_S = 10.0
DTMF_SLACK_S = 5.0
ENDING_S = 2.0


class Line(Protocol):
    """What a leg needs of its phone."""

    journal: Journal

    def command(self, cmd: str, timeout: float = ..., /, **arguments: Any) -> Event: ...
    def target(self, number: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: SIP code, its text, and the Reason header of the other side's BYE or CANCEL."""

    code: int
    reason: str
    reason_header: str
    t: float
    utc: float


@dataclass(frozen=True, slots=True)
class Rtp:
    """RTP packets of a call since its media last changed."""

    sent: int
    received: int
    lost: int
    codec: str | None


class Leg:
    """A call at one phone. Every wait ends: PhoneTimeoutError, LegEndedError, PhoneDiedError."""

    def __init__(self, line: Line, number: int, heard: Path | None, offer: Event | None = None) -> None:
        self._line = line
        self.number = number
        self.heard = heard
        self.incoming = offer is not None
        details = offer.details if offer else {}
        self.caller: str = details.get("number", "")
        self.caller_name: str = details.get("display", "")
        self.called: str = details.get("to", "")
        self.headers: list[tuple[str, str]] = [(name, value) for name, value in details.get("headers", [])]
        self._digits_read = 0

    def __repr__(self) -> str:
        return f"<Leg {self.number} of {self._line.journal.phone}: {self.state}>"

    @property
    def events(self) -> list[Event]:
        return self._line.journal.events(self.number)

    @property
    def state(self) -> str:
        states = [event["name"] for event in self.events if event.name == "state"]
        return str(states[-1]) if states else "NULL"

    @property
    def ended(self) -> bool:
        return self.state == "DISCONNECTED"

    def header(self, name: str) -> str:
        """A header of the incoming INVITE, empty when it had none."""
        return header(self.headers, name)

    def _wait(self, what: str, timeout: float, wanted: Callable[[Event], bool], start: int = 0) -> Event:
        mine = self.number
        return self._line.journal.wait(
            f"{what} on call {mine}",
            timeout,
            lambda event: event.leg == mine and wanted(event),
            lambda event: event.leg == mine and event.name == "state" and event["name"] == "DISCONNECTED",
            start,
        )

    def wait(self, state: str, timeout: float = RINGS_S) -> Event:
        """Waits until the call is, or has been, in `state` (CALLING, EARLY, CONFIRMED, DISCONNECTED, ...)."""
        return self._wait(state, timeout, lambda event: event.name == "state" and event["name"] == state)

    def wait_ended(self, timeout: float = TALKS_S) -> Ended:
        """Waits for the end; the recording of what was heard is complete then."""
        event = self.wait("DISCONNECTED", timeout)
        return Ended(event["code"], event["reason"], event["reason_header"], event.t, event.utc)

    def wait_media(self, status: str = "active", timeout: float = RINGS_S) -> Event:
        """Waits until the media has been `active`, `remote_hold` or `local_hold` once."""
        return self._wait(f"media {status}", timeout, lambda event: event.name == "media" and event["status"] == status)

    def wait_digits(self, digits: str, timeout: float = RINGS_S, method: DtmfMethod | None = None) -> list[Event]:
        """Waits for these digits, one after the other, after those an earlier wait has taken."""
        taken: list[Event] = []

        def wanted(event: Event) -> bool:
            if event.name != "dtmf" or (method is not None and event["method"] != method):
                return False
            taken.append(event)
            heard = [one["digit"] for one in taken]
            return "".join(heard[self._digits_read :]) == digits

        self._wait(f"the digits {digits}", timeout, wanted)
        fresh = taken[self._digits_read :]
        self._digits_read = len(taken)
        return fresh

    def wait_transferred(self, timeout: float = TALKS_S) -> Event:
        """Waits for the last word on a transfer this leg asked for; its `code` is 2xx when it succeeded."""
        return self._wait("the end of the transfer", timeout, lambda event: event.name == "transfer" and event["final"])

    def answer(self, code: int = 200) -> None:
        """Sends a provisional or final answer to an incoming call."""
        self._line.command("answer", leg=self.number, code=code)

    def hangup(self, code: int = 0) -> None:
        """BYE, CANCEL or a refusal with `code`, as the state asks. Nothing when the call is over already."""
        if self.ended:
            return
        try:
            self._line.command("hangup", leg=self.number, code=code)
        except PhoneError:
            # It may have ended while the command was on its way; the phone forgets a call before we read of its end.
            if not self._over_within(ENDING_S):
                raise

    def _over_within(self, seconds: float) -> bool:
        try:
            self.wait("DISCONNECTED", seconds)
        except PhoneTimeoutError:
            return False
        return True

    def dtmf(self, digits: str, method: DtmfMethod = "rfc4733", *, duration_ms: int = 160, gap_ms: int = 120) -> None:
        """Presses keys; returns when the last one is released. Raises LegEndedError when the call ends before it."""
        start = len(self._line.journal.events())
        self._line.command(
            "dtmf", leg=self.number, digits=digits, method=method, duration_ms=duration_ms, gap_ms=gap_ms
        )
        length = len(digits) * (duration_ms + gap_ms) / 1000
        sent = self._line.journal.wait(
            f"{digits} to be sent",
            length + DTMF_SLACK_S,
            lambda event: event.leg == self.number and event.name == "dtmf_sent",
            start=start,
        )
        if not sent["pressed"]:
            name = self._line.journal.phone
            raise LegEndedError(f"phone {name}: call {self.number} ended before all of {digits} was sent")

    def hold(self, timeout: float = RINGS_S) -> None:
        """Puts the other side on hold by a re-INVITE; returns when it is agreed."""
        self._renegotiate("hold", "local_hold", timeout)

    def unhold(self, timeout: float = RINGS_S) -> None:
        """Takes the other side back by a re-INVITE; when nobody is on hold, only negotiates the media anew."""
        self._renegotiate("unhold", "active", timeout)

    def _renegotiate(self, cmd: str, status: str, timeout: float) -> None:
        start = len(self._line.journal.events())
        self._line.command(cmd, leg=self.number)
        self._wait(cmd, timeout, lambda event: event.name == "media" and event["status"] == status, start)

    def send(self, what: Sends) -> None:
        """From now on sends the phone's signal, silence, nothing (no RTP) or an echo of what it hears."""
        self._line.command("send", leg=self.number, what=what)

    def mute(self) -> None:
        self.send("silence")

    def unmute(self) -> None:
        self.send("signal")

    def mix(self, other: Leg) -> None:
        """From now on the other sides of both legs hear each other too, while neither is on hold: a three-way call."""
        self._line.command("mix", leg=self.number, other=other.number)

    def transfer(self, number: str) -> None:
        """Blind transfer (REFER) of the other side to a number or SIP URI; the leg hangs up when it succeeded."""
        self._line.command("transfer", leg=self.number, uri=self._line.target(number))

    def transfer_to(self, consultation: Leg) -> None:
        """Attended transfer (REFER with Replaces): joins the other sides of this leg and the consultation."""
        self._line.command("transfer_to", leg=self.number, other=consultation.number)

    def rtp(self) -> Rtp:
        """Packets sent and received since the media last changed."""
        told = self._line.command("rtp", leg=self.number)
        return Rtp(told["sent"], told["received"], told["lost"], told["codec"])

    def still_up(self, seconds: float) -> None:
        """Lets `seconds` pass and fails with LegEndedError when the call ends before."""
        try:
            self._wait(f"{seconds:g} s of talk", seconds, lambda _event: False)
        except PhoneTimeoutError:
            return
