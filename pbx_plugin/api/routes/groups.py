"""Hunt groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import documented
from pbx_plugin.api.words import Body, DryRun, Name, Shown, Word, found
from pbx_plugin.domain.bridging import Bridging, Strategy
from pbx_plugin.domain.policy import GroupKind, GroupPolicy, HuntGroup
from pbx_plugin.services import groups, policies
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/groups", tags=["groups"])

Reader = Annotated[Caller, Depends(Needs(Scope.GROUPS_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.GROUPS_WRITE))]


class GroupShown(Shown):
    """A hunt group, its users (extensions) in ringing order, and what the policy in force says of it."""

    id: str
    name: str
    number: str
    kind: GroupKind
    members: list[str]
    policy: GroupPolicy
    bridged: bool
    strategy: Strategy
    ring_seconds: int
    wait_seconds: int
    wrap_up_seconds: int
    music: bool


class GroupChange(Body):
    """What to set of a group; what is left out stays. ``members`` replaces them all."""

    name: Word | None = None
    number: Word | None = None
    kind: GroupKind | None = None
    members: list[Word] | None = Field(None, max_length=1000, description="Extensions or ids, in ringing order.")
    bridged: bool | None = None
    strategy: Strategy | None = None
    ring_seconds: int | None = None
    wait_seconds: int | None = None
    wrap_up_seconds: int | None = None
    music: bool | None = None


class GroupNew(GroupChange):
    """A new group."""

    name: Word
    number: Word
    kind: GroupKind = GroupKind.QUEUE
    members: list[Word] = Field([], max_length=1000)


@router.get("")
def list_groups(caller: Reader) -> list[GroupShown]:
    """List the hunt groups, by number."""
    with caller.looking() as desk:
        return [_shown(desk, group) for group in desk.directory.groups(desk.tenant.id)]


@router.post("", status_code=201)
def add_group(caller: Writer, body: GroupNew, dry_run: DryRun = False) -> GroupShown:
    """Add a hunt group."""
    with caller.changing(dry_run=dry_run) as desk:
        bridging = _bridging(Bridging(), body)
        return _shown(desk, groups.add(desk, body.name, body.number, body.kind, body.members, bridging))


@router.get("/{group}", responses=documented(404))
def show_group(caller: Reader, group: Name) -> GroupShown:
    """Show one group, by id, number or name."""
    with caller.looking() as desk:
        return _shown(desk, _one(desk, group))


@router.patch("/{group}", responses=documented(404))
def change_group(caller: Writer, group: Name, body: GroupChange, dry_run: DryRun = False) -> GroupShown:
    """Change one group; what is left out stays."""
    with caller.changing(dry_run=dry_run) as desk:
        before = _one(desk, group)
        after = groups.change(
            desk,
            before,
            name=body.name,
            number=body.number,
            kind=body.kind,
            members=body.members,
            bridging=_bridging(before.bridging, body),
        )
        return _shown(desk, after)


@router.delete("/{group}", responses=documented(404, 409))
def remove_group(caller: Writer, group: Name, dry_run: DryRun = False) -> GroupShown:
    """Remove a group to which no number and no policy leads."""
    with caller.changing(dry_run=dry_run) as desk:
        there = _one(desk, group)
        shown = _shown(desk, there)
        groups.remove(desk, there)
        return shown


def _one(desk: Desk, who: str) -> HuntGroup:
    group: HuntGroup = found(groups.find, desk, who)
    return group


def _bridging(before: Bridging, body: GroupChange) -> Bridging:
    names = {"on": body.bridged, "strategy": body.strategy, "ring_seconds": body.ring_seconds}
    names |= {"wait_seconds": body.wait_seconds, "wrap_up_seconds": body.wrap_up_seconds, "music": body.music}
    wanted: dict[str, Any] = {name: value for name, value in names.items() if value is not None}
    return replace(before, **wanted)


def _shown(desk: Desk, group: HuntGroup) -> GroupShown:
    extensions = {person.id: person.extension for person in desk.directory.people(desk.tenant.id)}
    chosen = policies.in_force(desk).version.groups.get(group.id, GroupPolicy.NOT_APPLICABLE)
    return GroupShown(
        id=group.id,
        name=group.name,
        number=group.number,
        kind=group.kind,
        members=[extensions.get(member, member) for member in desk.directory.members(group.id)],
        policy=chosen,
        bridged=group.bridging.on,
        strategy=group.bridging.strategy,
        ring_seconds=group.bridging.ring_seconds,
        wait_seconds=group.bridging.wait_seconds,
        wrap_up_seconds=group.bridging.wrap_up_seconds,
        music=group.bridging.music,
    )
