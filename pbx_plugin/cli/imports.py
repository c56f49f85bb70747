"""``pbx-plugin imports``: what imports changed, and taking one back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pbx_plugin.cli import csv_tables, speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.services import import_runs
from pbx_plugin.services.imports import Diff, find_run, recalled
from pbx_plugin.services.people_records import ImportRun

app = typer.Typer(help="Imports: what they changed, and taking one back.", no_args_is_help=True, context_settings=WIDE)

Which = Annotated[str, typer.Argument(metavar="[IMPORT]", help="Beginning of its id, or last.", show_default=False)]


@app.command("list")
def list_imports(json: Json = False, tenant: Company = "") -> None:
    """List the last 100 imports that changed anything, newest first."""
    with looking(tenant) as desk:
        found = [_plain(run) for run in desk.directory.import_runs(desk.tenant.id)]
    if json:
        speech.say_json(found)
        return
    columns = ("id", "at", "author", "source", "added", "changed", "removed", "taken back")
    rows = [[str(run["id"])[:8], *(run[c] for c in columns[1:-1]), run["undone_at"] or "no"] for run in found]
    speech.table(columns, rows, "no import has changed anything yet")


@app.command()
def show(which: Which = "last", json: Json = False, tenant: Company = "") -> None:
    """Show what an import changed, field by field."""
    with looking(tenant) as desk:
        run = find_run(desk.directory.import_runs(desk.tenant.id), which)
    if json:
        speech.say_json({**_plain(run), "changes": [dict(change) for change in run.changes]})
        return
    speech.fields({name: value for name, value in _plain(run).items() if name in ("id", "at", "author", "source")})
    csv_tables.tell(Diff(changes=recalled(run)), json=False)


@app.command()
def undo(
    which: Which = "last",
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Take an import back: everything that it changed is as it was before; refused where somebody changed it since."""
    with changing(tenant, actor, dry_run=dry_run) as desk, csv_tables.ticking("taking back") as tick:
        _, diff = import_runs.undo(desk, which, tick)
    csv_tables.tell(diff, json=json)


def _plain(run: ImportRun) -> dict[str, Any]:
    diff = Diff(changes=recalled(run))
    return {
        "id": run.id,
        "at": run.at,
        "author": run.author,
        "source": run.source,
        "sha256": run.sha256,
        "added": diff.count("added"),
        "changed": diff.count("changed"),
        "removed": diff.count("removed"),
        "undone_at": run.undone_at,
        "undone_by": run.undone_by,
    }
