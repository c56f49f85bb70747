"""What is said on a terminal cannot command it."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.cli.speech import fields, line, safe, say_json, table


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\ufffdred\ufffd"),
        ("\x1b]0;title\x07after", "\ufffdafter"),
        ("\x1b]8;;http://evil\x1b\\link", "\ufffdlink"),
        ("\x9b31mred", "\ufffd31mred"),
        ("two\nlines\rand\ttab", "two\ufffdlines\ufffdand\ufffdtab"),
        ("a\u202eb\u2066c\u200fd", "a\ufffdb\ufffdc\ufffdd"),
        ("zero\u200bwidth\ufeff", "zero\ufffdwidth\ufffd"),
        ("line\u2028para\u2029", "line\ufffdpara\ufffd"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("\x1b", "\ufffd"),
        ("Ærø 漢字 👋 [bold]x[/]", "Ærø 漢字 👋 [bold]x[/]"),
        (None, ""),
        (True, "yes"),
        (7, "7"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_a_mark(hostile: object, shown: str) -> None:
    assert safe(hostile) == shown


@given(st.text())
def test_nothing_that_a_terminal_would_obey_is_left(text: str) -> None:
    said = safe(text)
    assert "\n" not in said
    assert all(sign.isprintable() or unicodedata.category(sign) == "Zs" for sign in said)
    assert safe(said) == said


def test_times_are_shown_in_utc() -> None:
    at = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert safe(at) == "2025-12-31 23:30:00"


def test_markup_in_a_table_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name",), [("[bold red]Eve[/] :smile:",)], "empty")
    line("[red]x[/]")
    fields({"name": "[red]y[/]", "nothing": ""})
    out = capsys.readouterr().out
    assert "[bold red]Eve[/] :smile:" in out
    assert "[red]x[/]" in out
    assert "name  [red]y[/]" in out
    assert "nothing" not in out


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name",), [], "nobody here")
    assert capsys.readouterr().out == "nobody here\n"


def test_long_lines_are_not_broken_for_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    line("word " * 100)
    assert capsys.readouterr().out.count("\n") == 1


def test_json_is_ascii_and_keeps_every_sign(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"name": "Æ\x1b[31m\u202e👋", "at": datetime(2026, 1, 1, tzinfo=UTC), "set": frozenset({"b", "a"})}
    say_json(data)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"name": "Æ\x1b[31m\u202e👋", "at": "2026-01-01T00:00:00Z", "set": ["a", "b"]}
