"""The directory's people in the database: users, departments, units, recording groups."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, select, update

from pbx_plugin.db.directory_session import AT_ONCE, SessionTables
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
        query = select(*_COLUMNS).where(PersonRow.tenant_id == tenant_id)
        if not removed:
            query = query.where(PersonRow.active)
        rows = self._session.execute(query.order_by(PersonRow.extension, PersonRow.name)).all()
        devices, units = self._devices(tenant_id), self._belonging(tenant_id)
        return [
            Person(
                id=row.id,
                tenant_id=row.tenant_id,
                name=row.name,
                extension=row.extension or "",
                ddi=row.ddi,
                email=row.email,
                mode=row.mode,
                enrolled=row.enrolled,
                department_id=row.department_id or "",
                devices=tuple(sorted(devices.get(row.id, {}))),
                may_pause=row.may_pause,
                language=row.language,
                removed=not row.active,
                district_id=units.get((row.id, UnitKind.DISTRICT), ""),
                cost_centre_id=units.get((row.id, UnitKind.COST_CENTRE), ""),
                office_id=units.get((row.id, UnitKind.OFFICE), ""),
            )
            for row in rows
        ]

    def save_person(self, person: Person) -> None:
        """Write a user, with their devices; a device that stays keeps its secret."""
        self.save_people((person,))

    def save_people(self, people: Sequence[Person]) -> None:
        """Write many users at once, with their devices; extensions and devices may change hands among them."""
        if not people:
            return
        tenant_id = people[0].tenant_id
        what = f"extension {people[0].extension} or a device of {people[0].name}"
        what = what if len(people) == 1 else "an extension or a device of one of the users"
        few = [person.id for person in people] if len(people) <= AT_ONCE else None
        there = select(PersonRow.id, PersonRow.extension).where(PersonRow.tenant_id == tenant_id)
        there = there if few is None else there.where(PersonRow.id.in_(few))
        extensions = {row.id: row.extension for row in self._session.execute(there)}
        known = [person for person in people if person.id in extensions]
        devices = self._devices(tenant_id, few)
        # Given up first, so that somebody else may have it in the same breath.
        dropped = [
            device_id
            for person in known
            for endpoint, device_id in devices.get(person.id, {}).items()
            if endpoint not in person.devices
        ]
        self._delete(DeviceRow, DeviceRow.id, dropped, tenant_id)
        moving = [p.id for p in known if extensions[p.id] not in (None, p.extension)]
        if moving:
            self._run(_GIVE_UP, what, [{"which": identity} for identity in moving])
        if known:
            self._run(_CHANGE, what, [{"which": person.id, **_values(person)} for person in known])
        new = [person for person in people if person.id not in extensions]
        self._insert(PersonRow, [{"id": p.id, "tenant_id": tenant_id, **_values(p)} for p in new], what)
        added = [
            {"id": str(uuid.uuid4()), "tenant_id": tenant_id, "person_id": person.id, "endpoint": endpoint}
            for person in people
            for endpoint in person.devices
            if endpoint not in devices.get(person.id, {})
        ]
        self._insert(DeviceRow, added, what)
        self._save_belonging(people, few)
        # What somebody has looked at through the session before is not so any more.
        self._session.expire_all()

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

    def _devices(self, tenant_id: str, few: list[str] | None = None) -> dict[str, dict[str, str]]:
        """Return the ids of devices, by person and endpoint; of a few people or of all."""
        found: dict[str, dict[str, str]] = defaultdict(dict)
        query = select(DeviceRow.person_id, DeviceRow.endpoint, DeviceRow.id).where(DeviceRow.tenant_id == tenant_id)
        query = query if few is None else query.where(DeviceRow.person_id.in_(few))
        for person_id, endpoint, device_id in self._session.execute(query):
            found[person_id][endpoint] = device_id
        return found

    def _belonging(self, tenant_id: str, few: list[str] | None = None) -> dict[tuple[str, UnitKind], str]:
        """Return the ids of the units to which people belong, by person and kind; of a few people or of all."""
        query = select(PersonUnitRow.person_id, PersonUnitRow.kind, PersonUnitRow.unit_id)
        query = query.where(PersonUnitRow.tenant_id == tenant_id)
        query = query if few is None else query.where(PersonUnitRow.person_id.in_(few))
        return {(person_id, kind): unit_id for person_id, kind, unit_id in self._session.execute(query)}

    def _save_belonging(self, people: Sequence[Person], few: list[str] | None) -> None:
        tenant_id = people[0].tenant_id
        there = self._belonging(tenant_id, few)
        moved = [
            (person.id, kind, unit_id)
            for person in people
            for kind, unit_id in _units(person).items()
            if there.get((person.id, kind), "") != unit_id
        ]
        gone = [(person_id, kind) for person_id, kind, _ in moved if (person_id, kind) in there]
        if gone:
            self._run(_LEAVE, "it", [{"which": person_id, "what": kind} for person_id, kind in gone])
        rows = [
            {"person_id": person_id, "kind": kind, "tenant_id": tenant_id, "unit_id": unit_id}
            for person_id, kind, unit_id in moved
            if unit_id
        ]
        self._insert(PersonUnitRow, rows, "where one of the users belongs")


_PERSON, _UNIT = cast("Table", PersonRow.__table__), cast("Table", PersonUnitRow.__table__)
_COLUMNS = tuple(_PERSON.c)
_GIVE_UP = update(_PERSON).where(_PERSON.c.id == bindparam("which")).values(extension=None)
_CHANGE = update(_PERSON).where(_PERSON.c.id == bindparam("which"))
_LEAVE = delete(_UNIT).where(_UNIT.c.person_id == bindparam("which"), _UNIT.c.kind == bindparam("what"))


def _values(person: Person) -> dict[str, Any]:
    return {
        "department_id": person.department_id or None,
        "name": person.name,
        "email": person.email,
        "extension": person.extension or None,
        "ddi": person.ddi,
        "mode": person.mode,
        "enrolled": person.enrolled,
        "may_pause": person.may_pause,
        "language": person.language,
        "active": not person.removed,
    }


def _units(person: Person) -> dict[UnitKind, str]:
    return {
        UnitKind.DISTRICT: person.district_id,
        UnitKind.COST_CENTRE: person.cost_centre_id,
        UnitKind.OFFICE: person.office_id,
    }
