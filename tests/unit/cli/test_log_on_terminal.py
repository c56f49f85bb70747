"""What the services log says hostile words to a terminal harmlessly, and to a file as JSON without a forged line."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from pbx_plugin.cli import speech

EVIL = "/v1/\x1b]0;owned\x07\u202e\x9b31m\nforged line"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def say(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    speech.log_to_stderr(logging.INFO)
    log = structlog.get_logger()
    log.info("request", path=EVIL, parts=[EVIL], count=3)
    log.info(EVIL)
    logging.getLogger("library").warning("cannot read %s", EVIL)
    try:
        raise ValueError(EVIL)
    except ValueError:
        log.exception("a request failed", path=EVIL)
        logging.getLogger("library").exception("failed")
    return stream.getvalue().splitlines()


def test_a_terminal_is_told_nothing_that_it_would_obey(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [COLOURS.sub("", line) for line in say(Terminal(), monkeypatch)]
    assert all(speech.safe(line) == line for line in lines)
    assert "count=3" in lines[0]
    assert "path='/v1/\ufffd\ufffd\ufffd31m\ufffdforged line'" in lines[0]
    assert lines[2] == "WARNING library: cannot read /v1/\ufffd\ufffd\ufffd31m\ufffdforged line"


def test_a_file_gets_one_line_of_json_for_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = say(io.StringIO(), monkeypatch)
    assert [json.loads(lines[number])["event"] for number in (0, 1, 3)] == ["request", EVIL, "a request failed"]
    assert json.loads(lines[0])["path"] == EVIL
    assert all(line.isascii() for number, line in enumerate(lines) if number in (0, 1, 3))
