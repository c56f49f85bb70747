"""Hunt groups and recording groups from a table: compared with those that are there, checked, written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pbx_plugin.domain.bridging import Bridging, Strategy
from pbx_plugin.domain.policy import GroupKind, HuntGroup
from pbx_plugin.services import groups, numbering, recording_groups
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.csv_table import Table, TableRow, checked, several
from pbx_plugin.services.directory import Person, RefusedError
from pbx_plugin.services.groups_rows import (
    GROUPS,
    RECORDING_GROUPS,
    extensions,
    group_row,
    recording_group_row,
)
from pbx_plugin.services.imports import Change, Diff, Options, Tick, compared, read_yes, silent
from pbx_plugin.services.people_records import RecordingGroup


@dataclass(slots=True)
class _Site:
    everyone: dict[str, Person]
    by_extension: dict[str, str]
    seen: dict[str, int] = field(default_factory=dict)


def import_groups(desk: Desk, table: Table, options: Options, tick: Tick = silent) -> Diff:
    """Make the hunt groups so as the table says, with their users in ringing order; a second time changes nothing.

    A row is about the group of its ``id``, else of its ``name``, else a new one; columns that the table lacks are
    left. Raises RefusedError telling file, line, column and value.
    """
    diff, site = Diff(), _look(desk)
    there = {group.id: group for group in desk.directory.groups(desk.tenant.id)}
    by_name = {group.name: group for group in there.values()}
    members = {identity: list(ids) for identity, ids in desk.directory.memberships(desk.tenant.id).items()}
    taken = _numbers(desk, site)
    names = {name.casefold(): "another company" for name in desk.directory.taken_elsewhere(desk.tenant.id).group_names}
    rows = [
        (row, there.get(row.cells.get("id", "").strip()) or by_name.get(row.cells.get("name", "").strip()))
        for row in table.rows
    ]
    named = {group.id for _, group in rows if group}
    missing = [group for group in there.values() if group.id not in named]
    leaving = [g for g in missing if options.remove_missing or g.id in options.gone]
    for group in leaving:
        label = _label(group)
        was = group_row(group, extensions(site.everyone, members.get(group.id, ())))
        groups.remove(desk, group)
        diff.changes.append(Change(GROUPS, group.id, label, was, None))
    diff.missing += [_label(group) for group in missing if group not in leaving]
    for group in there.values():
        if group not in leaving and group.id not in named:
            taken[group.number] = names[group.name.casefold()] = f"group {group.name}"
    for done, (row, old) in enumerate(rows, 1):
        wanted, ids = _wanted_group(desk, table, row, old, site)
        inside = ids if ids is not None else members.get(wanted.id, [])
        _claim(table, row, "name", wanted.name.casefold(), names, wanted.name)
        _claim(table, row, "number", wanted.number, taken, wanted.name)
        before = group_row(old, extensions(site.everyone, members.get(old.id, ()))) if old else None
        change = compared(
            GROUPS, wanted.id, _label(wanted), before, group_row(wanted, extensions(site.everyone, inside))
        )
        if change is None:
            diff.unchanged += 1
            continue
        desk.directory.save_group(wanted, inside)
        desk.note(f"group {change.what}", wanted.id, **_audited(wanted, inside, members.get(wanted.id)))
        diff.changes.append(change)
        tick(done, len(rows))
    return diff


def import_recording_groups(desk: Desk, table: Table, options: Options, tick: Tick = silent) -> Diff:
    """Make the recording groups so as the table says; a second time changes nothing. As :func:`import_groups`."""
    diff, site = Diff(), _look(desk)
    there = {group.id: group for group in desk.directory.recording_groups(desk.tenant.id)}
    by_name = {group.name: group for group in there.values()}
    rows = [
        (row, there.get(row.cells.get("id", "").strip()) or by_name.get(row.cells.get("name", "").strip()))
        for row in table.rows
    ]
    named = {group.id for _, group in rows if group}
    names: dict[str, str] = {}
    for group in there.values():
        if group.id in named:
            continue
        if options.remove_missing or group.id in options.gone:
            recording_groups.remove(desk, group)
            before = recording_group_row(group, site.everyone)
            diff.changes.append(Change(RECORDING_GROUPS, group.id, group.name, before, None))
        else:
            diff.missing.append(group.name)
            names[group.name] = f"recording group {group.name}"
    for done, (row, old) in enumerate(rows, 1):
        wanted = _wanted_recording_group(desk, table, row, old, site)
        _claim(table, row, "name", wanted.name, names, wanted.name)
        was = recording_group_row(old, site.everyone) if old else None
        change = compared(RECORDING_GROUPS, wanted.id, wanted.name, was, recording_group_row(wanted, site.everyone))
        if change is None:
            diff.unchanged += 1
            continue
        desk.directory.save_recording_group(wanted)
        now = recording_groups.plain(wanted)
        detail = changed(recording_groups.plain(old), now) if old else now
        desk.note(f"recording group {change.what}", wanted.id, **detail)
        diff.changes.append(change)
        tick(done, len(rows))
    return diff


def _look(desk: Desk) -> _Site:
    everyone = {person.id: person for person in desk.directory.people(desk.tenant.id)}
    return _Site(everyone, {person.extension: person.id for person in everyone.values()})


def _numbers(desk: Desk, site: _Site) -> dict[str, str]:
    taken = dict.fromkeys(numbering.emergency_numbers(desk.directory, desk.tenant.id), "the emergency services")
    taken |= {consent.number: "a consent number" for consent in desk.directory.consent_numbers(desk.tenant.id)}
    return taken | {person.extension: f"user {person.name}" for person in site.everyone.values()}


def _wanted_group(
    desk: Desk, table: Table, row: TableRow, old: HuntGroup | None, site: _Site
) -> tuple[HuntGroup, list[str] | None]:
    group = old or HuntGroup(desk.new_id(), desk.tenant.id, "", "", GroupKind.QUEUE)
    _once(table, row, group.id, site)
    if "name" in row.cells:
        name = checked(table, row, "name", lambda cell: numbering.clean_group_name(cell.strip()))
        group = replace(group, name=name)
    if row.cells.get("number", "").strip() or not old:
        if "number" not in row.cells:
            raise table.wrong(row, "number", "a new group needs a number")
        number = checked(table, row, "number", lambda cell: numbering.clean_internal(cell, "the group's number"))
        group = replace(group, number=number)
    if row.cells.get("kind", "").strip():
        group = replace(group, kind=GroupKind(checked(table, row, "kind", lambda cell: _one_of(GroupKind, cell))))
    group = replace(group, bridging=_bridging(table, row, group.bridging))
    return group, _users(table, row, "members", site) if "members" in row.cells else None


def _bridging(table: Table, row: TableRow, before: Bridging) -> Bridging:
    said: dict[str, Any] = {}
    for column, (name, read) in _BRIDGING.items():
        if row.cells.get(column, "").strip():
            try:
                said[name] = read(row.cells[column].strip())
                groups.sensible(replace(before, **{name: said[name]}))
            except RefusedError as error:
                raise table.wrong(row, column, str(error)) from error
    return replace(before, **said)


def _wanted_recording_group(
    desk: Desk, table: Table, row: TableRow, old: RecordingGroup | None, site: _Site
) -> RecordingGroup:
    group = old or RecordingGroup(desk.new_id(), desk.tenant.id, "")
    _once(table, row, group.id, site)
    if "name" in row.cells:
        name = checked(table, row, "name", lambda cell: numbering.clean_name(cell, "the recording group's name"))
        group = replace(group, name=name)
    if "members" in row.cells:
        group = replace(group, members=frozenset(_users(table, row, "members", site)))
    if "supervisors" in row.cells:
        group = replace(group, supervisors=frozenset(_users(table, row, "supervisors", site)))
    return group


def _users(table: Table, row: TableRow, column: str, site: _Site) -> list[str]:
    found: list[str] = []
    for who in several(row.cells[column]):
        identity = site.by_extension.get(who) or (who if who in site.everyone else "")
        if not identity:
            raise table.wrong(row, column, f"there is no user {who!r}")
        if identity in found:
            raise table.wrong(row, column, f"user {who!r} stands twice")
        found.append(identity)
    return found


def _once(table: Table, row: TableRow, identity: str, site: _Site) -> None:
    if identity in site.seen:
        raise table.wrong(row, "name", f"line {site.seen[identity]} is about the same group")
    site.seen[identity] = row.line


def _claim(table: Table, row: TableRow, column: str, key: str, taken: dict[str, str], whose: str) -> None:
    if key in taken:
        raise table.wrong(row, column, f"it is taken by {taken[key]}")
    taken[key] = f"group {whose}"


def _one_of(kind: type[GroupKind] | type[Strategy], cell: str) -> str:
    word = cell.strip().casefold()
    for one in kind:
        if word.replace("-", " ").replace("_", " ") == one.value.replace("-", " "):
            return one
    raise RefusedError(f"it is one of {', '.join(kind)}")


def _whole(cell: str) -> int:
    if not cell.isascii() or not cell.isdecimal() or len(cell) > 6:
        raise RefusedError("write a whole number of seconds")
    return int(cell)


def _audited(group: HuntGroup, members: Sequence[str], before: Sequence[str] | None) -> dict[str, Any]:
    detail: dict[str, Any] = {"name": group.name, "number": group.number, "kind": group.kind.value}
    detail |= {"bridging": asdict(group.bridging), "members": list(members)}
    return detail if before is None else {**detail, "members_before": list(before)}


def _label(group: HuntGroup) -> str:
    return f"{group.number} {group.name}"


_BRIDGING: dict[str, tuple[str, Callable[[str], Any]]] = {
    "bridged": ("on", read_yes),
    "strategy": ("strategy", lambda cell: _one_of(Strategy, cell)),
    "ring_seconds": ("ring_seconds", _whole),
    "wait_seconds": ("wait_seconds", _whole),
    "wrap_up_seconds": ("wrap_up_seconds", _whole),
    "music": ("music", read_yes),
}
