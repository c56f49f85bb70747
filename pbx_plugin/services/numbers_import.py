"""Direct numbers (DDIs) as rows of a CSV file, and from such a file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pbx_plugin.domain.rulebook import DirectNumber
from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.csv_table import Table, TableRow, checked
from pbx_plugin.services.directory import Person, RefusedError
from pbx_plugin.services.imports import Change, Diff, Options, Row, Tick, compared, silent

KIND = "numbers"
COLUMNS = ("number", "leads_to", "target")
USER, GROUP, CONSENT = "user", "group", "consent number"


@dataclass(slots=True)
class _Targets:
    """What numbers can lead to, by how it is written, and how it is written by id."""

    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


def number_rows(desk: Desk) -> list[Row]:
    """Return the direct numbers and where they lead as rows, by number."""
    targets = _targets(desk, {person.id: person for person in desk.directory.people(desk.tenant.id)})
    return [_row(number, targets) for number in desk.directory.direct_numbers(desk.tenant.id)]


def import_numbers(desk: Desk, table: Table, options: Options, tick: Tick = silent) -> Diff:
    """Make the direct numbers lead where the table says; a second time changes nothing.

    A user's first direct number becomes their own. ``options.gone`` are numbers in E.164. Raises RefusedError telling
    file, line, column and value.
    """
    diff = Diff()
    people = {person.id: person for person in desk.directory.people(desk.tenant.id)}
    targets = _targets(desk, people)
    there = {number.e164: number for number in desk.directory.direct_numbers(desk.tenant.id)}
    elsewhere = desk.directory.taken_elsewhere(desk.tenant.id).direct_numbers
    wanted: dict[str, DirectNumber] = {}
    for done, row in enumerate(table.rows, 1):
        number = _wanted(desk, table, row, targets)
        if number.e164 in wanted:
            raise table.wrong(row, "number", "this number stands twice in the file")
        if number.e164 in elsewhere:
            raise table.wrong(row, "number", "it is taken by another company")
        wanted[number.e164] = number
        tick(done, len(table.rows))
    policies = desk.directory.policies(desk.tenant.id)
    whitelisted = policies[-1].version.whitelisted_ddis if policies else frozenset()
    for e164 in there.keys() - wanted.keys():
        if not options.remove_missing and e164 not in options.gone:
            diff.missing.append(e164)
            continue
        if e164 in whitelisted:
            raise RefusedError(f"{table.source}: the policy in force whitelists {e164}: apply one without it first")
        diff.changes.append(Change(KIND, e164, e164, _row(there[e164], targets), None))
    diff.missing.sort()
    for e164, number in wanted.items():
        before = _row(there[e164], targets) if e164 in there else None
        change = compared(KIND, e164, e164, before, _row(number, targets), whole=True)
        if change is None:
            diff.unchanged += 1
        else:
            diff.changes.append(change)
    _write(desk, diff, there, wanted, people)
    return diff


def _targets(desk: Desk, people: dict[str, Person]) -> _Targets:
    targets = _Targets()
    found = [(USER, person.extension, person.id) for person in people.values()]
    for group in desk.directory.groups(desk.tenant.id):
        found += [(GROUP, group.number, group.id), (GROUP, group.name, group.id)]
    found += [(CONSENT, c.number, c.id) for c in desk.directory.consent_numbers(desk.tenant.id)]
    for kind, word, identity in found:
        targets.ids[kind, word] = identity
        targets.words[identity] = word
    return targets


def _row(number: DirectNumber, targets: _Targets) -> Row:
    kind = USER if number.user_id else GROUP if number.group_id else CONSENT
    identity = number.user_id or number.group_id or number.consent_number_id
    return {"number": number.e164, "leads_to": kind, "target": targets.words.get(identity, identity)}


def _wanted(desk: Desk, table: Table, row: TableRow, targets: _Targets) -> DirectNumber:
    e164 = checked(table, row, "number", lambda cell: numbering.direct_number(cell, desk.tenant))
    kind = row.cells["leads_to"].strip().casefold().replace("_", " ")
    if kind not in (USER, GROUP, CONSENT):
        raise table.wrong(row, "leads_to", f"it is one of {USER}, {GROUP}, {CONSENT}")
    identity = targets.ids.get((kind, row.cells["target"].strip()))
    if identity is None:
        raise table.wrong(row, "target", f"there is no such {kind}")
    which = {USER: "user_id", GROUP: "group_id", CONSENT: "consent_number_id"}[kind]
    values: dict[str, Any] = {which: identity}
    return DirectNumber(e164, desk.tenant.id, **values)


def _write(
    desk: Desk,
    diff: Diff,
    there: dict[str, DirectNumber],
    wanted: dict[str, DirectNumber],
    people: dict[str, Person],
) -> None:
    touched = [change.id for change in diff.changes]
    gone = [there[e164] for e164 in touched if e164 in there]
    new = [wanted[e164] for e164 in touched if e164 in wanted]
    desk.directory.change_direct_numbers(gone, new)
    final = (there.keys() - set(touched)) | {number.e164 for number in new}
    ddis: dict[str, list[str]] = {}
    for e164 in sorted(final):
        number = wanted.get(e164) or there[e164]
        if number.user_id:
            ddis.setdefault(number.user_id, []).append(e164)
    concerned = {number.user_id for number in (*gone, *new) if number.user_id}
    changed = []
    for person in (people[identity] for identity in sorted(concerned) if identity in people):
        own = ddis.get(person.id, [])
        if person.ddi not in own:
            changed.append(replace(person, ddi=own[0] if own else ""))
    desk.directory.save_people(changed)
    desk.note_all(
        (f"direct number {change.what}", change.id, {"before": change.before, "after": change.after})
        for change in diff.changes
    )
