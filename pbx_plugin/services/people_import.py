"""Many users from a table at once: compared with those who are there, checked as a whole, written as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.policy import DEFAULT_EMERGENCY_NUMBERS
from pbx_plugin.domain.rulebook import DirectNumber
from pbx_plugin.services import enrolment, numbering, people, units
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.csv_table import Table, TableRow
from pbx_plugin.services.directory import UNDEFINED, Person, RefusedError
from pbx_plugin.services.groups_rows import left_by
from pbx_plugin.services.imports import Change, Diff, Options, Row, Tick, compared, silent
from pbx_plugin.services.people_rows import UNIT_COLUMNS, Names, names_of, read_values, row_of

KIND = "users"
NEEDED = ("extension",)
TICKS = 100


@dataclass(slots=True)
class _Wanted:
    """A user as they were and as they shall be, and the row that says so (None for those not in the file)."""

    person: Person
    ddis: tuple[str, ...]
    before: Person | None = None
    ddis_before: tuple[str, ...] = ()
    row: TableRow | None = None


@dataclass(slots=True)
class _Site:
    """The company as it is, read once."""

    names: Names
    everyone: dict[str, Person]
    by_extension: dict[str, Person]
    numbers: Sequence[DirectNumber]
    wanted: dict[str, _Wanted] = field(default_factory=dict)


def import_users(desk: Desk, table: Table, options: Options, tick: Tick = silent) -> Diff:
    """Make the users so as the table says, and return what that changed; a second time it changes nothing.

    A row is about the user of its ``id``, else of its ``extension``, else a new one. Columns that the table lacks are
    left; new users are not enrolled unless it says so. Users who become enrolled are told (:mod:`.enrolment`).
    Raises RefusedError telling file, line, column and value; the caller then takes the transaction back.
    """
    diff = Diff()
    if options.add_units:
        diff.changes += _add_units(desk, table)
    site = _look(desk)
    for done, row in enumerate(table.rows, 1):
        _want(desk, table, row, site)
        if done % TICKS == 0:
            tick(done, len(table.rows))
    named = {wanted.person.id for wanted in site.wanted.values()}
    gone = [p for p in site.everyone.values() if not p.removed and p.id not in named]
    leaving = [p for p in gone if options.remove_missing or p.id in options.gone]
    diff.missing += [_label(p) for p in gone if not options.remove_missing and p.id not in options.gone]
    for person in leaving:
        left = replace(person, removed=True, enrolled=False, extension="", ddi="", devices=())
        site.wanted[person.id] = _Wanted(left, (), person, site.names.ddis.get(person.id, ()))
    people.refuse_if_asked_for(desk, leaving)
    _check(desk, table, site)
    moved = [one for one in site.wanted.values() if one.person != one.before or one.ddis != one.ddis_before]
    diff.unchanged += len(site.wanted) - len(moved)
    _write(desk, site, moved)
    diff.changes += [change for one in moved if (change := _change(one, site.names))]
    diff.changes += left_by(desk, {one.person.id for one in moved if one.person.removed}, site.everyone)
    tick(len(table.rows), len(table.rows))
    return diff


def _look(desk: Desk) -> _Site:
    everyone = list(desk.directory.people(desk.tenant.id, removed=True))
    numbers = desk.directory.direct_numbers(desk.tenant.id)
    return _Site(
        names_of(desk, everyone, list(numbers)),
        {person.id: person for person in everyone},
        {person.extension: person for person in everyone if not person.removed},
        numbers,
    )


def _want(desk: Desk, table: Table, row: TableRow, site: _Site) -> None:
    values = read_values(table, row, desk.tenant, site.names)
    before = site.everyone.get(row.cells.get("id", "").strip()) or site.by_extension.get(values.get("extension", ""))
    ddis_before = site.names.ddis.get(before.id, ()) if before else ()
    ddis = values.pop("ddis", ddis_before)
    base = before or _newcomer(desk, table, row, values)
    if before and values.get("enrolled") and not before.enrolled:
        values.setdefault("mode", Mode.ON_DEMAND if before.mode is Mode.NEVER else before.mode)
    values["ddi"] = ddis[0] if ddis else ""
    person = replace(base, removed=False, **values)
    if person.id in site.wanted:
        other = site.wanted[person.id].row
        raise table.wrong(row, "extension", f"line {other.line if other else 0} is about the same user")
    site.wanted[person.id] = _Wanted(person, ddis, before, ddis_before, row)


def _newcomer(desk: Desk, table: Table, row: TableRow, values: dict[str, Any]) -> Person:
    if "extension" not in values:
        raise table.wrong(row, "extension", "a user who is not there yet needs an extension")
    if "name" not in values:
        raise table.wrong(row, "name", f"user {values['extension']} is not there yet: a new user needs a name")
    values.setdefault("devices", (f"PJSIP/{values['extension']}",))
    values.setdefault("language", desk.tenant.language)
    if values.get("enrolled"):
        values.setdefault("mode", Mode.ON_DEMAND)
    return Person(id=desk.new_id(), tenant_id=desk.tenant.id, name=values["name"], extension=values["extension"])


def _check(desk: Desk, table: Table, site: _Site) -> None:
    """Raise RefusedError unless all users can be so at the same time."""
    stay = [_Wanted(p, site.names.ddis.get(p.id, ())) for i, p in site.everyone.items() if i not in site.wanted]
    # Those in the file come last, so that it is their line that is complained of.
    final = [one for one in (*stay, *site.wanted.values()) if not one.person.removed]
    elsewhere = desk.directory.taken_elsewhere(desk.tenant.id)
    policies = desk.directory.policies(desk.tenant.id)
    emergency = policies[-1].version.emergency_numbers if policies else DEFAULT_EMERGENCY_NUMBERS
    extensions = dict.fromkeys(emergency, "the emergency services")
    extensions |= {g.number: f"{g.kind} {g.name}" for g in desk.directory.groups(desk.tenant.id)}
    extensions |= {c.number: "a consent number" for c in desk.directory.consent_numbers(desk.tenant.id)}
    devices = {device.replace("-", ""): "another company" for device in elsewhere.devices}
    ddis = dict.fromkeys(elsewhere.direct_numbers, "another company")
    ddis |= {n.e164: "a group or a consent number" for n in site.numbers if not n.user_id}
    for one in final:
        whose = f"user {_label(one.person)}"
        _claim(table, one, "extension", extensions, [(one.person.extension, one.person.extension)], whose)
        # Asterisk overlooks hyphens in what is dialled: two devices must differ in more than those.
        own = {device.replace("-", ""): device for device in one.person.devices}
        _claim(table, one, "devices", devices, own.items(), whose)
        _claim(table, one, "ddis", ddis, [(e164, e164) for e164 in one.ddis], whose)
    _keep_whitelisted(table, site, final, policies[-1].version.whitelisted_ddis if policies else frozenset())


def _claim(
    table: Table, one: _Wanted, column: str, taken: dict[str, str], keys: Iterable[tuple[str, str]], whose: str
) -> None:
    for key, told in keys:
        holder = taken.setdefault(key, whose)
        if holder is not whose and one.row is not None:
            raise table.wrong(one.row, column, f"{told} is taken by {holder}")


def _keep_whitelisted(table: Table, site: _Site, final: list[_Wanted], whitelisted: frozenset[str]) -> None:
    kept = {e164 for one in final for e164 in one.ddis}
    for one in site.wanted.values():
        lost = [e164 for e164 in one.ddis_before if e164 in whitelisted and e164 not in kept]
        if lost and one.row is not None:
            why = f"the policy in force whitelists {lost[0]}: apply one without it first"
            raise table.wrong(one.row, "ddis", why)
        if lost:
            raise RefusedError(
                f"{table.source}: user {_label(one.before or one.person)} cannot be removed while the policy in force "
                f"whitelists {lost[0]}: apply one without it first"
            )


def _write(desk: Desk, site: _Site, moved: list[_Wanted]) -> None:
    numbers = {number.e164: number for number in site.numbers}
    gone = [numbers[e164] for one in moved for e164 in one.ddis_before if e164 not in one.ddis]
    new = [
        DirectNumber(e164, desk.tenant.id, user_id=one.person.id)
        for one in moved
        for e164 in one.ddis
        if e164 not in one.ddis_before
    ]
    desk.directory.change_direct_numbers(gone, ())
    desk.directory.save_people([one.person for one in moved])
    desk.directory.change_direct_numbers((), new)
    desk.note_all(_note(one) for one in moved)
    enrolment.take_back(desk, [o.person for o in moved if o.before and o.before.enrolled and not o.person.enrolled])
    nobody = Person("", desk.tenant.id, "", "")
    enrolment.tell(desk, [o.person for o in moved if enrolment.is_news(o.before or nobody, o.person)])


def _note(one: _Wanted) -> tuple[str, str, dict[str, Any]]:
    after = {**people.plain(one.person), "ddis": list(one.ddis)}
    if one.before is None:
        return "user added", one.person.id, after
    if one.person.removed:
        return "user removed", one.person.id, {"name": one.before.name, "extension": one.before.extension}
    before = {**people.plain(one.before), "ddis": list(one.ddis_before)}
    return "user returned" if one.before.removed else "user changed", one.person.id, changed(before, after)


def _change(one: _Wanted, names: Names) -> Change | None:
    was_there = one.before is not None and not one.before.removed
    before: Row | None = row_of(one.before, one.ddis_before, names) if one.before and was_there else None
    after: Row | None = None if one.person.removed else row_of(one.person, one.ddis, names)
    shown = one.before if one.before and one.person.removed else one.person
    return compared(KIND, one.person.id, _label(shown), before, after)


def _label(person: Person) -> str:
    return f"{person.extension} {person.name}".strip()


def _add_units(desk: Desk, table: Table) -> list[Change]:
    """Add departments and units that the table names and that are not there."""
    there = {d.name for d in desk.directory.departments(desk.tenant.id)} | {UNDEFINED, ""}
    known = {(u.kind, u.name) for u in desk.directory.units(desk.tenant.id)}
    changes = []
    for row in table.rows:
        for column in ("department", *UNIT_COLUMNS):
            cell = row.cells.get(column, "").strip()
            if not cell:
                continue
            try:
                name = numbering.clean_name(cell, "the name")
                if column == "department" and name not in there:
                    there.add(name)
                    identity = people.add_department(desk, name).id
                elif column in UNIT_COLUMNS and (UNIT_COLUMNS[column], name) not in known:
                    known.add((UNIT_COLUMNS[column], name))
                    identity = units.add(desk, UNIT_COLUMNS[column], name).id
                else:
                    continue
            except RefusedError as error:
                raise table.wrong(row, column, str(error)) from error
            changes.append(Change(column, identity, name, None, {"name": name}))
    return changes
