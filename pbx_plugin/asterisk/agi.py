"""One AGI conversation with Asterisk: pyst2's AGI class, made safe for threads, hang-ups and hostile text.

What differs from pyst2's own class: nothing is written to stderr; no signal handler is set; a ``HANGUP`` line is
never taken for an answer; the end of the connection, code 511 and ``result=-1`` on a dead channel all mean
:class:`asterisk.agi.AGIHangup`; quotes, backslashes and line ends in arguments stay inside their argument; an answer
that is none raises :class:`AgiProtocolError` instead of a ValueError.
"""

from __future__ import annotations

import io
import re
from typing import Protocol

from asterisk.agi import AGI, AGIAppError, AGIError, AGIHangup, AGIInvalidCommand, AGIUnknownError, AGIUsageError

MAX_LINE = 16_384
"""Longest line accepted from the other side, in bytes."""

MAX_HEADERS = 256
"""Most ``agi_…`` lines accepted before the blank line."""

_MAX_USAGE_LINES = 256
_HANGUP_LINE = "HANGUP"
_MAX_HANGUP_LINES = 8
_ANSWER = re.compile(r"^(\d{3})[ -]?(.*)$")
_RESULT = re.compile(r"^result=([^\s(]*)(?:\s+\((.*)\))?(?:\s+endpos=(\d+))?\s*$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class AgiProtocolError(AGIError):  # type: ignore[misc]  # pyst2 has no types
    """The other side does not speak AGI."""


class AgiConnectionLostError(AGIHangup):  # type: ignore[misc]  # pyst2 has no types
    """The connection ended although nobody said that the caller had: Asterisk or this service is going down."""


class LineReader(Protocol):
    """Where lines come from: a socket or standard input, in bytes."""

    def readline(self, limit: int, /) -> bytes:
        """Return the next line with its end, or at most ``limit`` bytes; empty at the end of the stream."""
        ...


class LineWriter(Protocol):
    """Where commands go."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""
        ...

    def flush(self) -> object:
        """Send what was taken."""
        ...


class PlaybackError(AGIAppError):  # type: ignore[misc]  # pyst2 has no types
    """Asterisk could not play a file, and the caller is still there."""


class AgiSession(AGI):  # type: ignore[misc]  # pyst2 has no types
    """A conversation whose headers have been read into ``env`` (names with their ``agi_`` in front).

    Raises AgiProtocolError, or AgiConnectionLostError when the other side closes before the blank line.
    The latter is an AGIHangup, and so are all ends of the connection: nothing more can be done for the call.
    One thread owns a session. pyst2's own command methods may be used as well.
    """

    env: dict[str, str]

    def __init__(self, reader: LineReader, writer: LineWriter) -> None:
        # pyst2's own constructor sets a signal handler, which only the main thread may.
        self._reader = reader
        self._writer = writer
        self.stderr = io.StringIO()
        self._got_sighup = False
        self.hung_up = False
        self.env = {}
        self._get_agi_env()

    @property
    def arguments(self) -> list[str]:
        """What the dialplan passed after the script's name, in order."""
        found: list[str] = []
        while (value := self.env.get(f"agi_arg_{len(found) + 1}")) is not None:
            found.append(value)
        return found

    def note_hangup(self) -> None:
        """Remember, also from a signal handler, that the caller is gone: the next command raises AGIHangup."""
        self.hung_up = True
        self._got_sighup = True

    # What the scripts need

    def get_key(self, path: str, wait_ms: int) -> str:
        """Play the sound at ``path`` (no extension) and wait ``wait_ms`` after it for one key, which may come early.

        Returns the key, empty when there was none in time.
        Raises AGIHangup when the caller goes, PlaybackError when the file cannot be played.
        """
        # A time-out of 0 would mean the dialplan's own, many seconds long.
        answer = self._command("GET DATA", self._quote(path), max(1, wait_ms), 1)
        value, remark = answer["result"]
        if value == "-1":
            self._raise_if_gone()
            raise PlaybackError(f"cannot play {path}")
        if value == "" and remark != "timeout":
            # '#' ends the input, so that Asterisk reports an empty one without a time-out.
            return "#"
        return value[:1]

    def play(self, path: str) -> None:
        """Play the sound at ``path`` (no extension) to its end. Raises AGIHangup, PlaybackError."""
        answer = self._command("STREAM FILE", self._quote(path), '""')
        if answer["result"][0] == "-1":
            self._raise_if_gone()
            raise PlaybackError(f"cannot play {path}")

    def variable(self, name: str) -> str:
        """Return a channel variable or function such as ``CHANNEL(linkedid)``; empty when unset. Raises AGIHangup."""
        value: str = self._command("GET VARIABLE", self._quote(name))["result"][1]
        return value

    def user_event(self, name: str, **fields: str) -> None:
        """Send a UserEvent from this channel. Commas and line ends in values become spaces. Raises AGIHangup."""
        parts = [name, *(f"{key}: {value.replace(',', ' ')}" for key, value in fields.items())]
        self._command("EXEC", "UserEvent", self._quote(",".join(parts)))

    def cel_event(self, name: str, extra: str = "") -> None:
        """Write an event of our own into Asterisk's event log; one without that application writes none.

        Raises AGIHangup.
        """
        self._command("EXEC", "CELGenUserEvent", self._quote(f"{name},{extra}"))

    def verbose(self, text: str, level: int = 1) -> None:
        """Write a line into Asterisk's own log. Raises AGIHangup."""
        self._command("VERBOSE", self._quote(text), level)

    # pyst2's inside, replaced

    def _get_agi_env(self) -> None:
        for _ in range(MAX_HEADERS):
            line = self._readline()
            if line == "":
                return
            # On called channels a value may be empty, without the blank after its colon.
            key, colon, value = line.partition(":")
            if not colon or not key.startswith("agi_"):
                raise AgiProtocolError("not an AGI header")
            if key in self.env:
                # Asterisk says each once: somebody's number has lines in it that are to look like Asterisk's.
                raise AgiProtocolError("an AGI header stands twice")
            self.env[key] = value.strip()
        raise AgiProtocolError("too many AGI headers")

    def _quote(self, string: object) -> str:
        text = str(string).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'

    def send_command(self, command: str, *args: object) -> None:
        """Send one command line. Raises AGIHangup when nobody takes it."""
        # A line end in an argument would begin a command of its own.
        line = _CONTROL.sub(" ", " ".join([command.strip(), *map(str, args)]).strip())
        try:
            self._writer.write(line.encode("utf-8", "replace") + b"\n")
            self._writer.flush()
        except (OSError, ValueError) as error:
            raise self._lost() from error

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """Return the answer to the last command as ``{"result": (value, remark)}``, also for value ``-1``.

        Raises AGIHangup (connection closed, or 511), AGIInvalidCommand (510), AGIUsageError (520), AgiProtocolError.
        """
        del stdin
        line = self._answer_line()
        found = _ANSWER.match(line)
        if found is None:
            raise AgiProtocolError("not an AGI answer")
        code, text = found.groups()
        if code == "511":
            self.note_hangup()
            raise AGIHangup("the channel is dead")
        if code == "510":
            raise AGIInvalidCommand(text)
        if code == "520":
            raise AGIUsageError(self._usage(line))
        if code != "200":
            raise AGIUnknownError(int(code), "unknown code")
        return self._result(text)

    def execute(self, command: str, *args: object) -> dict[str, tuple[str, str]]:
        """Send one command and return its answer. As pyst2 has it: value ``-1`` raises AGIAppError."""
        answer = self._command(command, *args)
        if answer["result"][0] == "-1":
            raise AGIAppError("the application failed, or the caller hung up")
        return answer

    def _command(self, command: str, *args: object) -> dict[str, tuple[str, str]]:
        self.test_hangup()
        self.send_command(command, *args)
        return self.get_result()

    def _result(self, text: str) -> dict[str, tuple[str, str]]:
        found = _RESULT.match(text)
        if found is None:
            raise AgiProtocolError("an AGI answer without a result")
        value, remark, endpos = found.groups()
        answer = {"result": (value, remark or "")}
        if endpos is not None:
            answer["endpos"] = (endpos, "")
        return answer

    def _usage(self, first: str) -> str:
        if not first.startswith("520-"):
            return first
        lines = [first]
        for _ in range(_MAX_USAGE_LINES):
            lines.append(self._answer_line())
            if lines[-1].startswith("520"):
                return "\n".join(lines)
        raise AgiProtocolError("a usage text without an end")

    def _raise_if_gone(self) -> None:
        """Tell a hang-up from a file that cannot be played: a dead channel takes no command but with 511."""
        if self._command("CHANNEL STATUS")["result"][0] == "-1":
            raise AGIHangup("the channel is gone")

    def _answer_line(self) -> str:
        for _ in range(_MAX_HANGUP_LINES):
            if (line := self._readline()) != _HANGUP_LINE:
                return line
            # It may come at any moment; the answer to the command still follows.
            self.hung_up = True
        raise AgiProtocolError("nothing but HANGUP")

    def _readline(self) -> str:
        try:
            data = self._reader.readline(MAX_LINE)
        except (OSError, ValueError) as error:
            raise self._lost() from error
        if not data:
            raise self._lost()
        if not data.endswith(b"\n"):
            raise AgiProtocolError("a line without an end")
        return data.decode("utf-8", "replace").strip("\r\n")

    def _lost(self) -> AGIHangup:
        if self.hung_up:
            return AGIHangup("the caller hung up")
        return AgiConnectionLostError("the connection is closed")
