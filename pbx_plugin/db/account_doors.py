"""What opens and shuts the portal's door, in the database: links, sessions, and how often something failed.

Wherever two could want the same thing at once, one conditional statement decides and its row count tells who won.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, Update, delete, select, update
from sqlalchemy.exc import IntegrityError

from pbx_plugin.db.directory_session import SessionTables, handfuls
from pbx_plugin.db.models import AccountLinkRow, SessionRow, ThrottleRow
from pbx_plugin.services.account_records import Account, AccountLink, Session, Waiting


class DoorTables(SessionTables):
    """The part of :class:`pbx_plugin.services.account_records.AccountStore` that is about coming in."""

    def add_link(self, link: AccountLink) -> None:
        """Add a link; the account's older ones are dead from now on."""
        self._end_links(link.account_id, link.created_at)
        self._session.add(
            AccountLinkRow(
                id=link.id,
                tenant_id=link.tenant_id,
                account_id=link.account_id,
                purpose=link.purpose,
                sha256=link.sha256,
                created_at=link.created_at,
                created_by=link.created_by,
                expires_at=link.expires_at,
            )
        )
        self._flush("the link")

    def link(self, sha256: str) -> AccountLink | None:
        """Return the link whose token has this digest, dead or alive."""
        row = self._session.scalars(select(AccountLinkRow).where(AccountLinkRow.sha256 == sha256)).one_or_none()
        if row is None:
            return None
        return AccountLink(
            id=row.id,
            tenant_id=row.tenant_id,
            account_id=row.account_id,
            purpose=row.purpose,
            sha256=row.sha256,
            created_at=row.created_at,
            created_by=row.created_by,
            expires_at=row.expires_at,
            ended_at=row.ended_at,
        )

    def take_link(self, link: AccountLink, at: datetime) -> bool:
        """Use a link up; False when it is dead: decided by one update."""
        alive = (AccountLinkRow.id == link.id, AccountLinkRow.ended_at.is_(None), AccountLinkRow.expires_at > at)
        return self._changed(update(AccountLinkRow).where(*alive).values(ended_at=at)) == 1

    def end_links(self, account: Account, at: datetime) -> None:
        """Let all of an account's links be dead."""
        self._end_links(account.id, at)

    def add_session(self, session: Session) -> None:
        """Add a session."""
        self._session.add(
            SessionRow(
                id=session.id,
                tenant_id=session.tenant_id,
                account_id=session.account_id,
                sha256=session.sha256,
                created_at=session.created_at,
                seen_at=session.seen_at,
                ends_at=session.ends_at,
                keep=session.keep,
                factor_at=session.factor_at,
                address=session.address,
                agent=session.agent,
            )
        )
        self._flush("the session")

    def session(self, sha256: str) -> Session | None:
        """Return the session whose token has this digest, ended ones not."""
        row = self._session.scalars(select(SessionRow).where(SessionRow.sha256 == sha256)).one_or_none()
        return None if row is None else _session(row)

    def sessions(self, tenant_id: str, account_id: str | None = None) -> Sequence[Session]:
        """Return sessions, latest seen first; of one account or of the whole company."""
        query = select(SessionRow).where(SessionRow.tenant_id == tenant_id)
        if account_id is not None:
            query = query.where(SessionRow.account_id == account_id)
        return [
            _session(row) for row in self._session.scalars(query.order_by(SessionRow.seen_at.desc(), SessionRow.id))
        ]

    def save_session(self, session: Session, was: Session) -> bool:
        """Write a session's changes, its new token too; False when it was ended or its token replaced meanwhile."""
        change = update(SessionRow).where(SessionRow.id == was.id, SessionRow.sha256 == was.sha256)
        values = {
            "sha256": session.sha256,
            "seen_at": session.seen_at,
            "ends_at": session.ends_at,
            "factor_at": session.factor_at,
            "address": session.address,
            "agent": session.agent,
        }
        return self._changed(change.values(**values)) == 1

    def end_sessions(self, tenant_id: str, ids: Sequence[str]) -> int:
        """End sessions, and return how many there were."""
        return sum(
            self._changed(delete(SessionRow).where(SessionRow.tenant_id == tenant_id, SessionRow.id.in_(some)))
            for some in handfuls(ids)
        )

    def forget_sessions(self, before: datetime) -> None:
        """Delete what ended by itself before that time, of all companies."""
        self._changed(delete(SessionRow).where(SessionRow.ends_at < before))

    def take_try(self, key: str, tenant_id: str, waiting: Waiting, seen: Waiting | None) -> bool:
        """Write how often something failed, unless somebody was quicker than ``seen``: decided by one statement."""
        if seen is None:
            row = ThrottleRow(key=key, tenant_id=tenant_id, failures=waiting.failures)
            row.last_at, row.until = waiting.last_at, waiting.until
            try:
                with self._session.begin_nested():
                    self._session.add(row)
            except IntegrityError:
                return False
            return True
        same = (ThrottleRow.key == key, ThrottleRow.failures == seen.failures, ThrottleRow.last_at == seen.last_at)
        change = update(ThrottleRow).where(*same)
        values = {"failures": waiting.failures, "last_at": waiting.last_at, "until": waiting.until}
        return self._changed(change.values(**values)) == 1

    def waiting(self, key: str) -> Waiting | None:
        """Return how often something failed lately."""
        query = select(ThrottleRow.failures, ThrottleRow.last_at, ThrottleRow.until).where(ThrottleRow.key == key)
        row = self._session.execute(query).one_or_none()
        return None if row is None else Waiting(row.failures, row.last_at, row.until)

    def forget_tries(self, key: str) -> None:
        """Forget that something failed."""
        self._changed(delete(ThrottleRow).where(ThrottleRow.key == key))

    def forget_old_tries(self, before: datetime) -> None:
        """Forget what failed last before that time."""
        self._changed(delete(ThrottleRow).where(ThrottleRow.last_at < before))

    def _end_links(self, account_id: str, at: datetime) -> None:
        living = (AccountLinkRow.account_id == account_id, AccountLinkRow.ended_at.is_(None))
        self._changed(update(AccountLinkRow).where(*living).values(ended_at=at))

    def _changed(self, statement: Update | Delete) -> int:
        # What the session knows of these rows is looked up again, not reckoned from the statement.
        self._session.flush()
        result: Any = self._session.execute(statement.execution_options(synchronize_session=False))
        self._session.expire_all()
        return int(result.rowcount)


def _session(row: SessionRow) -> Session:
    return Session(
        id=row.id,
        tenant_id=row.tenant_id,
        account_id=row.account_id,
        sha256=row.sha256,
        created_at=row.created_at,
        seen_at=row.seen_at,
        ends_at=row.ends_at,
        keep=row.keep,
        factor_at=row.factor_at,
        address=row.address,
        agent=row.agent,
    )
