"""Hunt groups: queues and ring groups, and the users they ring, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from pbx_plugin.domain.bridging import NOT_BRIDGED, Bridging
from pbx_plugin.domain.policy import GroupKind, HuntGroup
from pbx_plugin.services import numbering, people
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError


def find(desk: Desk, who: str) -> HuntGroup:
    """Return the group of that name, number or id. Raises RefusedError when there is none or more than one."""
    return numbering.find_group(desk.directory, desk.tenant.id, who)


def add(
    desk: Desk, name: str, number: str, kind: GroupKind, members: Sequence[str], bridging: Bridging | None = None
) -> HuntGroup:
    """Add a hunt group that rings the given users in that order. Raises RefusedError when something is taken."""
    bridging = sensible(bridging or NOT_BRIDGED)
    number, name = _free_number(desk, number), _free_name(desk, name)
    group = HuntGroup(desk.new_id(), desk.tenant.id, number, name, kind, bridging)
    ids = _members(desk, members)
    desk.directory.save_group(group, ids)
    detail = {"name": group.name, "number": group.number, "kind": kind.value}
    desk.note("group added", group.id, **detail, bridging=asdict(bridging), members=ids)
    return group


def change(
    desk: Desk,
    group: HuntGroup,
    *,
    name: str | None = None,
    number: str | None = None,
    kind: GroupKind | None = None,
    members: Sequence[str] | None = None,
    bridging: Bridging | None = None,
) -> HuntGroup:
    """Set what is not ``None``; ``members`` replaces them all, in that order. No change, no audit entry."""
    wanted = group
    if name is not None and name != group.name:
        wanted = replace(wanted, name=_free_name(desk, name))
    if number is not None and number != group.number:
        wanted = replace(wanted, number=_free_number(desk, number))
    if kind is not None:
        wanted = replace(wanted, kind=kind)
    if bridging is not None:
        wanted = replace(wanted, bridging=sensible(bridging))
    before = list(desk.directory.members(group.id))
    after = before if members is None else _members(desk, members)
    if wanted != group or after != before:
        desk.directory.save_group(wanted, after)
        detail = {"name": wanted.name, "number": wanted.number, "kind": wanted.kind.value}
        rings = asdict(wanted.bridging)
        desk.note("group changed", group.id, **detail, bridging=rings, members=after, members_before=before)
    return wanted


def remove(desk: Desk, group: HuntGroup) -> None:
    """Remove a hunt group. Raises RefusedError while a number leads to it or the policy in force speaks of it."""
    for consent in desk.directory.consent_numbers(desk.tenant.id):
        if group.id in (consent.yes_group_id, consent.no_group_id):
            raise RefusedError(f"consent number {consent.number} sends callers to {group.name!r}: change that first")
    for direct in desk.directory.direct_numbers(desk.tenant.id):
        if direct.group_id == group.id:
            raise RefusedError(f"direct number {direct.e164} leads to {group.name!r}: remove or change that first")
    policies = desk.directory.policies(desk.tenant.id)
    if policies and group.id in policies[-1].version.groups:
        raise RefusedError(f"the policy in force speaks of group {group.name!r}: apply one without it first")
    desk.directory.delete_group(group)
    desk.note("group removed", group.id, name=group.name, number=group.number)


LONGEST_RING, LONGEST_WAIT, LONGEST_WRAP_UP = 300, 3600, 3600


def sensible(bridging: Bridging) -> Bridging:
    """Return the settings of a bridged group. Raises RefusedError when one is out of range."""
    limits = (
        ("ring", bridging.ring_seconds, 1, LONGEST_RING),
        ("wait", bridging.wait_seconds, 1, LONGEST_WAIT),
        ("wrap-up", bridging.wrap_up_seconds, 0, LONGEST_WRAP_UP),
    )
    for what, seconds, least, most in limits:
        if not least <= seconds <= most:
            raise RefusedError(f"{what} seconds {seconds}: take {least} to {most}")
    return bridging


def _members(desk: Desk, members: Sequence[str]) -> list[str]:
    ids = [people.find(desk, who).id for who in members]
    for position, identity in enumerate(ids):
        if identity in ids[:position]:
            raise RefusedError(f"user {members[position]!r} stands twice among the members: name each once")
    return ids


def _free_name(desk: Desk, text: str) -> str:
    name = numbering.clean_group_name(text)
    if any(g.name.casefold() == name.casefold() for g in desk.directory.groups(desk.tenant.id)):
        raise RefusedError(f"group {name!r} is there already: choose another name")
    return name


def _free_number(desk: Desk, text: str) -> str:
    number = numbering.clean_internal(text, "the group's number")
    numbering.require_free(desk.directory, desk.tenant.id, number)
    return number
