"""What a phone process and its driver say to each other: one start line, then commands and events, JSON, one per line.

Nothing here knows PJSIP, so the driver and its tests run without it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Protocol, Self, get_args
from urllib.parse import quote, unquote

Sends = Literal["signal", "silence", "nothing", "echo"]
"""What a phone transmits: its own WAV in a loop, digital silence, no RTP at all, or what it hears."""

DtmfMethod = Literal["rfc4733", "info"]

STATES = ("NULL", "CALLING", "INCOMING", "EARLY", "CONNECTING", "CONFIRMED", "DISCONNECTED")
"""The states of a leg, in PJSIP's numbering and spelling."""

MAX_CALLS = 4
"""How many calls the PJSIP library that we use was built for, in one process. For more, start more phones."""

DIGITS = frozenset("0123456789*#ABCD")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_ADDRESS = re.compile(r'^\s*(?:(?P<display>"(?:[^"\\]|\\.)*"|[^<"]*?)\s*)<(?P<uri>[^>]*)>')


@dataclass(frozen=True, slots=True)
class AutoAnswer:
    """What a phone does by itself with an incoming call.

    `code` 200 answers, `after_ms` after the call came in; 300 and above refuses with that SIP code. `code` 0
    lets it ring until the driver says otherwise.
    """

    code: int = 0
    after_ms: int = 0

    def __post_init__(self) -> None:
        if self.code != 0 and not 200 <= self.code <= 699:
            raise ValueError(f"a final SIP code is 200..699 (0: let it ring), not {self.code}")
        if self.after_ms < 0:
            raise ValueError("after_ms cannot be negative")


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """Everything a phone process needs to start.

    `address` is the loopback address for SIP and RTP; `port` 0 takes a free one. `server` is `host:port`; with
    `register` the phone registers there as `user`, without it the phone is a trunk that calls through the server
    and takes calls to any user part. `caller` is the user part of From, any string of one character or more;
    `display` any text without control characters. `codecs` in order of preference; what is not named is off.
    """

    name: str
    user: str
    address: str = "127.0.0.1"
    port: int = 0
    server: str | None = None
    register: bool = False
    password: str = ""
    caller: str = ""
    display: str = ""
    signal: str | None = None
    sends: Sends = "signal"
    record_dir: str | None = None
    codecs: tuple[str, ...] = ("PCMA", "PCMU")
    auto_answer: AutoAnswer = AutoAnswer()
    log_file: str | None = None
    log_level: int = 3

    def __post_init__(self) -> None:
        if not self.address.startswith("127."):
            raise ValueError(f"a phone binds to a loopback address only, not {self.address!r}")
        if self.register and self.server is None:
            raise ValueError("a phone that registers needs a server")
        sends(self.sends)
        if not self.user or not self.codecs:
            raise ValueError("a phone needs a user and at least one codec")
        quoted_display(self.display)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError on anything that is not a configuration of this version."""
        given = json.loads(text)
        if not isinstance(given, dict):
            raise ValueError("a phone's configuration is a JSON object")
        unknown = set(given) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown in a phone's configuration: {', '.join(sorted(unknown))}")
        if "codecs" in given:
            given["codecs"] = tuple(given["codecs"])
        if "auto_answer" in given:
            given["auto_answer"] = AutoAnswer(**given["auto_answer"])
        try:
            return cls(**given)
        except TypeError as error:
            raise ValueError(f"not a phone's configuration: {error}") from error


class Emit(Protocol):
    """Sends one event to the driver; `at` is (CLOCK_MONOTONIC, UTC epoch), now when it is left out."""

    def __call__(self, event: str, at: tuple[float, float] | None = None, /, **details: Any) -> None: ...


def escaped_user(user: str) -> str:
    """The user part of a SIP URI for any string: what is not unreserved (RFC 3261, 25.1) is percent-escaped."""
    return quote(user, safe="-_.!~*'()+")


def quoted_display(display: str) -> str:
    """A display name as a quoted string, empty when there is none.

    Raises ValueError on control characters: RFC 3261 has no way to write them.
    """
    if _CONTROL.search(display):
        raise ValueError("a display name cannot hold control characters")
    if not display:
        return ""
    return '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '" '


def sip_uri(user: str, host: str) -> str:
    return f"sip:{escaped_user(user)}@{host}"


def header_allowed(name: str, value: str) -> bool:
    """Whether this may be sent as an extra header: a token as name, a value on one line."""
    return bool(_TOKEN.match(name)) and not _CONTROL.search(value)


def parse_address(value: str) -> tuple[str, str]:
    """(user part unescaped, display name) of a From or To value; empty strings where there is none."""
    match = _ADDRESS.match(value)
    if match:
        display, uri = match["display"].strip(), match["uri"]
        if display.startswith('"'):
            display = re.sub(r"\\(.)", r"\1", display[1:-1])
    else:
        display, uri = "", value.partition(";")[0].strip()
    rest = uri.partition(":")[2]
    user, at, _host = rest.rpartition("@")
    return (unquote(user.partition(":")[0]) if at else "", display)


def parse_headers(message: str) -> list[tuple[str, str]]:
    """The headers of a SIP message in order, folded lines joined; the start line and the body left out."""
    head = re.split(r"\r?\n\r?\n", message, maxsplit=1)[0]
    lines: list[str] = []
    for line in re.split(r"\r?\n", head)[1:]:
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    pairs = (line.partition(":") for line in lines)
    return [(name.strip(), value.strip()) for name, colon, value in pairs if colon]


def header(headers: list[tuple[str, str]], *names: str) -> str:
    """The first value of a header by its name or compact form, case ignored; empty when it is missing."""
    wanted = {name.lower() for name in names}
    return next((value for name, value in headers if name.lower() in wanted), "")


def sends(what: str) -> Sends:
    """Raises ValueError when that is nothing a phone can send."""
    for known in get_args(Sends):
        if what == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f"a phone sends one of {', '.join(get_args(Sends))}, not {what!r}")


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=True).encode("ascii") + b"\n"
