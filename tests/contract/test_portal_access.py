"""The scope in SQL lets through what the rule in words lets through, neither more nor less."""

from __future__ import annotations

import pytest
from call_entries import NOON
from company import person
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from pbx_plugin.db.access import people_in_scope, restricted, subject_of
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import DepartmentRow, RecordingGroupMemberRow, RecordingGroupRow, RecordingRow, TenantRow
from pbx_plugin.domain.access import Action, Role, Viewer, may, scope
from pbx_plugin.services.people_records import Role as GroupRole

ACME, GLOBEX = "acme", "globex"
PEOPLE = {
    # who: company, department, member of, supervisor of
    "anna": (ACME, "sales", (), ("night",)),
    "bo": (ACME, "sales", ("night",), ()),
    "carl": (ACME, "legal", ("night", "day"), ()),
    "dora": (ACME, None, (), ()),
    "eva": (ACME, "legal", (), ("day",)),
    "gus": (GLOBEX, "abroad", ("moon",), ()),
    "left": (ACME, "sales", (), ()),
}
SEEN = [
    (Role.NONE, "anna", ("sales",), ("night",), set()),
    (Role.OWN, "anna", ("legal",), ("night",), {"anna"}),
    (Role.OWN, None, (), (), set()),
    (Role.RESTRICTED, None, (), (), set()),
    (Role.RESTRICTED, None, ("sales",), (), {"anna", "bo", "left"}),
    (Role.RESTRICTED, None, ("",), (), {"dora"}),
    (Role.RESTRICTED, None, ("", "legal"), (), {"dora", "carl", "eva"}),
    (Role.RESTRICTED, None, (), ("night",), {"bo", "carl"}),
    (Role.RESTRICTED, "eva", ("sales",), ("day",), {"anna", "bo", "left", "carl", "eva"}),
    (Role.RESTRICTED, "gus", ("abroad", "gone"), ("moon", "gone"), set()),
    (Role.SUPERUSER, None, (), (), {"anna", "bo", "carl", "dora", "eva", "left", "nobody"}),
]


def recording(who: str, company: str, person_id: str) -> RecordingRow:
    return RecordingRow(
        id=f"r-{who}",
        media_id=f"m-{who}",
        call_id=f"c-{who}",
        tenant_id=company,
        person_id=person_id,
        decision_id="",
        segment=0,
        at=NOON,
        user_side="left",
        direction="incoming",
        user_name=who,
        extension="",
    )


def two_companies(session: Session) -> None:
    session.add_all([TenantRow(id=ACME, name="Acme"), TenantRow(id=GLOBEX, name="Globex")])
    session.flush()
    for unit, company in (("sales", ACME), ("legal", ACME), ("abroad", GLOBEX)):
        session.add(DepartmentRow(id=unit, tenant_id=company, name=unit))
    for group, company in (("night", ACME), ("day", ACME), ("moon", GLOBEX)):
        session.add(RecordingGroupRow(id=group, tenant_id=company, name=group))
    session.flush()
    for number, (who, (company, department, _, _)) in enumerate(PEOPLE.items()):
        active = who != "left"
        row = person(who, str(100 + number) if active else None, tenant_id=company, department_id=department)
        row.active = active
        session.add(row)
        session.add(recording(who, company, who))
    session.add(recording("nobody", ACME, ""))
    # Nothing keeps a journal from naming another company's user: the company decides all the same.
    session.add(recording("strayed", GLOBEX, "bo"))
    session.flush()
    for who, (company, _, member, above) in PEOPLE.items():
        for groups, role in ((member, GroupRole.MEMBER), (above, GroupRole.SUPERVISOR)):
            for group in groups:
                row_of = RecordingGroupMemberRow(group_id=group, person_id=who, role=role, tenant_id=company)
                session.add(row_of)


@pytest.fixture
def companies(engine: Engine) -> Engine:
    with writing(engine) as session:
        two_companies(session)
    return engine


@pytest.mark.parametrize(("role", "tied", "departments", "groups", "expected"), SEEN)
def test_a_query_shows_just_what_the_rule_lets_be_seen(
    companies: Engine,
    role: Role,
    tied: str | None,
    departments: tuple[str, ...],
    groups: tuple[str, ...],
    expected: set[str],
) -> None:
    viewer = Viewer(
        ACME,
        "a1",
        "Anna",
        role,
        person_id=None if tied == "gus" else tied,
        department_ids=frozenset(departments),
        recording_group_ids=frozenset(groups),
    )
    with reading(companies) as session:
        everything = list(session.scalars(select(RecordingRow)))
        seen = set(session.scalars(restricted(select(RecordingRow.user_name), scope(viewer))))
        count = session.scalar(restricted(select(func.count()).select_from(RecordingRow), scope(viewer)))
        by_rule = {
            row.user_name
            for row in everything
            if may(viewer, Action.SEE, subject_of(session, row.tenant_id, row.person_id))
        }
        people = people_in_scope(session, scope(viewer))
    assert seen == by_rule == expected
    assert count == len(expected)
    assert people is None if role is Role.SUPERUSER else set(people or ()) == expected


def test_somebody_elses_recording_is_not_there_even_by_its_id(companies: Engine) -> None:
    leader = Viewer(ACME, "a1", "Eva", Role.RESTRICTED, department_ids=frozenset({"sales"}))
    query = select(RecordingRow).where(RecordingRow.id.in_(["r-carl", "r-gus", "r-bo"]))
    with reading(companies) as session:
        assert [row.id for row in session.scalars(restricted(query, scope(leader)))] == ["r-bo"]


def test_who_moves_takes_their_recordings_along(companies: Engine) -> None:
    leader = Viewer(ACME, "a1", "Eva", Role.RESTRICTED, department_ids=frozenset({"legal"}))
    with writing(companies) as session:
        session.merge(person("bo", "101", tenant_id=ACME, department_id="legal"))
    with reading(companies) as session:
        seen = set(session.scalars(restricted(select(RecordingRow.user_name), scope(leader))))
    assert seen == {"bo", "carl", "eva"}
