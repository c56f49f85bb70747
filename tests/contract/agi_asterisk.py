"""An Asterisk that speaks AGI over a socket as a real one does, and a caller on it who does what the test says."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

HEADERS = {
    "agi_network": "yes",
    "agi_request": "agi://127.0.0.1/consent",
    "agi_channel": "PJSIP/trunk-00000007",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "1760000000.7",
    "agi_version": "22.10.1",
    "agi_callerid": "+4531200118",
    "agi_calleridname": "unknown",
    "agi_extension": "800",
    "agi_priority": "2",
    "agi_enhanced": "0.0",
}
SILENCE = "silence"
HANGS_UP = "hangs up"
UNPLAYABLE = "unplayable"
GARBAGE = "garbage"
LOST = "lost"

_WORDS = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def words(line: str) -> list[str]:
    """Split a command as Asterisk does: by blanks, with quotes and backslashes."""
    return [re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2] for found in _WORDS.finditer(line)]


class SpokenAsterisk:
    """Runs one AGI request against a server. ``caller`` says what happens at each prompt that takes a key.

    Afterwards ``timeline`` holds the commands in order (a journal may write into the same list), ``variables`` the
    channel's variables, ``played`` the files played, and ``inherited`` the names that were set with ``__``.
    """

    def __init__(
        self,
        address: tuple[str, int],
        script: str,
        *arguments: str,
        caller: Iterable[str] = (),
        variables: Mapping[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeline: list[object] | None = None,
    ) -> None:
        self.address = address
        self.caller = iter(caller)
        self.variables = {"CHANNEL(linkedid)": "1760000000.1", **(variables or {})}
        self.inherited: set[str] = set()
        self.played: list[str] = []
        self.timeline = timeline if timeline is not None else []
        self.alive = True
        self._process: subprocess.Popen[bytes] | None = None
        self.headers = {**HEADERS, "agi_network_script": script, **(headers or {})}
        self.headers |= {f"agi_arg_{at}": value for at, value in enumerate(arguments, start=1)}

    def run(self) -> SpokenAsterisk:
        """Speak FastAGI until the script closes the connection."""
        with (
            socket.create_connection(self.address, timeout=10) as connection,
            connection.makefile("rb") as reader,
            connection.makefile("wb") as writer,
        ):
            self._speak(reader, writer)
        return self

    def run_process(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a program as Asterisk runs an AGI script; return its exit status."""
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            self._process = process
            self._speak(process.stdout, process.stdin)
            process.stdin.close()
            return process.wait(10)

    def _speak(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._send(writer, *(f"{name}: {value}" for name, value in self.headers.items()), "")
        while line := reader.readline():
            command = line.decode().rstrip("\n")
            self.timeline.append(command)
            answers = self._answer(words(command))
            if answers == [LOST]:
                break
            self._send(writer, *answers)

    def _send(self, writer: IO[bytes], *lines: str) -> None:
        try:
            writer.write("".join(f"{line}\n" for line in lines).encode())
            writer.flush()
        except (BrokenPipeError, ConnectionResetError):
            # The script has closed, as it may; the next read says so.
            return

    def _answer(self, command: list[str]) -> list[str]:
        match command:
            case ["SET", "VARIABLE", name, value]:
                if name.startswith("__"):
                    self.inherited.add(name[2:])
                self.variables[name.removeprefix("__")] = value
                return ["200 result=1"]
            case ["GET", "VARIABLE", name]:
                known = self.variables.get(name)
                return ["200 result=0"] if known is None else [f"200 result=1 ({known})"]
            case _ if not self.alive:
                return ["511 Command Not Permitted on a dead channel or intercept routine"]
            case ["ANSWER"]:
                return ["200 result=0"]
            case ["CHANNEL", "STATUS"]:
                return ["200 result=6"]
            case ["GET", "DATA", path, _, "1"]:
                return self._key(path)
            case ["STREAM", "FILE", path, ""]:
                self.played.append(path)
                return ["200 result=0 endpos=16000"]
            case ["VERBOSE", _, _]:
                return ["200 result=1"]
            case ["EXEC", _, _]:
                return ["200 result=0"]
        return ["510 Invalid or unknown command"]

    def _key(self, path: str) -> list[str]:
        self.played.append(path)
        match next(self.caller):
            case "silence":
                return ["200 result= (timeout)"]
            case "hangs up":
                self.alive = False
                if self._process is None:
                    return ["200 result=-1", "HANGUP"]
                # A process is told by a signal instead.
                self._process.send_signal(signal.SIGHUP)
                return ["200 result=-1"]
            case "unplayable":
                return ["200 result=-1"]
            case "garbage":
                return ["\x00\xff what?"]
            case "lost":
                return [LOST]
            case "#":
                return ["200 result="]
            case key:
                return [f"200 result={key}"]
