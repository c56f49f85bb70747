"""Imports as a whole: which tables there are, running one, and taking one back."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pbx_plugin.services import exclusions_import, numbers_import, people, people_import, units
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.csv_table import Table, TableRow, read_table, write_table
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.exclusions_import import exclusion_rows, import_exclusions
from pbx_plugin.services.groups_import import import_groups, import_recording_groups
from pbx_plugin.services.groups_rows import (
    GROUP_COLUMNS,
    GROUPS,
    RECORDING_GROUP_COLUMNS,
    RECORDING_GROUPS,
    group_rows,
    recording_group_rows,
)
from pbx_plugin.services.imports import Change, Diff, Options, Row, Tick, find_run, recalled, silent
from pbx_plugin.services.numbers_import import import_numbers, number_rows
from pbx_plugin.services.people_import import import_users
from pbx_plugin.services.people_records import ImportRun
from pbx_plugin.services.people_rows import COLUMNS as USER_COLUMNS
from pbx_plugin.services.people_rows import UNIT_COLUMNS, user_rows

LONGEST_SOURCE = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of table: its columns, which of them a file must have, how it is exported and imported."""

    kind: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    rows: Callable[[Desk], Sequence[Row]]
    load: Callable[[Desk, Table, Options, Tick], Diff]


USERS = Subject(people_import.KIND, USER_COLUMNS, people_import.NEEDED, user_rows, import_users)
NUMBERS = Subject(numbers_import.KIND, numbers_import.COLUMNS, numbers_import.COLUMNS, number_rows, import_numbers)
HUNT_GROUPS = Subject(GROUPS, GROUP_COLUMNS, ("name",), group_rows, import_groups)
CIRCLES = Subject(RECORDING_GROUPS, RECORDING_GROUP_COLUMNS, ("name",), recording_group_rows, import_recording_groups)
EXCLUSIONS = Subject(exclusions_import.KIND, exclusions_import.COLUMNS, (), exclusion_rows, import_exclusions)
SUBJECTS = {subject.kind: subject for subject in (USERS, HUNT_GROUPS, CIRCLES, NUMBERS, EXCLUSIONS)}
"""In the order in which one may need the one before."""


def export(desk: Desk, subject: Subject, *, spreadsheet: bool = False) -> str:
    """Return a table as CSV; importing it again changes nothing."""
    return write_table(subject.columns, subject.rows(desk), spreadsheet=spreadsheet)


def run(desk: Desk, subject: Subject, data: bytes, source: str, options: Options, tick: Tick = silent) -> Diff:
    """Import a CSV file, and keep what it changed so that it can be taken back.

    All of it is done or, where RefusedError is raised, nothing: the caller's transaction is one. ``source`` is the
    file's name for complaints and for the books.
    """
    table = read_table(data, source, subject.columns, subject.needed)
    return keep(desk, subject.load(desk, table, options, tick), source, hashlib.sha256(data).hexdigest())


def keep(desk: Desk, diff: Diff, source: str, sha256: str) -> Diff:
    """Keep what an import changed; one that changed nothing is not kept."""
    if diff.changes:
        changes = [change.plain() for change in diff.changes]
        made = ImportRun(desk.new_id(), desk.tenant.id, desk.at, desk.actor, source[-LONGEST_SOURCE:], sha256, changes)
        desk.directory.add_import_run(made)
        counts = {what: diff.count(what) for what in ("added", "changed", "removed")}
        desk.note("import done", made.id, source=made.source, sha256=sha256, **counts)
    return diff


def undo(desk: Desk, which: str, tick: Tick = silent) -> tuple[ImportRun, Diff]:
    """Take an import back: what it added goes, what it changed or removed is as it was before.

    Users that it added are removed as by :func:`.people.remove`; recordings stay. ``which`` is the beginning of its id,
    or ``last``. Raises RefusedError when there is none, when it was taken back already, or when somebody has changed
    since what it made; each of those is named.
    """
    found = find_run(desk.directory.import_runs(desk.tenant.id), which)
    if found.undone_at is not None:
        raise RefusedError(f"import {found.id} was taken back already, by {found.undone_by}")
    changes: dict[str, list[Change]] = defaultdict(list)
    for change in recalled(found):
        changes[change.kind].append(change)
    source = f"import {found.id[:8]}"
    _require_untouched(desk, source, changes)
    diff = Diff()
    # What points at users goes before them, what they are to be in again comes after them.
    for subject in reversed(SUBJECTS.values()):
        if subject is not USERS:
            gone = frozenset(change.id for change in changes[subject.kind] if change.before is None)
            if gone:
                diff.take_in(subject.load(desk, Table(source, frozenset(), ()), Options(gone=gone), silent))
    for subject in SUBJECTS.values():
        again = [change for change in changes[subject.kind] if change.before is not None]
        gone = frozenset(c.id for c in changes[subject.kind] if c.before is None) if subject is USERS else frozenset()
        if again or gone:
            rows = [TableRow(line, _cells(subject, change)) for line, change in enumerate(again, 1)]
            table = Table(source, frozenset(subject.columns), rows)
            diff.take_in(subject.load(desk, table, Options(gone=gone), tick))
    _remove_units(desk, changes, diff)
    diff.missing.clear()
    desk.directory.mark_undone(found, author=desk.actor, at=desk.at)
    desk.note("import taken back", found.id, source=found.source)
    return found, diff


def _cells(subject: Subject, change: Change) -> Row:
    cells = dict(change.before or {})
    if "id" in subject.columns:
        return {**cells, "id": change.id}
    # Numbers and exclusions go by what they are; what did not differ is not said in a change.
    return {**({"number": change.id} if subject is NUMBERS else {}), **cells}


def _require_untouched(desk: Desk, source: str, changes: dict[str, list[Change]]) -> None:
    for subject in SUBJECTS.values():
        now = {_identity(subject, row): row for row in subject.rows(desk)} if changes[subject.kind] else {}
        for change in changes[subject.kind]:
            row = now.get(_identity(subject, {**(change.after or change.before or {}), "id": change.id}))
            touched = _touched(change, row)
            if touched:
                raise RefusedError(
                    f"{source} cannot be taken back: {subject.kind[:-1]} {change.label} was changed since: {touched}"
                )


def _identity(subject: Subject, row: Row) -> str:
    if "id" in row and subject is not NUMBERS and subject is not EXCLUSIONS:
        return row["id"]
    if subject is NUMBERS:
        return row.get("number") or row["id"]
    return f"{row.get('number', '')} {row.get('prefix', '')} {row.get('user', '')}"


def _touched(change: Change, row: Row | None) -> str:
    if change.after is None:
        return "it is there again" if row is not None else ""
    if row is None:
        return "it is there no more"
    other = [column for column, text in change.after.items() if row.get(column, "") != text]
    return ", ".join(f"{column} is {row.get(column, '')!r}" for column in other)


def _remove_units(desk: Desk, changes: dict[str, list[Change]], diff: Diff) -> None:
    """Remove departments and units that came with the import; those that somebody has begun to use stay."""
    came = {change.id for column in ("department", *UNIT_COLUMNS) for change in changes[column]}
    used = people.units_in_use(desk) if came else frozenset()
    people.forget_units(desk, came - used)
    for column in ("department", *UNIT_COLUMNS):
        for change in changes[column]:
            if change.id in used:
                diff.remarks.append(f"{column.replace('_', ' ')} {change.label!r} is used by now and stays")
            else:
                if column == "department":
                    people.remove_department(desk, change.id, checked=True)
                else:
                    units.remove(desk, UNIT_COLUMNS[column], change.id, checked=True)
                diff.changes.append(Change(column, change.id, change.label, change.after, None))
