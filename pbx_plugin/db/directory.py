"""The directory in the database: people, groups, numbers, exclusions and policies, one transaction at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from sqlalchemy import Engine, delete, select, update

from pbx_plugin.db import audit_chain
from pbx_plugin.db.directory_notices import NoticeTables
from pbx_plugin.db.directory_people import PeopleTables
from pbx_plugin.db.directory_policies import PolicyTables
from pbx_plugin.db.directory_session import handfuls
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import (
    ConsentNumberRow,
    DeviceRow,
    DirectNumberRow,
    ExclusionRow,
    GroupMemberRow,
    HuntGroupRow,
    PersonRow,
    PolicyVersionRow,
    TenantRow,
)
from pbx_plugin.db.rulebook import (
    consent_number_from_row,
    consent_number_row,
    group_from_row,
    policy_body,
    policy_from_body,
)
from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.policy import Exclusion, HuntGroup
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber, Tenant
from pbx_plugin.services.directory import AppliedPolicy, Directory


@contextmanager
def read_directory(engine: Engine) -> Iterator[Directory]:
    """Open the directory for looking only. Raises StoreUnavailableError while the database is away."""
    with reading(engine) as session:
        yield SqlDirectory(session)


@contextmanager
def change_directory(engine: Engine, *, dry_run: bool = False) -> Iterator[Directory]:
    """Open the directory for a change, true as a whole at the end, or not at all when something is raised.

    With ``dry_run`` everything is tried, and nothing stays. Raises StoreUnavailableError while the database is away.
    """
    with suppress(_NothingStaysError), writing(engine) as session:
        yield SqlDirectory(session)
        if dry_run:
            raise _NothingStaysError


class _NothingStaysError(Exception):
    """Ends a trial run, so that its transaction is taken back."""


class SqlDirectory(PeopleTables, NoticeTables, PolicyTables):
    """:class:`Directory` over one session; rows are flushed at once, so that a conflict is told where it happens."""

    def tenants(self) -> Sequence[Tenant]:
        """Return all companies, by name."""
        rows = self._session.scalars(select(TenantRow).order_by(TenantRow.name))
        return [Tenant(row.id, row.name, row.country, row.language) for row in rows]

    def save_tenant(self, tenant: Tenant) -> None:
        """Write a company."""
        self._write(TenantRow(id=tenant.id, name=tenant.name, country=tenant.country, language=tenant.language))

    def groups(self, tenant_id: str) -> Sequence[HuntGroup]:
        """Return the hunt groups, by number."""
        query = select(HuntGroupRow).where(HuntGroupRow.tenant_id == tenant_id).order_by(HuntGroupRow.number)
        return [group_from_row(row) for row in self._session.scalars(query)]

    def members(self, group_id: str) -> Sequence[str]:
        """Return the ids of a group's users in the order in which they are rung."""
        query = select(GroupMemberRow.person_id).where(GroupMemberRow.group_id == group_id)
        return list(self._session.scalars(query.order_by(GroupMemberRow.position)))

    def memberships(self, tenant_id: str) -> Mapping[str, Sequence[str]]:
        """Return the users (ids) of every group that has any, in ringing order, by the group's id."""
        query = select(GroupMemberRow.group_id, GroupMemberRow.person_id).where(GroupMemberRow.tenant_id == tenant_id)
        found: dict[str, list[str]] = {}
        for group_id, person_id in self._session.execute(query.order_by(GroupMemberRow.position)):
            found.setdefault(group_id, []).append(person_id)
        return found

    def save_group(self, group: HuntGroup, members: Sequence[str]) -> None:
        """Write a hunt group and its users (ids) in ringing order."""
        bridging = group.bridging
        row = HuntGroupRow(
            id=group.id,
            tenant_id=group.tenant_id,
            number=group.number,
            name=group.name,
            kind=group.kind,
            bridged=bridging.on,
            strategy=bridging.strategy,
            ring_seconds=bridging.ring_seconds,
            wait_seconds=bridging.wait_seconds,
            wrap_up_seconds=bridging.wrap_up_seconds,
            music=bridging.music,
        )
        self._write(row, f"group {group.name}")
        self._session.execute(delete(GroupMemberRow).where(GroupMemberRow.group_id == group.id))
        self._session.expire_all()
        for position, person_id in enumerate(members):
            self._session.add(
                GroupMemberRow(group_id=group.id, person_id=person_id, tenant_id=group.tenant_id, position=position)
            )
        self._flush(f"group {group.name}")

    def delete_group(self, group: HuntGroup) -> None:
        """Delete a hunt group to which no number leads."""
        self._session.execute(delete(GroupMemberRow).where(GroupMemberRow.group_id == group.id))
        self._session.execute(delete(HuntGroupRow).where(HuntGroupRow.id == group.id))

    def direct_numbers(self, tenant_id: str) -> Sequence[DirectNumber]:
        """Return the direct numbers (DDIs), also those that lead to a user, by number."""
        query = select(DirectNumberRow).where(DirectNumberRow.tenant_id == tenant_id).order_by(DirectNumberRow.e164)
        return [
            DirectNumber(row.e164, row.tenant_id, row.person_id or "", row.group_id or "", row.consent_number_id or "")
            for row in self._session.scalars(query)
        ]

    def save_direct_number(self, number: DirectNumber) -> None:
        """Write a direct number and where it leads."""
        found = select(DirectNumberRow).where(
            DirectNumberRow.e164 == number.e164, DirectNumberRow.tenant_id == number.tenant_id
        )
        row = self._session.scalars(found).one_or_none()
        if row is None:
            row = DirectNumberRow(id=str(uuid.uuid4()), tenant_id=number.tenant_id, e164=number.e164)
            self._session.add(row)
        row.person_id, row.group_id = number.user_id or None, number.group_id or None
        row.consent_number_id = number.consent_number_id or None
        self._flush(f"direct number {number.e164}")

    def delete_direct_number(self, number: DirectNumber) -> None:
        """Delete a direct number."""
        self._session.execute(
            delete(DirectNumberRow).where(
                DirectNumberRow.e164 == number.e164, DirectNumberRow.tenant_id == number.tenant_id
            )
        )

    def change_direct_numbers(self, gone: Sequence[DirectNumber], wanted: Sequence[DirectNumber]) -> None:
        """Delete these direct numbers, then write those; a number may be in both."""
        if gone:
            self._delete(DirectNumberRow, DirectNumberRow.e164, [n.e164 for n in gone], gone[0].tenant_id)
            self._session.expire_all()
        rows = [
            {
                "id": str(uuid.uuid4()),
                "tenant_id": number.tenant_id,
                "e164": number.e164,
                "person_id": number.user_id or None,
                "group_id": number.group_id or None,
                "consent_number_id": number.consent_number_id or None,
            }
            for number in wanted
        ]
        self._insert(DirectNumberRow, rows, "one of the direct numbers")

    def consent_numbers(self, tenant_id: str) -> Sequence[ConsentNumber]:
        """Return the consent numbers, by number."""
        query = select(ConsentNumberRow).where(ConsentNumberRow.tenant_id == tenant_id)
        return [consent_number_from_row(row) for row in self._session.scalars(query.order_by(ConsentNumberRow.number))]

    def save_consent_number(self, number: ConsentNumber) -> None:
        """Write a consent number."""
        self._write(consent_number_row(number), f"consent number {number.number}")

    def delete_consent_number(self, number: ConsentNumber) -> None:
        """Delete a consent number to which no direct number leads."""
        self._session.execute(delete(ConsentNumberRow).where(ConsentNumberRow.id == number.id))

    def exclusions(self, tenant_id: str) -> Sequence[Exclusion]:
        """Return all exclusions that were not taken back, also expired ones, in the order in which they were added."""
        query = select(ExclusionRow).where(ExclusionRow.tenant_id == tenant_id, ExclusionRow.removed_at.is_(None))
        return [
            Exclusion(row.id, row.pattern, row.prefix, row.person_id or "", row.reason, row.expires_at)
            for row in self._session.scalars(query.order_by(ExclusionRow.created_at, ExclusionRow.id))
        ]

    def save_exclusion(self, tenant_id: str, exclusion: Exclusion, *, author: str, at: datetime) -> None:
        """Write an exclusion; it acts at once."""
        row = self._session.get(ExclusionRow, exclusion.id)
        if row is None:
            row = ExclusionRow(id=exclusion.id, tenant_id=tenant_id, created_at=at, created_by=author)
            self._session.add(row)
        row.pattern, row.prefix, row.person_id = exclusion.pattern, exclusion.prefix, exclusion.user_id or None
        row.reason, row.expires_at = exclusion.reason, exclusion.expires_at
        self._flush("the exclusion")

    def add_exclusions(self, tenant_id: str, exclusions: Sequence[Exclusion], *, author: str, at: datetime) -> None:
        """Add many exclusions that are not there yet."""
        rows = [
            {
                "id": one.id,
                "tenant_id": tenant_id,
                "created_at": at,
                "created_by": author,
                "pattern": one.pattern,
                "prefix": one.prefix,
                "person_id": one.user_id or None,
                "reason": one.reason,
                "expires_at": one.expires_at,
            }
            for one in exclusions
        ]
        self._insert(ExclusionRow, rows, "one of the exclusions")

    def delete_exclusion(self, tenant_id: str, exclusion: Exclusion, *, author: str, at: datetime) -> None:
        """Take an exclusion back; that it was there is remembered."""
        row = self._session.get(ExclusionRow, exclusion.id)
        if row is not None and row.tenant_id == tenant_id:
            row.removed_at, row.removed_by = at, author
            self._flush("the exclusion")

    def delete_exclusions(self, tenant_id: str, ids: Sequence[str], *, author: str, at: datetime) -> None:
        """Take many exclusions (ids) back."""
        table = ExclusionRow.__table__.c
        for some in handfuls(ids):
            query = update(ExclusionRow).where(table.tenant_id == tenant_id, table.id.in_(some))
            self._run(query.values(removed_at=at, removed_by=author), "the exclusions")

    def policies(self, tenant_id: str) -> Sequence[AppliedPolicy]:
        """Return all applied policy versions, oldest first; the last one is in force."""
        query = select(PolicyVersionRow).where(PolicyVersionRow.tenant_id == tenant_id)
        return [
            AppliedPolicy(policy_from_body(row.body), row.author, row.at, row.comment)
            for row in self._session.scalars(query.order_by(PolicyVersionRow.number))
        ]

    def add_policy(self, policy: AppliedPolicy) -> None:
        """Add a policy version, which is then in force. Versions are never changed or deleted."""
        version = policy.version
        row = PolicyVersionRow(
            tenant_id=version.tenant_id,
            number=version.number,
            author=policy.author,
            at=policy.at,
            comment=policy.comment,
            body=policy_body(version),
        )
        self._session.add(row)
        self._flush(f"policy version {version.number}")

    def audit(self, entry: Audited) -> None:
        """Add an audit entry; it is written at the end of the transaction."""
        self.audit_all((entry,))

    def audit_all(self, entries: Iterable[Audited]) -> None:
        """Add many audit entries."""
        audit_chain.add(self._session, entries)


def phone_digests(engine: Engine) -> dict[str, str]:
    """Return the MD5 digest of ``name:realm:password`` of every phone that the product generates, by device."""
    with reading(engine) as session:
        rows = session.execute(
            select(DeviceRow.endpoint, DeviceRow.secret_md5)
            .join(PersonRow, PersonRow.id == DeviceRow.person_id)
            .where(PersonRow.active, DeviceRow.secret_md5.is_not(None))
        )
        return {row.endpoint: row.secret_md5 for row in rows}
