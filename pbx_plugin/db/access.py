"""Restricting queries to what somebody sees: the scope of :mod:`pbx_plugin.domain.access` as conditions of SQL.

Every read of recordings for a viewer goes through :func:`restricted`, whatever else it asks for: a recording that is
out of reach is then simply not there, whether by list, by id, counted or exported. Departments and recording groups
are those that the user is in at the time of the query.
"""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, false, or_, select
from sqlalchemy.orm import Session

from pbx_plugin.db.models import PersonRow, RecordingGroupMemberRow, RecordingRow
from pbx_plugin.domain.access import UNDEFINED_DEPARTMENT, Scope, Subject
from pbx_plugin.services.people_records import Role as GroupRole

_Query = TypeVar("_Query", bound=Select[Any])


def restricted(query: _Query, scope: Scope) -> _Query:
    """Return the query with only those recordings left that are in the scope.

    The query must read :class:`RecordingRow` already (select from it, or join it); nothing is joined to it, so no row
    of it comes twice. One company's scope never lets in another's rows.
    """
    return query.where(*conditions(scope))


def conditions(scope: Scope) -> list[ColumnElement[bool]]:
    """Return the scope as conditions on :class:`RecordingRow`, for what is no plain select (updates, exists)."""
    own_company = RecordingRow.tenant_id == scope.tenant_id
    if scope.everything:
        return [own_company]
    if scope.empty:
        return [own_company, false()]
    ways: list[ColumnElement[bool]] = []
    if scope.person_id:
        ways.append(RecordingRow.person_id == scope.person_id)
    if scope.department_ids:
        ways.append(RecordingRow.person_id.in_(_people_of_departments(scope)))
    if scope.recording_group_ids:
        ways.append(RecordingRow.person_id.in_(_people_of_groups(scope)))
    return [own_company, or_(*ways)]


def people_in_scope(session: Session, scope: Scope) -> frozenset[str] | None:
    """Return the ids of the users whose recordings are in the scope, those who left too; None for everybody's.

    For lists to choose a user from, and for queries that are quicker with the ids themselves.
    """
    if scope.everything:
        return None
    found = {scope.person_id} if scope.person_id else set()
    if scope.department_ids:
        found.update(session.scalars(_people_of_departments(scope)))
    if scope.recording_group_ids:
        found.update(session.scalars(_people_of_groups(scope)))
    return frozenset(found)


def subject_of(session: Session, tenant_id: str, person_id: str) -> Subject:
    """Return a user's recordings as access sees them now, for :func:`pbx_plugin.domain.access.may`."""
    person = select(PersonRow.department_id).where(PersonRow.tenant_id == tenant_id, PersonRow.id == person_id)
    row = session.execute(person).one_or_none()
    if row is None:
        return Subject(tenant_id)
    groups = select(RecordingGroupMemberRow.group_id).where(
        RecordingGroupMemberRow.tenant_id == tenant_id,
        RecordingGroupMemberRow.person_id == person_id,
        RecordingGroupMemberRow.role == GroupRole.MEMBER,
    )
    return Subject(tenant_id, person_id, row.department_id or UNDEFINED_DEPARTMENT, frozenset(session.scalars(groups)))


def _people_of_departments(scope: Scope) -> Select[str]:
    named = scope.department_ids - {UNDEFINED_DEPARTMENT}
    ways: list[ColumnElement[bool]] = []
    if named:
        ways.append(PersonRow.department_id.in_(sorted(named)))
    if UNDEFINED_DEPARTMENT in scope.department_ids:
        ways.append(PersonRow.department_id.is_(None))
    return select(PersonRow.id).where(PersonRow.tenant_id == scope.tenant_id, or_(*ways))


def _people_of_groups(scope: Scope) -> Select[str]:
    return select(RecordingGroupMemberRow.person_id).where(
        RecordingGroupMemberRow.tenant_id == scope.tenant_id,
        RecordingGroupMemberRow.role == GroupRole.MEMBER,
        RecordingGroupMemberRow.group_id.in_(sorted(scope.recording_group_ids)),
    )
