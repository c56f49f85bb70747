"""``pbx-plugin groups``: queues and ring groups, and who is rung in which order."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.domain.bridging import Bridging, Strategy
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

Bridged = Annotated[
    bool | None, typer.Option("--bridged/--not-bridged", help="Let 'pbx-plugin bridge' ring and bridge its calls.")
]
Rings = Annotated[Strategy | None, typer.Option("--strategy", help="Bridged: who is rung, in which order.")]
RingSeconds = Annotated[int | None, typer.Option(metavar="S", help="Bridged: how long one phone rings at a time.")]
WaitSeconds = Annotated[int | None, typer.Option(metavar="S", help="Bridged: how long a caller waits in all.")]
WrapUpSeconds = Annotated[int | None, typer.Option(metavar="S", help="Bridged: peace for a user after a call.")]
Music = Annotated[bool | None, typer.Option("--music/--ringing", help="Bridged: what a waiting caller hears.")]


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
    bridged: Bridged = None,
    strategy: Rings = None,
    ring_seconds: RingSeconds = None,
    wait_seconds: WaitSeconds = None,
    wrap_up_seconds: WrapUpSeconds = None,
    music: Music = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add a hunt group."""
    bridging = _bridging(Bridging(), bridged, strategy, ring_seconds, wait_seconds, wrap_up_seconds, music)
    with changing(tenant, actor, dry_run=dry_run) as desk:
        shown = _plain(desk, groups.add(desk, name, number, _kind(kind), member or [], bridging))
    _tell(shown, json)


@app.command("set")
def set_group(
    group: Who,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    number: Annotated[str | None, typer.Option(metavar="NUMBER", help="Another number.")] = None,
    kind: Annotated[KindWord | None, typer.Option(help="How the group rings.")] = None,
    member: Members = None,
    no_members: Annotated[bool, typer.Option("--no-members", help="Let nobody be rung.")] = False,
    bridged: Bridged = None,
    strategy: Rings = None,
    ring_seconds: RingSeconds = None,
    wait_seconds: WaitSeconds = None,
    wrap_up_seconds: WrapUpSeconds = None,
    music: Music = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change a hunt group; --member names all its users anew."""
    if no_members and member:
        raise RefusedError("--member and --no-members do not go together")
    members = [] if no_members else member
    ringing = (bridged, strategy, ring_seconds, wait_seconds, wrap_up_seconds, music)
    if all(given is None for given in (name, number, kind, members, *ringing)):
        raise RefusedError("nothing to set: name at least one option, see 'pbx-plugin groups set --help'")
    chosen = _kind(kind) if kind else None
    with changing(tenant, actor, dry_run=dry_run) as desk:
        found = groups.find(desk, group)
        bridging = _bridging(found.bridging, *ringing)
        changed = groups.change(desk, found, name=name, number=number, kind=chosen, members=members, bridging=bridging)
        shown = _plain(desk, changed)
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


def _bridging(
    before: Bridging,
    bridged: bool | None,
    strategy: Strategy | None,
    ring_seconds: int | None,
    wait_seconds: int | None,
    wrap_up_seconds: int | None,
    music: bool | None,
) -> Bridging:
    return replace(
        before,
        on=before.on if bridged is None else bridged,
        strategy=strategy or before.strategy,
        ring_seconds=before.ring_seconds if ring_seconds is None else ring_seconds,
        wait_seconds=before.wait_seconds if wait_seconds is None else wait_seconds,
        wrap_up_seconds=before.wrap_up_seconds if wrap_up_seconds is None else wrap_up_seconds,
        music=before.music if music is None else music,
    )


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
        "bridged": group.bridging.on,
        "strategy": group.bridging.strategy.value,
        "ring_seconds": group.bridging.ring_seconds,
        "wait_seconds": group.bridging.wait_seconds,
        "wrap_up_seconds": group.bridging.wrap_up_seconds,
        "music": group.bridging.music,
    }


def _tell(shown: dict[str, Any], json: bool) -> None:
    if json:
        speech.say_json(shown)
    else:
        _show([shown])


def _show(found: list[dict[str, Any]]) -> None:
    columns = ("number", "name", "kind", "members", "policy", "bridged")
    rows = [[_cell(group, column) for column in columns] for group in found]
    speech.table(columns, rows, "no groups yet: add one with 'pbx-plugin groups add'")


def _cell(group: dict[str, Any], column: str) -> str:
    if column == "members":
        return ", ".join(group[column])
    if column == "bridged":
        return str(group["strategy"]) if group[column] else "no"
    return str(group[column])
