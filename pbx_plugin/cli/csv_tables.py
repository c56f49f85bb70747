"""``export`` and ``import`` of users, groups, recording groups, numbers and exclusions, all in one way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import Actor, Company, DryRun, Json, TroubleError, changing, looking
from pbx_plugin.services import import_runs
from pbx_plugin.services.csv_table import LARGEST
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.import_runs import Subject
from pbx_plugin.services.imports import Diff, Options, Tick

SHOWN = 200
"""Changes that are told one by one; more are counted. JSON has them all."""

File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV file in UTF-8; - is standard input.")]
Missing = Annotated[
    bool, typer.Option("--deactivate-missing", help="What is not in the file goes; removed users' recordings stay.")
]
AddUnits = Annotated[
    bool, typer.Option("--add-departments", help="Add departments, districts, cost centres and offices not yet there.")
]
Place = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write to this file, mode 0640. [default: stdout]")
]
Excel = Annotated[bool, typer.Option("--excel", help="As Excel opens it by a click: byte order mark, semicolons.")]


def add_csv_commands(app: typer.Typer, subject: Subject, what: str) -> None:
    """Give a command group its ``export`` and ``import``."""

    def export(output: Place = None, excel: Excel = False, json: Json = False, tenant: Company = "") -> None:
        with looking(tenant) as desk:
            if json:
                speech.say_json([dict(row) for row in subject.rows(desk)])
                return
            text = import_runs.export(desk, subject, spreadsheet=excel)
        if output is None:
            sys.stdout.write(text)
        else:
            _write(output, text)

    def load(
        file: File,
        deactivate_missing: Missing = False,
        add_departments: AddUnits = False,
        json: Json = False,
        dry_run: DryRun = False,
        tenant: Company = "",
        actor: Actor = "",
    ) -> None:
        data = read_bytes(file)
        options = Options(remove_missing=deactivate_missing, add_units=add_departments)
        with changing(tenant, actor, dry_run=dry_run) as desk, ticking(f"importing {what}") as tick:
            diff = import_runs.run(desk, subject, data, str(file), options, tick)
        tell(diff, json=json)

    def load_without_departments(
        file: File,
        deactivate_missing: Missing = False,
        json: Json = False,
        dry_run: DryRun = False,
        tenant: Company = "",
        actor: Actor = "",
    ) -> None:
        load(file, deactivate_missing, False, json, dry_run, tenant, actor)

    columns = ", ".join(subject.columns)
    app.command("export", help=f"Write {what} as CSV; importing that again changes nothing. Columns: {columns}.")(
        export
    )
    importing: Callable[..., None] = load if subject is import_runs.USERS else load_without_departments
    app.command(
        "import",
        help=f"Make {what} so as a CSV file says, all of it or nothing, and show what that changes. "
        f"Columns in any order: {columns}.",
    )(importing)


def read_bytes(file: Path) -> bytes:
    """Return a file's content. Raises RefusedError when it cannot be read or is too large."""
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(LARGEST + 1)
    except OSError as error:
        raise RefusedError(f"{str(file)!r} cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise RefusedError(f"{str(file)!r} has more than {LARGEST} bytes: split it")
    return data


@contextmanager
def ticking(what: str) -> Iterator[Tick]:
    """Show on stderr how many rows are done; silent when stderr is no terminal."""
    console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(speech.safe(what), total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def tell(diff: Diff, *, json: bool) -> None:
    """Say what an import changes."""
    if json:
        speech.say_json(diff.plain())
        return
    for change in diff.changes[:SHOWN]:
        speech.line(f"{change.what:<8}{change.kind}: {change.label}")
        for column, before, after in change.differing():
            speech.line(f"        {column}: {before or 'nothing'} -> {after or 'nothing'}")
    if len(diff.changes) > SHOWN:
        speech.line(f"… and {len(diff.changes) - SHOWN} changes more; --json has them all")
    counts = ", ".join(f"{diff.count(what)} {what}" for what in ("added", "changed", "removed"))
    speech.line(f"{counts}, {diff.unchanged} as they were")
    for remark in diff.remarks[:SHOWN]:
        speech.hint(remark)
    if diff.missing:
        some = ", ".join(diff.missing[:5]) + (" …" if len(diff.missing) > 5 else "")
        speech.hint(f"{len(diff.missing)} not in the file stay as they are ({some}); --deactivate-missing removes such")


def _write(place: Path, text: str) -> None:
    try:
        with os.fdopen(
            os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w", encoding="utf-8", newline=""
        ) as opened:
            os.fchmod(opened.fileno(), 0o640)
            opened.write(text)
    except OSError as error:
        raise TroubleError(f"{str(place)!r} cannot be written: {error.strerror}") from error
