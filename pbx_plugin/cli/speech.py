"""How the commands speak: tables and lines for people, JSON for programs, progress and troubles on stderr.

Names and numbers come from phones, trunks and files, so nothing of them reaches the terminal as it is: what could
move the cursor, change colours or turn the reading direction is shown as U+FFFD, and markup is only text.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])?")
_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def safe(text: object) -> str:
    """Return the text on one line, without anything that a terminal would obey."""
    if isinstance(text, bool):
        return "yes" if text else "no"
    if isinstance(text, datetime):
        return text.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    plain = _ESCAPES.sub("\ufffd", "" if text is None else str(text))
    return "".join("\ufffd" if unicodedata.category(sign) in _HARMFUL else sign for sign in plain)


def line(text: str = "") -> None:
    """Say one line on stdout."""
    _console().print(Text(safe(text)), soft_wrap=True)


def raw_line(text: str) -> None:
    """Print a text for a program or a pipe exactly as it is; the caller vouches for it."""
    sys.stdout.write(text + "\n")


def block(text: str) -> None:
    """Say several lines on stdout, each made harmless by itself."""
    for part in text.split("\n"):
        line(part)


def hint(text: str) -> None:
    """Say one line on stderr, beside what the command prints."""
    _console(stderr=True).print(Text(safe(text)), soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a table, or the line ``empty`` when it has no rows."""
    if not rows:
        line(empty)
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(safe(cell)) for cell in row))
    _console().print(drawn)


def fields(pairs: Mapping[str, object]) -> None:
    """Print name and value, one pair a line; empty values are left out."""
    shown = {name: safe(value) for name, value in pairs.items() if value not in (None, "", (), [])}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        line(f"{name:<{width}}  {value}")


def say_json(data: Any) -> None:
    """Print data as JSON in plain ASCII; times are ISO 8601 in UTC."""
    sys.stdout.write(json.dumps(data, indent=2, default=_plain) + "\n")


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on stderr that a long step is under way, and for how long; silent when stderr is no terminal."""
    console = _console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(safe(what), total=None)
        yield


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show on stderr how far a long step is; call what is yielded with how many more are done."""
    console = _console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(safe(what), total=total)
        yield lambda more: progress.advance(task, more)


def log_to_stderr(level: int) -> None:
    """Let what the parts have to tell go to stderr: in colour for a terminal, else as one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Harmless("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    human = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # JSON escapes what a terminal would obey; the coloured lines do not.
            *((_harmless,) if human else ()),
            structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class _Harmless(logging.Formatter):
    """What libraries log, made as harmless as what we say: one line for the message, a traceback behind it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging calls it so)
        return safe(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _lines(super().formatException(ei))


def _harmless(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name in ("exception", "stack"):
            event[name] = _lines(str(value))
        elif not isinstance(value, bool | int | float | None):
            event[name] = safe(value)
    return event


def _lines(text: str) -> str:
    return "\n".join(safe(part) for part in text.split("\n"))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def _console(*, stderr: bool = False) -> Console:
    # Made anew each time: tests and pipes exchange sys.stdout under us.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
