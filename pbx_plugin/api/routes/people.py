"""Users and departments."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Body, DryRun, Name, Shown, Word, found
from pbx_plugin.domain.call import Mode
from pbx_plugin.services import people
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import UNDEFINED, Department, Person
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1", tags=["people"])

Reader = Annotated[Caller, Depends(Needs(Scope.PEOPLE_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.PEOPLE_WRITE))]


class PersonShown(Shown):
    """A user."""

    id: str
    extension: str
    name: str
    ddi: str
    email: str
    mode: Mode
    enrolled: bool
    department: str
    devices: list[str]
    may_pause: bool
    language: str
    removed: bool


class PersonChange(Body):
    """What to set of a user; what is left out stays. An empty text takes a value away."""

    name: Word | None = None
    extension: Word | None = None
    ddi: Word | None = Field(None, description="Direct number in any spelling.")
    email: Word | None = None
    mode: Mode | None = None
    department: Word | None = Field(None, description=f"Name or id; {UNDEFINED} is none.")
    devices: list[Word] | None = Field(None, max_length=20)
    may_pause: bool | None = None
    language: Word | None = None


class PersonNew(PersonChange):
    """A new user; the phone is PJSIP/EXTENSION unless ``devices`` says otherwise."""

    name: Word
    extension: Word


class Enrolment(Body):
    """How an enrolled user is recorded; one who was in *never* starts on demand unless it is said."""

    mode: Mode | None = None


class DepartmentShown(Shown):
    """A department."""

    id: str
    name: str


class DepartmentNew(Body):
    """A new department."""

    name: Word


@router.get("/people")
def list_people(
    caller: Reader, removed: Annotated[bool, Query(description="Also who left.")] = False
) -> list[PersonShown]:
    """List the users, by extension."""
    with caller.looking() as desk:
        return [_shown(desk, one) for one in desk.directory.people(desk.tenant.id, removed=removed)]


@router.post("/people", status_code=201)
def add_person(caller: Writer, body: PersonNew, dry_run: DryRun = False) -> PersonShown:
    """Add a user. They are never recorded until they are enrolled."""
    with caller.changing(dry_run=dry_run) as desk:
        wish = people.PersonWish(**{"devices": [f"PJSIP/{body.extension}"], **_wished(body)})
        return _shown(desk, people.add(desk, wish))


@router.get("/people/{person}", responses=documented(404))
def show_person(caller: Reader, person: Name) -> PersonShown:
    """Show one user, by id or extension."""
    with caller.looking() as desk:
        return _shown(desk, _one(desk, person))


@router.patch("/people/{person}", responses=documented(404))
def change_person(caller: Writer, person: Name, body: PersonChange, dry_run: DryRun = False) -> PersonShown:
    """Change one user; what is left out stays."""
    with caller.changing(dry_run=dry_run) as desk:
        return _shown(desk, people.change(desk, [_one(desk, person)], people.PersonWish(**_wished(body)))[0])


@router.delete("/people/{person}", responses=documented(404, 409))
def remove_person(caller: Writer, person: Name, dry_run: DryRun = False) -> PersonShown:
    """Let a user go: never recorded from now on; their recordings stay."""
    with caller.changing(dry_run=dry_run) as desk:
        return _shown(desk, people.remove(desk, _one(desk, person)))


@router.put("/people/{person}/enrolment", responses=documented(404))
def enrol(caller: Writer, person: Name, body: Enrolment, dry_run: DryRun = False) -> PersonShown:
    """Enrol a user: from now on their mode counts."""
    with caller.changing(dry_run=dry_run) as desk:
        return _shown(desk, people.enrol(desk, _one(desk, person), body.mode))


@router.delete("/people/{person}/enrolment", responses=documented(404, 409))
def unenrol(caller: Writer, person: Name, dry_run: DryRun = False) -> PersonShown:
    """Take a user's enrolment back: never recorded from now on; the mode is remembered."""
    with caller.changing(dry_run=dry_run) as desk:
        return _shown(desk, people.unenrol(desk, _one(desk, person)))


@router.get("/departments")
def list_departments(caller: Reader) -> list[DepartmentShown]:
    """List the departments, by name."""
    with caller.looking() as desk:
        return [_department(one) for one in desk.directory.departments(desk.tenant.id)]


@router.post("/departments", status_code=201)
def add_department(caller: Writer, body: DepartmentNew, dry_run: DryRun = False) -> DepartmentShown:
    """Add a department."""
    with caller.changing(dry_run=dry_run) as desk:
        return _department(people.add_department(desk, body.name))


@router.delete("/departments/{department}", responses=documented(404, 409))
def remove_department(caller: Writer, department: Name, dry_run: DryRun = False) -> DepartmentShown:
    """Remove a department in which nobody is, by id or name."""
    with caller.changing(dry_run=dry_run) as desk:
        if not found(people.find_department, desk, department):
            raise ProblemError(409, f"department {UNDEFINED!r} cannot be removed: it is where users without one are")
        return _department(people.remove_department(desk, department))


def _one(desk: Desk, who: str) -> Person:
    person: Person = found(people.find, desk, who)
    return person


def _wished(body: PersonChange) -> dict[str, Any]:
    return body.model_dump(exclude_none=True)


def _shown(desk: Desk, person: Person) -> PersonShown:
    names = {one.id: one.name for one in desk.directory.departments(desk.tenant.id)}
    values = {name: getattr(person, name) for name in PersonShown.model_fields if hasattr(person, name)}
    return PersonShown(
        **{**values, "devices": list(person.devices), "department": names.get(person.department_id, UNDEFINED)}
    )


def _department(department: Department) -> DepartmentShown:
    return DepartmentShown(id=department.id, name=department.name)
