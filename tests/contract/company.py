"""Builders of a small company in the database."""

from __future__ import annotations

from typing import Any

from call_entries import NOON, TENANT
from sqlalchemy.orm import Session

from pbx_plugin.db.models import (
    ConsentNumberRow,
    DepartmentRow,
    DeviceRow,
    DirectNumberRow,
    ExclusionRow,
    GroupMemberRow,
    HuntGroupRow,
    PersonRow,
    PolicyVersionRow,
    TenantRow,
)
from pbx_plugin.db.rulebook import policy_body
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.policy import GroupKind, PolicyVersion


def person(person_id: str, extension: str | None, *, tenant_id: str = TENANT, **other: Any) -> PersonRow:
    return PersonRow(id=person_id, tenant_id=tenant_id, name=f"Name of {person_id}", extension=extension, **other)


def device(person_id: str, endpoint: str, *, tenant_id: str = TENANT) -> DeviceRow:
    return DeviceRow(id=f"device of {endpoint}", tenant_id=tenant_id, person_id=person_id, endpoint=endpoint)


def policy(number: int, *, tenant_id: str = TENANT, **other: Any) -> PolicyVersionRow:
    version = PolicyVersion(tenant_id, number, **other)
    return PolicyVersionRow(tenant_id=tenant_id, number=number, author="Sofie", at=NOON, body=policy_body(version))


def exclusion(exclusion_id: str, pattern: str, **other: Any) -> ExclusionRow:
    return ExclusionRow(id=exclusion_id, tenant_id=TENANT, pattern=pattern, created_at=NOON, **other)


def add_company(session: Session) -> None:
    """Add a company with one department, two people, a queue each for yes and no, a consent number and a DDI."""
    session.add(TenantRow(id=TENANT, name="Company One"))
    session.flush()
    session.add(DepartmentRow(id="sales", tenant_id=TENANT, name="Sales"))
    session.flush()
    session.add_all(
        [
            person("user-1", "101", mode=Mode.ALWAYS, enrolled=True, department_id="sales", ddi="+4570101011"),
            person("user-2", "102", mode=Mode.ON_DEMAND, may_pause=True, language="da"),
            HuntGroupRow(id="yes", tenant_id=TENANT, number="801", name="recorded", kind=GroupKind.QUEUE),
            HuntGroupRow(id="no", tenant_id=TENANT, number="802", name="unrecorded", kind=GroupKind.RING_GROUP),
        ]
    )
    session.flush()
    session.add_all(
        [
            device("user-1", "PJSIP/101-soft"),
            device("user-1", "PJSIP/101"),
            GroupMemberRow(tenant_id=TENANT, group_id="yes", person_id="user-1", position=2),
            GroupMemberRow(tenant_id=TENANT, group_id="yes", person_id="user-2", position=1),
            ConsentNumberRow(id="ask", tenant_id=TENANT, number="800", yes_group_id="yes", no_group_id="no"),
        ]
    )
    session.flush()
    session.add(DirectNumberRow(id="ddi-1", tenant_id=TENANT, e164="+4570101010", consent_number_id="ask"))
