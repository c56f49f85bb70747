"""The directory's people in the database: users, departments, units, recording groups."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import selectinload

from pbx_plugin.db.directory_session import SessionTables
from pbx_plugin.db.models import (
    DepartmentRow,
    DeviceRow,
    DirectNumberRow,
    HuntGroupRow,
    PersonRow,
    PersonUnitRow,
    RecordingGroupMemberRow,
    RecordingGroupRow,
    UnitRow,
)
from pbx_plugin.services.directory import Department, Elsewhere, Person
from pbx_plugin.services.people_records import RecordingGroup, Role, Unit, UnitKind

FEW = 500
"""So many rows are asked for by id; of more, all of the company are read."""


class PeopleTables(SessionTables):
    """The part of :class:`Directory` that is about people."""

    def departments(self, tenant_id: str) -> Sequence[Department]:
        """Return the departments, by name."""
        query = select(DepartmentRow).where(DepartmentRow.tenant_id == tenant_id).order_by(DepartmentRow.name)
        return [Department(row.id, row.tenant_id, row.name) for row in self._session.scalars(query)]

    def save_department(self, department: Department) -> None:
        """Write a department."""
        self._write(DepartmentRow(id=department.id, tenant_id=department.tenant_id, name=department.name))

    def delete_department(self, department: Department) -> None:
        """Delete a department that no user has."""
        self._session.execute(delete(DepartmentRow).where(DepartmentRow.id == department.id))

    def units(self, tenant_id: str) -> Sequence[Unit]:
        """Return districts, cost centres and offices, by kind and name."""
        query = select(UnitRow).where(UnitRow.tenant_id == tenant_id).order_by(UnitRow.kind, UnitRow.name)
        return [Unit(row.id, row.tenant_id, row.kind, row.name) for row in self._session.scalars(query)]

    def save_unit(self, unit: Unit) -> None:
        """Write a unit."""
        row = UnitRow(id=unit.id, tenant_id=unit.tenant_id, kind=unit.kind, name=unit.name)
        self._write(row, f"{unit.kind} {unit.name}")

    def delete_unit(self, unit: Unit) -> None:
        """Delete a unit; users who belonged to it belong to none of that kind."""
        self._session.execute(delete(PersonUnitRow).where(PersonUnitRow.unit_id == unit.id))
        self._session.execute(delete(UnitRow).where(UnitRow.id == unit.id))

    def people(self, tenant_id: str, *, removed: bool = False) -> Sequence[Person]:
        """Return the users, by extension; with ``removed`` also those who left."""
        query = select(PersonRow).where(PersonRow.tenant_id == tenant_id).options(selectinload(PersonRow.devices))
        if not removed:
            query = query.where(PersonRow.active)
        rows = self._session.scalars(query.order_by(PersonRow.extension, PersonRow.name)).all()
        units: dict[str, dict[UnitKind, str]] = defaultdict(dict)
        belonging = select(PersonUnitRow.person_id, PersonUnitRow.kind, PersonUnitRow.unit_id)
        for person_id, kind, unit_id in self._session.execute(belonging.where(PersonUnitRow.tenant_id == tenant_id)):
            units[person_id][kind] = unit_id
        return [_person(row, units.get(row.id, {})) for row in rows]

    def save_person(self, person: Person) -> None:
        """Write a user, with their devices; a device that stays keeps its secret."""
        self.save_people((person,))

    def save_people(self, people: Sequence[Person]) -> None:
        """Write many users at once, with their devices; extensions and devices may change hands among them."""
        if not people:
            return
        what = f"extension {people[0].extension} or a device of {people[0].name}"
        what = what if len(people) == 1 else "an extension or a device of one of the users"
        rows = self._rows(people)
        for person in people:
            row = rows.get(person.id)
            if row is None:
                continue
            # Given up first, so that somebody else may have it in the same breath.
            if row.extension != (person.extension or None):
                row.extension = None
            row.devices = [device for device in row.devices if device.endpoint in person.devices]
        self._flush(what)
        for person in people:
            row = rows.get(person.id)
            if row is None:
                row = PersonRow(id=person.id, tenant_id=person.tenant_id)
                self._session.add(row)
            _fill(row, person)
        self._flush(what)
        self._save_belonging(people)

    def taken_elsewhere(self, tenant_id: str) -> Elsewhere:
        """Return what other companies hold."""
        devices = self._session.scalars(select(DeviceRow.endpoint).where(DeviceRow.tenant_id != tenant_id))
        numbers = self._session.scalars(select(DirectNumberRow.e164).where(DirectNumberRow.tenant_id != tenant_id))
        names = self._session.scalars(select(HuntGroupRow.name).where(HuntGroupRow.tenant_id != tenant_id))
        return Elsewhere(frozenset(devices), frozenset(numbers), frozenset(names))

    def save_phone_digest(self, person: Person, device: str, digest: str) -> None:
        """Write the digest of a phone's password; the device is one of the user's."""
        of_person = select(DeviceRow).where(DeviceRow.person_id == person.id, DeviceRow.endpoint == device)
        self._session.scalars(of_person).one().secret_md5 = digest
        self._flush(f"device {device}")

    def recording_groups(self, tenant_id: str) -> Sequence[RecordingGroup]:
        """Return the recording groups, by name."""
        inside: dict[tuple[str, Role], set[str]] = defaultdict(set)
        belonging = select(
            RecordingGroupMemberRow.group_id, RecordingGroupMemberRow.role, RecordingGroupMemberRow.person_id
        ).where(RecordingGroupMemberRow.tenant_id == tenant_id)
        for group_id, role, person_id in self._session.execute(belonging):
            inside[group_id, role].add(person_id)
        query = select(RecordingGroupRow).where(RecordingGroupRow.tenant_id == tenant_id)
        return [
            RecordingGroup(
                row.id,
                row.tenant_id,
                row.name,
                frozenset(inside[row.id, Role.MEMBER]),
                frozenset(inside[row.id, Role.SUPERVISOR]),
            )
            for row in self._session.scalars(query.order_by(RecordingGroupRow.name))
        ]

    def save_recording_group(self, group: RecordingGroup) -> None:
        """Write a recording group with its members and supervisors."""
        row = RecordingGroupRow(id=group.id, tenant_id=group.tenant_id, name=group.name)
        self._write(row, f"recording group {group.name}")
        here = RecordingGroupMemberRow.group_id == group.id
        wanted = {(person_id, Role.MEMBER) for person_id in group.members}
        wanted |= {(person_id, Role.SUPERVISOR) for person_id in group.supervisors}
        there = {
            (row.person_id, row.role): row for row in self._session.scalars(select(RecordingGroupMemberRow).where(here))
        }
        for key in there.keys() - wanted:
            self._session.delete(there[key])
        self._session.add_all(
            RecordingGroupMemberRow(group_id=group.id, person_id=person_id, role=role, tenant_id=group.tenant_id)
            for person_id, role in sorted(wanted - there.keys())
        )
        self._flush(f"recording group {group.name}")

    def delete_recording_group(self, group: RecordingGroup) -> None:
        """Delete a recording group; no recording is touched."""
        self._session.execute(delete(RecordingGroupMemberRow).where(RecordingGroupMemberRow.group_id == group.id))
        self._session.execute(delete(RecordingGroupRow).where(RecordingGroupRow.id == group.id))

    def _rows(self, people: Sequence[Person]) -> dict[str, PersonRow]:
        query = select(PersonRow).options(selectinload(PersonRow.devices))
        if len(people) <= FEW:
            query = query.where(PersonRow.id.in_([person.id for person in people]))
        else:
            query = query.where(PersonRow.tenant_id == people[0].tenant_id)
        return {row.id: row for row in self._session.scalars(query)}

    def _save_belonging(self, people: Sequence[Person]) -> None:
        query = select(PersonUnitRow)
        if len(people) <= FEW:
            query = query.where(PersonUnitRow.person_id.in_([person.id for person in people]))
        else:
            query = query.where(PersonUnitRow.tenant_id == people[0].tenant_id)
        there = {(row.person_id, row.kind): row for row in self._session.scalars(query)}
        for person in people:
            for kind, unit_id in _belonging(person).items():
                row = there.get((person.id, kind))
                if row is not None and not unit_id:
                    self._session.delete(row)
                elif row is not None:
                    row.unit_id = unit_id
                elif unit_id:
                    self._session.add(
                        PersonUnitRow(person_id=person.id, kind=kind, tenant_id=person.tenant_id, unit_id=unit_id)
                    )
        self._flush("where one of the users belongs")


def _fill(row: PersonRow, person: Person) -> None:
    row.name, row.email, row.language = person.name, person.email, person.language
    row.extension, row.ddi = person.extension or None, person.ddi
    row.mode, row.enrolled, row.may_pause = person.mode, person.enrolled, person.may_pause
    row.department_id, row.active = person.department_id or None, not person.removed
    known = {device.endpoint for device in row.devices}
    for endpoint in person.devices:
        if endpoint not in known:
            row.devices.append(
                DeviceRow(id=str(uuid.uuid4()), tenant_id=person.tenant_id, person_id=person.id, endpoint=endpoint)
            )


def _belonging(person: Person) -> dict[UnitKind, str]:
    return {
        UnitKind.DISTRICT: person.district_id,
        UnitKind.COST_CENTRE: person.cost_centre_id,
        UnitKind.OFFICE: person.office_id,
    }


def _person(row: PersonRow, units: dict[UnitKind, str]) -> Person:
    return Person(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        extension=row.extension or "",
        ddi=row.ddi,
        email=row.email,
        mode=row.mode,
        enrolled=row.enrolled,
        department_id=row.department_id or "",
        # Sorted here too: rows that were just written stand in the order in which they were.
        devices=tuple(sorted(device.endpoint for device in row.devices)),
        may_pause=row.may_pause,
        language=row.language,
        removed=not row.active,
        district_id=units.get(UnitKind.DISTRICT, ""),
        cost_centre_id=units.get(UnitKind.COST_CENTRE, ""),
        office_id=units.get(UnitKind.OFFICE, ""),
    )
