"""What the list of recordings shows: addresses of searches, the words of filters, and what may be chosen in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Engine, select

from pbx_plugin.db import access
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import ChoiceRow, DepartmentRow, PersonRow, UnitRow
from pbx_plugin.domain.access import Scope
from pbx_plugin.domain.working import ChoiceKind
from pbx_plugin.services.people_records import UnitKind
from pbx_plugin.services.searching import Search, Sort, to_pairs

LIST: Final = "/recordings"
MOST_SUGGESTED: Final = 500
SORTED: Final = {"date": "date", "user": "user", "number": "number", "length": "length"}
"""Columns whose heading sorts, and what they sort by."""


def address(search: Search, path: str = LIST, **more: str) -> str:
    """Return the address of a search."""
    query = urlencode([*to_pairs(search), *more.items()])
    return f"{path}?{query}" if query else path


def sort_address(search: Search, column: str) -> str:
    """Return the address of the same search sorted by a column: the other way round where it is already."""
    by = SORTED[column]
    down = Sort(f"-{by}")
    if search.sort.by == by:
        wanted = Sort(by) if search.sort.down else down
    else:
        wanted = down if by in ("date", "length") else Sort(by)
    return address(replace(search, sort=wanted))


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set: its name and value, and the address of the search without it."""

    name: str
    value: str
    without: str


def chips(search: Search) -> list[Chip]:
    """Return everything that narrows the list but the period, which has a place of its own."""
    plain = Search()
    found = []
    pairs = to_pairs(search)
    for name, value in pairs:
        if name in ("period", "from", "to", "sort", "limit"):
            continue
        kept = getattr(search, name)
        one: Any = tuple(item for item in kept if item != value) if isinstance(kept, tuple) and name != "time" else None
        without = replace(search, **{name: getattr(plain, name) if one is None else one})
        found.append(Chip(name, value, address(without)))
    return found


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen in the filters: only what the viewer could find something of."""

    people: Sequence[str]
    departments: Sequence[str]
    units: dict[str, Sequence[str]]
    outcomes: Sequence[str]
    responses: Sequence[str]


def choices(engine: Engine, scope: Scope) -> Choices:
    """Return what a viewer may choose from. Names of others than those whom they see are not told."""
    own = PersonRow.tenant_id == scope.tenant_id
    with reading(engine) as session:
        seen = access.people_in_scope(session, scope)
        people = select(PersonRow.name).where(own, PersonRow.active.is_(True))
        if seen is not None:
            people = people.where(PersonRow.id.in_(sorted(seen)))
        names = session.scalars(people.order_by(PersonRow.name).limit(MOST_SUGGESTED)).all()
        departments = select(DepartmentRow.name).where(DepartmentRow.tenant_id == scope.tenant_id)
        if not scope.everything:
            departments = departments.where(DepartmentRow.id.in_(sorted(scope.department_ids)))
        lists = select(ChoiceRow).where(ChoiceRow.tenant_id == scope.tenant_id).order_by(ChoiceRow.position)
        rows = session.scalars(lists).all()
        units: dict[str, Sequence[str]] = {}
        if scope.everything:
            for kind in UnitKind:
                named = select(UnitRow.name).where(UnitRow.tenant_id == scope.tenant_id, UnitRow.kind == kind)
                units[kind.value.replace(" ", "_")] = session.scalars(named.order_by(UnitRow.name)).all()
        return Choices(
            people=names,
            departments=session.scalars(departments.order_by(DepartmentRow.name)).all(),
            units=units,
            outcomes=[row.text for row in rows if row.kind is ChoiceKind.OUTCOME],
            responses=[row.text for row in rows if row.kind is ChoiceKind.RESPONSE],
        )
