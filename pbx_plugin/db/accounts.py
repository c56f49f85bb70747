"""The portal's accounts in the database, one transaction at a time; see :mod:`pbx_plugin.services.account_records`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, delete, func, select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.account_doors import DoorTables
from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import (
    AccountLinkRow,
    AccountReachRow,
    AccountRow,
    PasswordRow,
    PersonRow,
    PortalRulesRow,
    RecordingGroupMemberRow,
    RecoveryCodeRow,
    SessionRow,
    TermsAcceptedRow,
    TermsRow,
)
from pbx_plugin.domain.signing import Rules, plain_rules, rules_from_plain
from pbx_plugin.domain.signing import email_key as key_of
from pbx_plugin.services.account_records import Account, AccountStore, TermsAccepted, TermsText, Tied
from pbx_plugin.services.people_records import Role as GroupRole

_DEPARTMENT, _GROUP = "department", "group"


class DatabaseAccounts:
    """:class:`~pbx_plugin.services.account_records.Accounts` of one site."""

    def __init__(self, engine: Engine, *, dry_run: bool = False) -> None:
        self._engine = engine
        self._dry_run = dry_run

    @contextmanager
    def reading(self) -> Iterator[AccountStore]:
        """Open them for looking only."""
        with reading(self._engine) as session:
            yield SqlAccounts(session)

    @contextmanager
    def writing(self) -> Iterator[AccountStore]:
        """Open them for a change, true as a whole at the end, or not at all when something is raised."""
        with suppress(_NothingStaysError), writing(self._engine) as session:
            yield SqlAccounts(session, locking=True)
            if self._dry_run:
                raise _NothingStaysError


class _NothingStaysError(Exception):
    """Ends a trial run, so that its transaction is taken back."""


class SqlAccounts(DoorTables, SqlDirectory):
    """:class:`AccountStore` over one session. With ``locking`` an account that was looked at is nobody else's to change
    until the end, so that a lock is not undone by who looked a moment before (SQLite locks the whole file anyway)."""

    def __init__(self, session: Session, *, locking: bool = False) -> None:
        super().__init__(session)
        self._locking = locking

    def accounts(self, tenant_id: str) -> Sequence[Account]:
        """Return the accounts, by e-mail address."""
        rows = self._session.scalars(
            select(AccountRow).where(AccountRow.tenant_id == tenant_id).order_by(AccountRow.email_key)
        )
        reach = self._reach(AccountReachRow.tenant_id == tenant_id)
        return [_account(row, reach) for row in rows]

    def account(self, tenant_id: str, account_id: str) -> Account | None:
        """Return one account."""
        return self._one(AccountRow.tenant_id == tenant_id, AccountRow.id == account_id)

    def account_called(self, tenant_id: str, email_key: str) -> Account | None:
        """Return the account of that e-mail address, as :func:`pbx_plugin.domain.signing.email_key` makes it."""
        found = self._one(AccountRow.tenant_id == tenant_id, AccountRow.email_key == email_key)
        # Databases cut, clean and pad what they compare; tries are counted by the whole text, so must the account be.
        return found if found is not None and key_of(found.email) == email_key else None

    def tied(self, account: Account) -> Tied:
        """Return the user that an account is tied to, and what they supervise, as it is now."""
        if account.person_id is None:
            return Tied()
        person = select(PersonRow.id).where(
            PersonRow.tenant_id == account.tenant_id, PersonRow.id == account.person_id, PersonRow.active
        )
        found = self._session.scalar(person)
        if found is None:
            return Tied()
        groups = select(RecordingGroupMemberRow.group_id).where(
            RecordingGroupMemberRow.tenant_id == account.tenant_id,
            RecordingGroupMemberRow.person_id == found,
            RecordingGroupMemberRow.role == GroupRole.SUPERVISOR,
        )
        return Tied(found, frozenset(self._session.scalars(groups)))

    def save_account(self, account: Account) -> None:
        """Write an account with what it sees. Raises RefusedError when the address was taken a moment ago."""
        row = self._session.get(AccountRow, account.id)
        if row is None:
            row = AccountRow(id=account.id, tenant_id=account.tenant_id, factor_step=0)
            row.created_at, row.created_by = account.created_at, account.created_by
            self._session.add(row)
        row.email, row.email_key, row.name = account.email, key_of(account.email), account.name
        row.language, row.role, row.person_id = account.language, account.role, account.person_id
        row.active, row.must_change = account.active, account.must_change
        row.may_listen, row.may_download, row.may_mail = account.may_listen, account.may_download, account.may_mail
        self._flush(f"account {account.email}")
        self._session.execute(delete(AccountReachRow).where(AccountReachRow.account_id == account.id))
        rows = [
            {"account_id": account.id, "tenant_id": account.tenant_id, "kind": kind, "unit_id": unit}
            for kind, units in ((_DEPARTMENT, account.department_ids), (_GROUP, account.recording_group_ids))
            for unit in sorted(units)
        ]
        self._insert(AccountReachRow, rows, "what the account sees")

    def set_language(self, account: Account, language: str) -> None:
        """Write an account's language, and nothing else of it."""
        self._set(account, language=language)

    def delete_account(self, account: Account) -> None:
        """Delete an account with its sessions, links and codes; what it accepted is kept."""
        for kind in (AccountReachRow, PasswordRow, RecoveryCodeRow, AccountLinkRow, SessionRow):
            self._session.execute(delete(kind).where(kind.account_id == account.id))
        self._session.execute(delete(AccountRow).where(AccountRow.id == account.id))

    def set_password(self, account: Account, password_hash: str, at: datetime, *, must_change: bool) -> None:
        """Write a new password, and add it to those that the account had."""
        self._set(account, password_hash=password_hash, password_at=at, must_change=must_change)
        self._session.add(PasswordRow(tenant_id=account.tenant_id, account_id=account.id, hash=password_hash, at=at))
        self._flush("the password")

    def replace_hash(self, account: Account, password_hash: str) -> None:
        """Write the same password hashed anew, unless another was set meanwhile."""
        for kind, column in ((AccountRow, AccountRow.password_hash), (PasswordRow, PasswordRow.hash)):
            whose = AccountRow.id if kind is AccountRow else PasswordRow.account_id
            change = update(kind).where(whose == account.id, column == account.password_hash)
            self._session.execute(change.values({column: password_hash}))

    def past_hashes(self, account: Account, most: int) -> Sequence[str]:
        """Return the hashes of the last passwords, newest first."""
        query = select(PasswordRow.hash).where(PasswordRow.account_id == account.id)
        return list(self._session.scalars(query.order_by(PasswordRow.seq.desc()).limit(most)))

    def signed_in(self, account: Account, at: datetime) -> None:
        """Remember when somebody signed in last."""
        self._set(account, signed_in_at=at)

    def set_factor(self, account: Account, sealed: str, at: datetime | None) -> None:
        """Write a second factor's sealed secret, in force from ``at`` on (None: not yet), and forget its codes."""
        self._set(account, factor_sealed=sealed, factor_at=at)
        self._session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.account_id == account.id))

    def take_step(self, account: Account, step: int) -> bool:
        """Note that the code of this time step was used; False when it or a later one was: decided by one update."""
        change = update(AccountRow).where(AccountRow.id == account.id, AccountRow.factor_step < step)
        return self._changed(change.values(factor_step=step)) == 1

    def set_recovery_codes(self, account: Account, sha256s: Sequence[str]) -> None:
        """Replace the recovery codes."""
        self._session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.account_id == account.id))
        rows = [{"account_id": account.id, "tenant_id": account.tenant_id, "sha256": one} for one in sha256s]
        self._insert(RecoveryCodeRow, rows, "the recovery codes")

    def take_recovery_code(self, account: Account, sha256: str, at: datetime) -> bool:
        """Use a recovery code up; False when there is none such, or it was used: decided by one update."""
        change = update(RecoveryCodeRow).where(
            RecoveryCodeRow.account_id == account.id,
            RecoveryCodeRow.sha256 == sha256,
            RecoveryCodeRow.used_at.is_(None),
        )
        return self._changed(change.values(used_at=at)) == 1

    def recovery_codes_left(self, account: Account) -> int:
        """Return how many recovery codes were not used yet."""
        left = (RecoveryCodeRow.account_id == account.id, RecoveryCodeRow.used_at.is_(None))
        return self._session.scalar(select(func.count()).select_from(RecoveryCodeRow).where(*left)) or 0

    def rules(self, tenant_id: str) -> Rules:
        """Return a company's rules for signing in; the usual ones where it has set none."""
        row = self._session.get(PortalRulesRow, tenant_id)
        return Rules() if row is None else rules_from_plain(row.body)

    def save_rules(self, tenant_id: str, rules: Rules, *, author: str, at: datetime) -> None:
        """Write a company's rules."""
        row = PortalRulesRow(tenant_id=tenant_id, body=plain_rules(rules), changed_at=at, changed_by=author)
        self._write(row, "the rules")

    def terms(self, tenant_id: str) -> Sequence[TermsText]:
        """Return the texts of the version in force, by language; none where there are no terms."""
        last = select(func.max(TermsRow.version)).where(TermsRow.tenant_id == tenant_id).scalar_subquery()
        query = select(TermsRow).where(TermsRow.tenant_id == tenant_id, TermsRow.version == last)
        rows = self._session.scalars(query.order_by(TermsRow.language))
        return [
            TermsText(r.tenant_id, r.version, r.language, r.text, r.sha256, r.created_at, r.created_by)
            for r in rows
            if r.text
        ]

    def terms_version(self, tenant_id: str) -> int:
        """Return the number of the last version, 0 where there never was one."""
        return self._session.scalar(select(func.max(TermsRow.version)).where(TermsRow.tenant_id == tenant_id)) or 0

    def add_terms(self, texts: Sequence[TermsText]) -> None:
        """Add texts of a new version, or further languages of the one in force."""
        rows = [
            {
                "tenant_id": one.tenant_id,
                "version": one.version,
                "language": one.language,
                "text": one.text,
                "sha256": one.sha256,
                "created_at": one.created_at,
                "created_by": one.created_by,
            }
            for one in texts
        ]
        self._insert(TermsRow, rows, "that version of the terms")

    def accepted(self, account: Account) -> Sequence[TermsAccepted]:
        """Return what somebody accepted, latest version first."""
        query = select(TermsAcceptedRow).where(TermsAcceptedRow.account_id == account.id)
        return [
            TermsAccepted(r.tenant_id, r.account_id, r.version, r.language, r.sha256, r.at, r.address)
            for r in self._session.scalars(query.order_by(TermsAcceptedRow.version.desc()))
        ]

    def add_accepted(self, accepted: TermsAccepted) -> None:
        """Keep that somebody accepted a version; a second time changes nothing."""
        if self._session.get(TermsAcceptedRow, (accepted.account_id, accepted.version)) is None:
            row = TermsAcceptedRow(account_id=accepted.account_id, version=accepted.version)
            row.tenant_id, row.language, row.sha256 = accepted.tenant_id, accepted.language, accepted.sha256
            row.at, row.address = accepted.at, accepted.address
            self._session.add(row)
            self._flush("the acceptance")

    def _set(self, account: Account, **values: object) -> None:
        self._changed(update(AccountRow).where(AccountRow.id == account.id).values(**values))

    def _one(self, *conditions: ColumnElement[bool]) -> Account | None:
        query = select(AccountRow).where(*conditions)
        row = self._session.scalars(query.with_for_update() if self._locking else query).one_or_none()
        return None if row is None else _account(row, self._reach(AccountReachRow.account_id == row.id))

    def _reach(self, condition: ColumnElement[bool]) -> Mapping[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for row in self._session.scalars(select(AccountReachRow).where(condition)):
            found.setdefault((row.account_id, row.kind), set()).add(row.unit_id)
        return {key: frozenset(units) for key, units in found.items()}


def _account(row: AccountRow, reach: Mapping[tuple[str, str], frozenset[str]]) -> Account:
    return Account(
        id=row.id,
        tenant_id=row.tenant_id,
        email=row.email,
        name=row.name,
        role=row.role,
        created_at=row.created_at,
        created_by=row.created_by,
        language=row.language,
        person_id=row.person_id,
        department_ids=reach.get((row.id, _DEPARTMENT), frozenset()),
        recording_group_ids=reach.get((row.id, _GROUP), frozenset()),
        active=row.active,
        may_listen=row.may_listen,
        may_download=row.may_download,
        may_mail=row.may_mail,
        password_hash=row.password_hash,
        password_at=row.password_at,
        must_change=row.must_change,
        factor_sealed=row.factor_sealed,
        factor_at=row.factor_at,
        factor_step=row.factor_step,
        signed_in_at=row.signed_in_at,
    )
