"""Districts, cost centres and offices: named units of the company, of which a user has at most one of each kind."""

from __future__ import annotations

from typing import Protocol

from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import Person, RefusedError
from pbx_plugin.services.people_records import Unit, UnitKind

FIELDS = {
    UnitKind.DISTRICT: "district_id",
    UnitKind.COST_CENTRE: "cost_centre_id",
    UnitKind.OFFICE: "office_id",
}
"""Where a user's unit of that kind stands in :class:`~pbx_plugin.services.directory.Person`."""


class UnitWish(Protocol):
    """Names of units to set; ``None`` leaves one, an empty name takes it away."""

    @property
    def district(self) -> str | None: ...

    @property
    def cost_centre(self) -> str | None: ...

    @property
    def office(self) -> str | None: ...


def wished(wish: UnitWish) -> dict[UnitKind, str]:
    """Return the names that are to be set, by kind."""
    named = {UnitKind.DISTRICT: wish.district, UnitKind.COST_CENTRE: wish.cost_centre, UnitKind.OFFICE: wish.office}
    return {kind: name for kind, name in named.items() if name is not None}


def of(person: Person, kind: UnitKind) -> str:
    """Return the id of a user's unit of that kind, empty for none."""
    return str(getattr(person, FIELDS[kind]))


def find(desk: Desk, kind: UnitKind, name: str) -> str:
    """Return a unit's id by name (or id); an empty name is none. Raises RefusedError when it is unknown."""
    if not name:
        return ""
    for unit in desk.directory.units(desk.tenant.id):
        if unit.kind is kind and name in (unit.name, unit.id):
            return unit.id
    raise RefusedError(f"no {kind} {name!r}: add it with 'pbx-plugin units add', or see 'pbx-plugin units list'")


def add(desk: Desk, kind: UnitKind, name: str) -> Unit:
    """Add a unit. Raises RefusedError when there is one of that kind and name."""
    name = numbering.clean_name(name, f"the {kind}'s name")
    if any(u.kind is kind and name in (u.name, u.id) for u in desk.directory.units(desk.tenant.id)):
        raise RefusedError(f"{kind} {name!r} is there already")
    unit = Unit(desk.new_id(), desk.tenant.id, kind, name)
    desk.directory.save_unit(unit)
    desk.note("unit added", unit.id, kind=kind.value, name=name)
    return unit


def remove(desk: Desk, kind: UnitKind, name: str, *, checked: bool = False) -> Unit:
    """Remove a unit that has no users. Raises RefusedError while it has some, unless the caller has ``checked``."""
    identity = find(desk, kind, name)
    if not identity:
        raise RefusedError(f"which {kind}? give its name")
    unit = next(u for u in desk.directory.units(desk.tenant.id) if u.id == identity)
    everyone = () if checked else desk.directory.people(desk.tenant.id)
    inside = [p.extension for p in everyone if of(p, kind) == identity]
    if inside:
        raise RefusedError(f"{kind} {unit.name!r} has users ({', '.join(inside[:5])}): move them first")
    desk.directory.delete_unit(unit)
    desk.note("unit removed", unit.id, kind=kind.value, name=unit.name)
    return unit
