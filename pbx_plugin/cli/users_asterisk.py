"""``pbx-plugin users import-asterisk``: users and queues from a plain Asterisk's own files."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pbx_plugin.asterisk.read_config import ConfigFileError
from pbx_plugin.asterisk.read_people import queues_of, users_of_pjsip
from pbx_plugin.cli.csv_tables import Missing, read_bytes, tell, ticking
from pbx_plugin.cli.frame import Actor, Company, DryRun, Json, changing
from pbx_plugin.services import import_runs
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.imports import Diff, Options, Tick

Pjsip = Annotated[
    Path | None, typer.Option("--pjsip", metavar="FILE", help="Users from this pjsip.conf; passwords are not read.")
]
Queues = Annotated[Path | None, typer.Option("--queues", metavar="FILE", help="Queues from this queues.conf.")]
QueueNumbers = Annotated[
    list[str] | None,
    typer.Option("--queue-number", metavar="NAME=NUMBER", help="On which number a queue is dialled; repeat."),
]


def add_commands(app: typer.Typer) -> None:
    """Give the users' group this command."""
    app.command("import-asterisk")(import_asterisk)


def import_asterisk(
    pjsip: Pjsip = None,
    queues: Queues = None,
    queue_number: QueueNumbers = None,
    deactivate_missing: Missing = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Bring users and queues into step with a plain Asterisk's files; new users are not enrolled."""
    if pjsip is None and queues is None:
        raise RefusedError("nothing to read: give --pjsip, --queues or both")
    numbers = _numbers(queue_number or [])
    with changing(tenant, actor, dry_run=dry_run) as desk, ticking("importing from Asterisk") as tick:
        diff = Diff()
        options = Options(remove_missing=deactivate_missing)
        try:
            if pjsip is not None:
                diff.take_in(_users(desk, pjsip, options, tick))
            if queues is not None:
                diff.take_in(_queues(desk, queues, numbers, tick))
        except ConfigFileError as error:
            raise RefusedError(str(error)) from error
        files = [file for file in (pjsip, queues) if file is not None]
        sha256 = hashlib.sha256(b"".join(read_bytes(file) for file in files)).hexdigest()
        import_runs.keep(desk, diff, ", ".join(map(str, files)), sha256)
    tell(diff, json=json)


def _users(desk: Desk, file: Path, options: Options, tick: Tick) -> Diff:
    found = users_of_pjsip(file, desk.tenant.country)
    # Who has no name in the file and is not there yet goes by their number until somebody names them.
    known = {person.extension for person in desk.directory.people(desk.tenant.id)}
    rows = [
        replace(row, cells={"name": row.cells["extension"], **row.cells})
        if row.cells["extension"] not in known
        else row
        for row in found.table.rows
    ]
    table = replace(found.table, rows=rows)
    diff = import_runs.USERS.load(desk, table, options, tick)
    diff.remarks += found.remarks
    return diff


def _queues(desk: Desk, file: Path, numbers: dict[str, str], tick: Tick) -> Diff:
    everyone = desk.directory.people(desk.tenant.id)
    devices = {device: person.extension for person in everyone for device in person.devices}
    devices |= {f"user {person.extension}": person.extension for person in everyone}
    known = {group.name: group.number for group in desk.directory.groups(desk.tenant.id)}
    found = queues_of(file, numbers, devices, known)
    # Ring groups are not in queues.conf; that they are missing there says nothing.
    diff = import_runs.HUNT_GROUPS.load(desk, found.table, Options(), tick)
    diff.missing.clear()
    diff.remarks += found.remarks
    return diff


def _numbers(given: list[str]) -> dict[str, str]:
    numbers = {}
    for one in given:
        name, sign, number = one.partition("=")
        if not (name and sign and number):
            raise RefusedError(f"--queue-number {one!r} is not understood: write it as sales=600")
        numbers[name] = number
    return numbers
