"""``pbx-plugin recording-groups``: whose recordings are supervised together, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pbx_plugin.cli import csv_tables, speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.services import import_runs, recording_groups
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.people_records import RecordingGroup

app = typer.Typer(
    help="Recording groups: users whose recordings supervisors see. Who rings is in 'groups'.",
    no_args_is_help=True,
    context_settings=WIDE,
)

Who = Annotated[str, typer.Argument(metavar="GROUP", help="Name or id.")]
Members = Annotated[
    list[str] | None, typer.Option("--member", metavar="USER", help="User by extension; repeat for several.")
]
Supervisors = Annotated[
    list[str] | None,
    typer.Option("--supervisor", metavar="USER", help="User who sees the recordings; repeat for several."),
]


@app.command("list")
def list_recording_groups(json: Json = False, tenant: Company = "") -> None:
    """List the recording groups, their members and supervisors."""
    with looking(tenant) as desk:
        extensions = _extensions(desk)
        found = [_plain(group, extensions) for group in desk.directory.recording_groups(desk.tenant.id)]
    if json:
        speech.say_json(found)
    else:
        _show(found)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The recording group's name.")],
    member: Members = None,
    supervisor: Supervisors = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add a recording group."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        group = recording_groups.add(desk, name, member or [], supervisor or [])
        shown = _plain(group, _extensions(desk))
    _tell(shown, json)


@app.command("set")
def set_recording_group(
    group: Who,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    member: Members = None,
    no_members: Annotated[bool, typer.Option("--no-members", help="Let nobody be in it.")] = False,
    supervisor: Supervisors = None,
    no_supervisors: Annotated[bool, typer.Option("--no-supervisors", help="Let nobody supervise it.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change a recording group; --member and --supervisor name all of them anew."""
    if (no_members and member) or (no_supervisors and supervisor):
        raise RefusedError("--member and --no-members, --supervisor and --no-supervisors do not go together")
    members = [] if no_members else member
    supervisors = [] if no_supervisors else supervisor
    if name is None and members is None and supervisors is None:
        raise RefusedError("nothing to set: name at least one option, see 'pbx-plugin recording-groups set --help'")
    with changing(tenant, actor, dry_run=dry_run) as desk:
        found = recording_groups.find(desk, group)
        changed = recording_groups.change(desk, found, name=name, members=members, supervisors=supervisors)
        shown = _plain(changed, _extensions(desk))
    _tell(shown, json)


@app.command()
def remove(group: Who, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Remove a recording group; the recordings stay."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        found = recording_groups.find(desk, group)
        shown = _plain(found, _extensions(desk))
        recording_groups.remove(desk, found)
    if json:
        speech.say_json(shown)
    else:
        speech.line(f"removed recording group {found.name}")


csv_tables.add_csv_commands(app, import_runs.CIRCLES, "the recording groups")


def _extensions(desk: Desk) -> dict[str, str]:
    return {person.id: person.extension for person in desk.directory.people(desk.tenant.id)}


def _plain(group: RecordingGroup, extensions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "members": sorted(extensions.get(one, one) for one in group.members),
        "supervisors": sorted(extensions.get(one, one) for one in group.supervisors),
    }


def _tell(shown: dict[str, Any], json: bool) -> None:
    if json:
        speech.say_json(shown)
    else:
        _show([shown])


def _show(found: list[dict[str, Any]]) -> None:
    rows = [[group["name"], ", ".join(group["members"]), ", ".join(group["supervisors"])] for group in found]
    empty = "no recording groups yet: add one with 'pbx-plugin recording-groups add'"
    speech.table(("name", "members", "supervisors"), rows, empty)
