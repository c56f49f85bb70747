"""Reads the whole rulebook from the database as one immutable snapshot, and keeps policy versions as JSON."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, cast
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from pbx_plugin import clock
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import (
    ConsentNumberRow,
    DeviceRow,
    DirectNumberRow,
    ExclusionRow,
    GroupMemberRow,
    HuntGroupRow,
    PersonRow,
    PolicyVersionRow,
    RevisionRow,
    TenantRow,
)
from pbx_plugin.domain.bridging import Bridging
from pbx_plugin.domain.call import User
from pbx_plugin.domain.policy import Exclusion, HuntGroup, PolicyVersion
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber, GroupMember, Rulebook, Tenant

_POLICY = TypeAdapter(PolicyVersion)


class DatabaseRulebook:
    """The rulebook in the database. Every call opens its own short transaction; safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def revision(self) -> int:
        """Return the revision in force. Raises StoreUnavailableError while the database is locked or away."""
        with reading(self._engine) as session:
            return _revision(session)

    def load(self) -> Rulebook:
        """Return everything as of one moment. Raises StoreUnavailableError while the database is locked or away.

        Inactive people and removed exclusions are left out; expired exclusions are in, with their ``expires_at``.
        """
        with reading(self._engine) as session:
            policies = _policies(session)
            return Rulebook(
                revision=_revision(session),
                tenants=_tenants(session),
                users=_users(session),
                groups=_groups(session),
                members=_members(session),
                consent_numbers=_consent_numbers(session),
                direct_numbers=_direct_numbers(session),
                policies=policies,
                exclusions=_exclusions(session),
                zones=_zones(policies),
            )


def policy_body(policy: PolicyVersion) -> dict[str, Any]:
    """Return the policy as JSON-able data for :class:`PolicyVersionRow`."""
    return cast("dict[str, Any]", _POLICY.dump_python(policy, mode="json"))


def policy_from_body(body: dict[str, Any]) -> PolicyVersion:
    """Return the policy that :func:`policy_body` wrote. Raises ValueError when the body is not one."""
    return _POLICY.validate_python(body)


def group_from_row(row: HuntGroupRow) -> HuntGroup:
    """Return the hunt group as the domain knows it."""
    bridging = Bridging(
        on=row.bridged,
        strategy=row.strategy,
        ring_seconds=row.ring_seconds,
        wait_seconds=row.wait_seconds,
        wrap_up_seconds=row.wrap_up_seconds,
        music=row.music,
    )
    return HuntGroup(row.id, row.tenant_id, row.number, row.name, row.kind, bridging)


def consent_number_from_row(row: ConsentNumberRow) -> ConsentNumber:
    """Return the consent number as the domain knows it."""
    return ConsentNumber(
        id=row.id,
        tenant_id=row.tenant_id,
        number=row.number,
        language=row.language,
        yes_group_id=row.yes_group_id or "",
        no_group_id=row.no_group_id or "",
        purpose=row.purpose,
        keep_days=row.keep_days,
        tries=row.tries,
        timeout_ms=row.timeout_ms,
        by_country=pairs(row.by_country),
        by_key=pairs(row.by_key),
        yes_user_id=row.yes_person_id or "",
        no_user_id=row.no_person_id or "",
        yes_place=row.yes_place,
        no_place=row.no_place,
    )


def consent_number_row(number: ConsentNumber) -> ConsentNumberRow:
    """Return the consent number as it is kept; the reverse of :func:`consent_number_from_row`."""
    return ConsentNumberRow(
        id=number.id,
        tenant_id=number.tenant_id,
        number=number.number,
        language=number.language,
        yes_group_id=number.yes_group_id or None,
        no_group_id=number.no_group_id or None,
        purpose=number.purpose,
        keep_days=number.keep_days,
        tries=number.tries,
        timeout_ms=number.timeout_ms,
        by_country=",".join("=".join(pair) for pair in number.by_country),
        by_key=",".join("=".join(pair) for pair in number.by_key),
        yes_person_id=number.yes_user_id or None,
        no_person_id=number.no_user_id or None,
        yes_place=number.yes_place,
        no_place=number.no_place,
    )


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of a text such as ``SE=sv,FI=sv``."""
    split = (pair.partition("=") for pair in text.split(",") if pair)
    return tuple((left, right) for left, _, right in split)


def _revision(session: Session) -> int:
    return session.scalars(select(RevisionRow.number)).one()


def _tenants(session: Session) -> dict[str, Tenant]:
    rows = session.scalars(select(TenantRow).order_by(TenantRow.id))
    return {row.id: Tenant(row.id, row.name, row.country, row.language) for row in rows}


def _users(session: Session) -> tuple[User, ...]:
    # By column and not by row object: with 10,000 users that is the difference between in time and late.
    devices: dict[str, list[str]] = defaultdict(list)
    for person_id, endpoint in session.execute(
        select(DeviceRow.person_id, DeviceRow.endpoint).order_by(DeviceRow.endpoint)
    ):
        devices[person_id].append(endpoint)
    columns = PersonRow.__table__.c
    query = select(*columns).where(PersonRow.active)
    return tuple(
        User(
            id=row.id,
            tenant_id=row.tenant_id,
            name=row.name,
            extension=row.extension or "",
            mode=row.mode,
            enrolled=row.enrolled,
            department_id=row.department_id or "",
            ddi=row.ddi,
            devices=tuple(devices.get(row.id, ())),
            may_pause=row.may_pause,
            language=row.language,
        )
        for row in session.execute(query.order_by(PersonRow.tenant_id, PersonRow.extension, PersonRow.id))
    )


def _groups(session: Session) -> tuple[HuntGroup, ...]:
    rows = session.scalars(select(HuntGroupRow).order_by(HuntGroupRow.tenant_id, HuntGroupRow.number))
    return tuple(group_from_row(row) for row in rows)


def _members(session: Session) -> tuple[GroupMember, ...]:
    query = (
        select(GroupMemberRow)
        .join(PersonRow, PersonRow.id == GroupMemberRow.person_id)
        .where(PersonRow.active)
        .order_by(GroupMemberRow.group_id, GroupMemberRow.position, GroupMemberRow.person_id)
    )
    return tuple(GroupMember(row.group_id, row.person_id, row.position) for row in session.scalars(query))


def _consent_numbers(session: Session) -> tuple[ConsentNumber, ...]:
    rows = session.scalars(select(ConsentNumberRow).order_by(ConsentNumberRow.tenant_id, ConsentNumberRow.number))
    return tuple(consent_number_from_row(row) for row in rows)


def _direct_numbers(session: Session) -> tuple[DirectNumber, ...]:
    columns = DirectNumberRow.__table__.c
    rows = session.execute(select(*columns).order_by(DirectNumberRow.e164))
    return tuple(
        DirectNumber(row.e164, row.tenant_id, row.person_id or "", row.group_id or "", row.consent_number_id or "")
        for row in rows
    )


def _policies(session: Session) -> dict[str, PolicyVersion]:
    # Old versions stay in the table for ever; the highest number of each tenant is the applied one.
    rows = session.execute(
        select(PolicyVersionRow.tenant_id, PolicyVersionRow.number).order_by(PolicyVersionRow.number)
    )
    latest: dict[str, int] = {row.tenant_id: row.number for row in rows}
    policies = {}
    for tenant_id, number in latest.items():
        row = session.get_one(PolicyVersionRow, (tenant_id, number))
        policies[tenant_id] = policy_from_body(row.body)
    return policies


def _zones(policies: dict[str, PolicyVersion]) -> dict[str, ZoneInfo]:
    named = {policy.schedule.time_zone for policy in policies.values() if policy.schedule}
    found = {name: clock.time_zone(name) for name in named}
    return {name: zone for name, zone in found.items() if zone is not None}


def _exclusions(session: Session) -> dict[str, tuple[Exclusion, ...]]:
    columns = ExclusionRow.__table__.c
    query = select(*columns).where(ExclusionRow.removed_at.is_(None)).order_by(ExclusionRow.id)
    found: dict[str, list[Exclusion]] = defaultdict(list)
    for row in session.execute(query):
        found[row.tenant_id].append(
            Exclusion(row.id, row.pattern, row.prefix, row.person_id or "", row.reason, row.expires_at)
        )
    return {tenant_id: tuple(exclusions) for tenant_id, exclusions in found.items()}
