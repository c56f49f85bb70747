"""Users as rows of a CSV file, and cells of such a file as values of a user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.rulebook import DirectNumber, Tenant
from pbx_plugin.services import numbering, people, units
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.csv_table import Table, TableRow, joined, several
from pbx_plugin.services.directory import UNDEFINED, Person, RefusedError
from pbx_plugin.services.imports import Row, read_yes, yes
from pbx_plugin.services.people_records import UnitKind

COLUMNS = (
    "id",
    "extension",
    "name",
    "email",
    "mode",
    "enrolled",
    "department",
    "district",
    "cost_centre",
    "office",
    "devices",
    "ddis",
    "may_pause",
    "language",
)
UNIT_COLUMNS = {"district": UnitKind.DISTRICT, "cost_centre": UnitKind.COST_CENTRE, "office": UnitKind.OFFICE}


@dataclass(slots=True)
class Names:
    """Departments and units by name, and back; direct numbers by user, their own first."""

    departments: dict[str, str] = field(default_factory=dict)
    units: dict[tuple[UnitKind, str], str] = field(default_factory=dict)
    by_id: dict[str, str] = field(default_factory=dict)
    ddis: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def names_of(desk: Desk, everyone: list[Person], numbers: list[DirectNumber]) -> Names:
    """Return the names of a company's departments and units, and its users' direct numbers."""
    names = Names()
    for department in desk.directory.departments(desk.tenant.id):
        names.departments[department.name] = department.id
        names.by_id[department.id] = department.name
    for unit in desk.directory.units(desk.tenant.id):
        names.units[unit.kind, unit.name] = unit.id
        names.by_id[unit.id] = unit.name
    own = {person.id: person.ddi for person in everyone}
    found: dict[str, list[str]] = defaultdict(list)
    for number in numbers:
        if number.user_id:
            found[number.user_id].append(number.e164)
    names.ddis = {
        identity: tuple(sorted(numbers, key=lambda e164: (e164 != own.get(identity), e164)))
        for identity, numbers in found.items()
    }
    return names


def user_rows(desk: Desk) -> list[Row]:
    """Return all users as rows of a CSV file, by extension. What is exported so can be imported again."""
    everyone = list(desk.directory.people(desk.tenant.id))
    names = names_of(desk, everyone, list(desk.directory.direct_numbers(desk.tenant.id)))
    return [row_of(person, names.ddis.get(person.id, ()), names) for person in everyone]


def row_of(person: Person, ddis: tuple[str, ...], names: Names) -> Row:
    """Return a user as a row."""
    return {
        "id": person.id,
        "extension": person.extension,
        "name": person.name,
        "email": person.email,
        "mode": person.mode.value,
        "enrolled": yes(person.enrolled),
        "department": names.by_id.get(person.department_id, ""),
        "district": names.by_id.get(person.district_id, ""),
        "cost_centre": names.by_id.get(person.cost_centre_id, ""),
        "office": names.by_id.get(person.office_id, ""),
        "devices": joined(person.devices),
        "ddis": joined(ddis),
        "may_pause": yes(person.may_pause),
        "language": person.language,
    }


def read_values(table: Table, row: TableRow, tenant: Tenant, names: Names) -> dict[str, Any]:
    """Return what a row says of a user, by the field's name; ``ddis`` beside them. Empty choices are not said.

    Raises RefusedError telling file, line, column and value.
    """
    values: dict[str, Any] = {}
    for column, cell in row.cells.items():
        reader = _READERS.get(column)
        if reader is None or (not cell.strip() and column in _SAYS_NOTHING):
            continue
        try:
            field_name, value = reader(cell, tenant, names)
        except RefusedError as error:
            raise table.wrong(row, column, str(error)) from error
        values[field_name] = value
    return values


def mode_of(text: str) -> Mode:
    """Return a recording mode, as ``on demand`` or ``on-demand``. Raises RefusedError for what is none."""
    word = " ".join(text.casefold().replace("-", " ").replace("_", " ").split())
    try:
        return Mode(word)
    except ValueError as error:
        raise RefusedError(f"this is no mode: {', '.join(Mode)}") from error


def _department(cell: str, tenant: Tenant, names: Names) -> tuple[str, str]:
    del tenant
    name = cell.strip()
    if name in ("", UNDEFINED):
        return "department_id", ""
    name = numbering.clean_name(name, "the department's name")
    if name not in names.departments:
        raise RefusedError("there is no such department: add it, or repeat with --add-departments")
    return "department_id", names.departments[name]


def _unit(kind: UnitKind) -> Callable[[str, Tenant, Names], tuple[str, str]]:
    def read(cell: str, tenant: Tenant, names: Names) -> tuple[str, str]:
        del tenant
        if not cell.strip():
            return units.FIELDS[kind], ""
        name = numbering.clean_name(cell, f"the {kind}'s name")
        if (kind, name) not in names.units:
            raise RefusedError(f"there is no such {kind}: add it, or repeat with --add-departments")
        return units.FIELDS[kind], names.units[kind, name]

    return read


def _devices(cell: str, tenant: Tenant, names: Names) -> tuple[str, tuple[str, ...]]:
    del tenant, names
    return "devices", tuple(sorted({people.clean_device(device) for device in several(cell)}))


def _ddis(cell: str, tenant: Tenant, names: Names) -> tuple[str, tuple[str, ...]]:
    del names
    numbers = dict.fromkeys(numbering.direct_number(number, tenant) for number in several(cell))
    first, *others = numbers or ("",)
    return "ddis", (first, *sorted(others)) if first else ()


def _plainly(name: str, read: Callable[[str], Any]) -> Callable[[str, Tenant, Names], tuple[str, Any]]:
    return lambda cell, _tenant, _names: (name, read(cell))


_SAYS_NOTHING = frozenset({"mode", "enrolled", "may_pause", "language"})
_READERS: dict[str, Callable[[str, Tenant, Names], tuple[str, Any]]] = {
    "extension": _plainly("extension", lambda cell: numbering.clean_internal(cell, "extension")),
    "name": _plainly("name", lambda cell: numbering.clean_name(cell, "the user's name")),
    "email": _plainly("email", lambda cell: people.clean_email(cell.strip())),
    "mode": _plainly("mode", mode_of),
    "enrolled": _plainly("enrolled", read_yes),
    "department": _department,
    "devices": _devices,
    "ddis": _ddis,
    "may_pause": _plainly("may_pause", read_yes),
    "language": _plainly("language", lambda cell: numbering.clean_language(cell.strip())),
    **{column: _unit(kind) for column, kind in UNIT_COLUMNS.items()},
}
