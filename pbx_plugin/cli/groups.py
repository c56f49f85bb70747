"""``pbx-plugin groups``: queues and ring groups, and who is rung in which order."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.domain.policy import GroupKind, GroupPolicy, HuntGroup
from pbx_plugin.services import groups, policies
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(help="Hunt groups: queues and ring groups.", no_args_is_help=True, context_settings=WIDE)


class KindWord(StrEnum):
    """How a group rings, as it is typed."""

    QUEUE = "queue"
    RING_GROUP = "ring-group"


Who = Annotated[str, typer.Argument(metavar="GROUP", help="Name, number or id.")]
Members = Annotated[
    list[str] | None,
    typer.Option("--member", metavar="USER", help="User by extension, in ringing order; repeat for several."),
]


@app.command("list")
def list_groups(json: Json = False, tenant: Company = "") -> None:
    """List the hunt groups, their users in ringing order, and what the policy in force says of them."""
    with looking(tenant) as desk:
        found = [_plain(desk, group) for group in desk.directory.groups(desk.tenant.id)]
    if json:
        speech.say_json(found)
    else:
        _show(found)


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The group's name, which is the queue's in Asterisk.")],
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Internal number that is dialled, as 600.")],
    kind: Annotated[KindWord, typer.Option(help="How the group rings.")] = KindWord.QUEUE,
    member: Members = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add a hunt group."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        shown = _plain(desk, groups.add(desk, name, number, _kind(kind), member or []))
    _tell(shown, json)


@app.command("set")
def set_group(
    group: Who,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    number: Annotated[str | None, typer.Option(metavar="NUMBER", help="Another number.")] = None,
    kind: Annotated[KindWord | None, typer.Option(help="How the group rings.")] = None,
    member: Members = None,
    no_members: Annotated[bool, typer.Option("--no-members", help="Let nobody be rung.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change a hunt group; --member names all its users anew."""
    if no_members and member:
        raise RefusedError("--member and --no-members do not go together")
    members = [] if no_members else member
    if (name, number, kind, members) == (None, None, None, None):
        raise RefusedError("nothing to set: name at least one option, see 'pbx-plugin groups set --help'")
    chosen = _kind(kind) if kind else None
    with changing(tenant, actor, dry_run=dry_run) as desk:
        found = groups.find(desk, group)
        shown = _plain(desk, groups.change(desk, found, name=name, number=number, kind=chosen, members=members))
    _tell(shown, json)


@app.command()
def remove(group: Who, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Remove a hunt group to which no number and no policy leads."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        found = groups.find(desk, group)
        shown = _plain(desk, found)
        groups.remove(desk, found)
    if json:
        speech.say_json(shown)
    else:
        speech.line(f"removed group {found.name}")


def _kind(word: KindWord) -> GroupKind:
    return GroupKind(word.value.replace("-", " "))


def _plain(desk: Desk, group: HuntGroup) -> dict[str, Any]:
    extensions = {person.id: person.extension for person in desk.directory.people(desk.tenant.id)}
    policy = policies.in_force(desk).version.groups.get(group.id, GroupPolicy.NOT_APPLICABLE)
    return {
        "id": group.id,
        "name": group.name,
        "number": group.number,
        "kind": group.kind.value,
        "members": [extensions.get(member, member) for member in desk.directory.members(group.id)],
        "policy": policy.value,
    }


def _tell(shown: dict[str, Any], json: bool) -> None:
    if json:
        speech.say_json(shown)
    else:
        _show([shown])


def _show(found: list[dict[str, Any]]) -> None:
    columns = ("number", "name", "kind", "members", "policy")
    rows = [[", ".join(group[c]) if c == "members" else group[c] for c in columns] for group in found]
    speech.table(columns, rows, "no groups yet: add one with 'pbx-plugin groups add'")
