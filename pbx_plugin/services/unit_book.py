"""Departments, districts, cost centres and offices as one: listed, named anew, and who is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pbx_plugin.services import numbering, people, units
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import UNDEFINED, Department, Person, RefusedError
from pbx_plugin.services.people_records import Unit, UnitKind


class Kind(StrEnum):
    """How a company divides its people."""

    DEPARTMENT = "department"
    DISTRICT = "district"
    COST_CENTRE = "cost centre"
    OFFICE = "office"


FIELDS = {Kind.DEPARTMENT: "department_id"} | {Kind(kind.value): name for kind, name in units.FIELDS.items()}
"""Where a user's unit of that kind stands in :class:`~pbx_plugin.services.directory.Person`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One department, district, cost centre or office. Ids are different across all kinds."""

    id: str
    kind: Kind
    name: str

    def has(self, person: Person) -> bool:
        """Tell whether a user belongs to it."""
        return bool(getattr(person, FIELDS[self.kind]) == self.id)


def listed(desk: Desk, kind: Kind | None = None) -> list[Entry]:
    """Return all of them, or those of one kind: departments first, each kind by name."""
    found = [Entry(one.id, Kind.DEPARTMENT, one.name) for one in desk.directory.departments(desk.tenant.id)]
    found += [_entry(unit) for unit in desk.directory.units(desk.tenant.id)]
    return [one for one in found if kind in (None, one.kind)]


def find(desk: Desk, identity: str) -> Entry:
    """Return the one of that id. Raises RefusedError when there is none."""
    for one in listed(desk):
        if one.id == identity:
            return one
    raise RefusedError(f"no department, district, cost centre or office {identity!r}: see GET /v1/units")


def add(desk: Desk, kind: Kind, name: str) -> Entry:
    """Add one. Raises RefusedError when the name is taken among its kind, or cannot be kept."""
    if kind is Kind.DEPARTMENT:
        made = people.add_department(desk, name)
        return Entry(made.id, kind, made.name)
    return _entry(units.add(desk, UnitKind(kind.value), name))


def rename(desk: Desk, entry: Entry, name: str) -> Entry:
    """Give one another name; who is in it and what the policy says of it stays. The same name changes nothing.

    Raises RefusedError when the name is taken among its kind, or cannot be kept.
    """
    department = entry.kind is Kind.DEPARTMENT
    longest = people.LONGEST_DEPARTMENT if department else numbering.LONGEST_NAME
    name = numbering.clean_name(name, f"the {entry.kind}'s name", longest)
    if name == entry.name:
        return entry
    if department and name == UNDEFINED:
        raise RefusedError(f"department {UNDEFINED!r} is always there, for users without one")
    if any(name in (other.name, other.id) for other in listed(desk, entry.kind)):
        raise RefusedError(f"{entry.kind} {name!r} is there already")
    if department:
        desk.directory.save_department(Department(entry.id, desk.tenant.id, name))
    else:
        desk.directory.save_unit(Unit(entry.id, desk.tenant.id, UnitKind(entry.kind.value), name))
    action = "department renamed" if department else "unit renamed"
    desk.note(action, entry.id, kind=entry.kind.value, name=[entry.name, name])
    return replace(entry, name=name)


def remove(desk: Desk, entry: Entry) -> None:
    """Remove one in which nobody is. Raises RefusedError while somebody is, or the policy in force speaks of it."""
    if entry.kind is Kind.DEPARTMENT:
        people.remove_department(desk, entry.id)
    else:
        units.remove(desk, UnitKind(entry.kind.value), entry.id)


def members(desk: Desk, entry: Entry) -> Sequence[Person]:
    """Return who is in it, by extension."""
    return [person for person in desk.directory.people(desk.tenant.id) if entry.has(person)]


def put_in(desk: Desk, entry: Entry, person: Person) -> Person:
    """Let a user belong to it, and to no other of its kind any more. Doing it again changes nothing."""
    return _belongs(desk, entry.kind, person, entry.id)


def take_out(desk: Desk, entry: Entry, person: Person) -> Person:
    """Let a user belong to none of its kind. Raises RefusedError when they do not belong to it."""
    if not entry.has(person):
        raise RefusedError(f"user {person.extension} is not in {entry.kind} {entry.name!r}")
    return _belongs(desk, entry.kind, person, "")


def _belongs(desk: Desk, kind: Kind, person: Person, identity: str) -> Person:
    values: dict[str, Any] = {FIELDS[kind].removesuffix("_id"): identity}
    return people.change(desk, [person], people.PersonWish(**values))[0]


def _entry(unit: Unit) -> Entry:
    return Entry(unit.id, Kind(unit.kind.value), unit.name)
