"""The rulebook that the recorder judges by is what stands in the database, as of one moment."""

from __future__ import annotations

import pytest
from call_entries import NOON, TENANT, after
from company import add_company, exclusion, person, policy
from sqlalchemy import Engine

from pbx_plugin.db.engine import writing
from pbx_plugin.db.models import PersonRow, TenantRow
from pbx_plugin.db.rulebook import DatabaseRulebook, policy_body, policy_from_body
from pbx_plugin.domain.call import Direction, Mode, User
from pbx_plugin.domain.policy import (
    Announce,
    DepartmentRule,
    Exclusion,
    GroupKind,
    GroupPolicy,
    HuntGroup,
    PolicyVersion,
)
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber, GroupMember, Rulebook, Tenant

POLICY = PolicyVersion(
    TENANT,
    4,
    country="SE",
    departments={
        Direction.INCOMING: DepartmentRule(department_ids=frozenset({"sales", ""})),
        Direction.OUTGOING: DepartmentRule(everyone=True),
    },
    whitelisted_ddis=frozenset({"+4570101010", "+4570101011"}),
    groups={"yes": GroupPolicy.CONSENT_IVR, "no": GroupPolicy.NEVER},
    emergency_numbers=("112", "114"),
    recording_off=True,
    can_switch_off=False,
    announce=Announce.BEST_EFFORT,
    hold_closes_segment=False,
    withdrawal_erases=True,
    retention_days=30,
)


def test_an_empty_database_gives_the_safest_rulebook(engine: Engine) -> None:
    rulebook = DatabaseRulebook(engine).load()
    assert rulebook == Rulebook()
    assert rulebook.policy_of("anybody") == PolicyVersion("anybody")


def test_the_company_is_read_whole(engine: Engine) -> None:
    with writing(engine) as session:
        add_company(session)
        session.add(exclusion("x", "+4531200118", reason="asked for it", expires_at=after(60)))
    read = DatabaseRulebook(engine).load()
    assert read.revision == 1
    assert read.tenants == {TENANT: Tenant(TENANT, "Company One")}
    assert read.users == (
        User(
            id="user-1",
            tenant_id=TENANT,
            name="Name of user-1",
            extension="101",
            mode=Mode.ALWAYS,
            enrolled=True,
            department_id="sales",
            ddi="+4570101011",
            devices=("PJSIP/101", "PJSIP/101-soft"),
        ),
        User("user-2", TENANT, "Name of user-2", "102", Mode.ON_DEMAND, may_pause=True, language="da"),
    )
    assert read.groups == (
        HuntGroup("yes", TENANT, "801", "recorded", GroupKind.QUEUE),
        HuntGroup("no", TENANT, "802", "unrecorded", GroupKind.RING_GROUP),
    )
    assert read.members == (GroupMember("yes", "user-2", 1), GroupMember("yes", "user-1", 2))
    assert read.consent_numbers == (ConsentNumber("ask", TENANT, "800", "en", "yes", "no"),)
    assert read.direct_numbers == (DirectNumber("+4570101010", TENANT, consent_number_id="ask"),)
    assert read.exclusions == {TENANT: (Exclusion("x", "+4531200118", reason="asked for it", expires_at=after(60)),)}


def test_the_highest_policy_number_is_in_force_for_each_company(engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all([TenantRow(id=TENANT, name="One"), TenantRow(id="tenant-2", name="Two")])
        session.flush()
        session.add_all([policy(2, retention_days=14), policy(10, retention_days=90), policy(9, retention_days=60)])
        session.add(policy(1, tenant_id="tenant-2", recording_off=True))
    read = DatabaseRulebook(engine).load()
    assert read.policies == {
        TENANT: PolicyVersion(TENANT, 10, retention_days=90),
        "tenant-2": PolicyVersion("tenant-2", 1, recording_off=True),
    }


def test_removed_exclusions_and_people_who_left_are_not_in_it(engine: Engine) -> None:
    with writing(engine) as session:
        add_company(session)
        session.add(exclusion("gone", "1", removed_at=NOON))
        session.add(person("user-3", None))
    with writing(engine) as session:
        session.get_one(PersonRow, "user-1").active = False
    read = DatabaseRulebook(engine).load()
    assert read.exclusions == {}
    assert [(user.id, user.extension) for user in read.users if user.id != "user-2"] == [("user-3", "")]
    assert [member.user_id for member in read.members] == ["user-2"]


def test_a_policy_comes_back_from_json_as_it_was(engine: Engine) -> None:
    assert policy_from_body(policy_body(POLICY)) == POLICY
    with writing(engine) as session:
        session.add(TenantRow(id=TENANT, name="One"))
        session.flush()
        row = policy(4)
        row.body = policy_body(POLICY)
        session.add(row)
    assert DatabaseRulebook(engine).load().policy_of(TENANT) == POLICY


def test_a_policy_of_an_older_version_gets_the_safe_defaults() -> None:
    assert policy_from_body({"tenant_id": "t", "number": 1}) == PolicyVersion("t", 1)


def test_a_policy_body_with_a_wrong_word_is_refused() -> None:
    with pytest.raises(ValueError, match="announce"):
        policy_from_body({"tenant_id": "t", "number": 1, "announce": "whisper"})
