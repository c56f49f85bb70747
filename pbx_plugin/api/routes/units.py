"""Departments, districts, cost centres and offices: what each is called, and who is in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import documented
from pbx_plugin.api.words import Body, DryRun, Name, Shown, Word, found
from pbx_plugin.services import people, unit_book
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import Person
from pbx_plugin.services.tokens import Scope
from pbx_plugin.services.unit_book import Entry, Kind

router = APIRouter(prefix="/v1/units", tags=["people"])

Reader = Annotated[Caller, Depends(Needs(Scope.PEOPLE_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.PEOPLE_WRITE))]


class UnitShown(Shown):
    """A department, district, cost centre or office; ``users`` is how many are in it."""

    id: str
    kind: Kind
    name: str
    users: int


class UnitNew(Body):
    """A new one; users are put into it afterwards."""

    kind: Kind
    name: Word


class UnitChange(Body):
    """Another name."""

    name: Word


class MemberShown(Shown):
    """A user."""

    id: str
    extension: str
    name: str


@router.get("")
def list_units(
    caller: Reader, kind: Annotated[Kind | None, Query(description="Only those of this kind.")] = None
) -> list[UnitShown]:
    """List departments, districts, cost centres and offices, by kind and name."""
    with caller.looking() as desk:
        everyone = desk.directory.people(desk.tenant.id)
        return [_unit(one, sum(map(one.has, everyone))) for one in unit_book.listed(desk, kind)]


@router.post("", status_code=201)
def add_unit(caller: Writer, body: UnitNew, dry_run: DryRun = False) -> UnitShown:
    """Add a department, district, cost centre or office."""
    with caller.changing(dry_run=dry_run) as desk:
        return _unit(unit_book.add(desk, body.kind, body.name), 0)


@router.patch("/{unit}", responses=documented(404))
def rename_unit(caller: Writer, unit: Name, body: UnitChange, dry_run: DryRun = False) -> UnitShown:
    """Give one, by id, another name; who is in it and what the policy says of it stays."""
    with caller.changing(dry_run=dry_run) as desk:
        return _counted(desk, unit_book.rename(desk, _one(desk, unit), body.name))


@router.delete("/{unit}", responses=documented(404, 409))
def remove_unit(caller: Writer, unit: Name, dry_run: DryRun = False) -> UnitShown:
    """Remove one in which nobody is, by id."""
    with caller.changing(dry_run=dry_run) as desk:
        there = _one(desk, unit)
        unit_book.remove(desk, there)
        return _unit(there, 0)


@router.get("/{unit}/members", responses=documented(404))
def list_unit_members(caller: Reader, unit: Name) -> list[MemberShown]:
    """List who is in it, by extension."""
    with caller.looking() as desk:
        return [_member(person) for person in unit_book.members(desk, _one(desk, unit))]


@router.put("/{unit}/members/{person}", responses=documented(404))
def put_into_unit(caller: Writer, unit: Name, person: Name, dry_run: DryRun = False) -> MemberShown:
    """Put a user, by id or extension, into it, and thereby out of any other of its kind."""
    with caller.changing(dry_run=dry_run) as desk:
        return _member(unit_book.put_in(desk, _one(desk, unit), found(people.find, desk, person)))


@router.delete("/{unit}/members/{person}", responses=documented(404, 409))
def take_out_of_unit(caller: Writer, unit: Name, person: Name, dry_run: DryRun = False) -> MemberShown:
    """Take a user out of it, into none of its kind."""
    with caller.changing(dry_run=dry_run) as desk:
        return _member(unit_book.take_out(desk, _one(desk, unit), found(people.find, desk, person)))


def _one(desk: Desk, unit: str) -> Entry:
    entry: Entry = found(unit_book.find, desk, unit)
    return entry


def _counted(desk: Desk, entry: Entry) -> UnitShown:
    return _unit(entry, len(unit_book.members(desk, entry)))


def _unit(entry: Entry, users: int) -> UnitShown:
    return UnitShown(id=entry.id, kind=entry.kind, name=entry.name, users=users)


def _member(person: Person) -> MemberShown:
    return MemberShown.model_validate(person)
