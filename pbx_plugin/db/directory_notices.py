"""The directory's notices, mails and imports in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, func, select, update

from pbx_plugin.db.base import clean_json
from pbx_plugin.db.directory_session import SessionTables
from pbx_plugin.db.models import ImportRunRow, MailRow, NoticeRow
from pbx_plugin.services.people_records import ImportRun, Mail, MailState, Notice

MAILS_SHOWN = 1000
RUNS_SHOWN = 100
AT_ONCE = 500


class NoticeTables(SessionTables):
    """The part of :class:`Directory` that is about what users were told, and what imports did."""

    def latest_notices(self, tenant_id: str) -> Mapping[str, Notice]:
        """Return each user's last notice, by the user's id."""
        last = (
            select(func.max(NoticeRow.seq)).where(NoticeRow.tenant_id == tenant_id).group_by(NoticeRow.person_id)
        ).scalar_subquery()
        return {
            row.person_id: notice_from_row(row)
            for row in self._session.scalars(select(NoticeRow).where(NoticeRow.seq.in_(last)))
        }

    def notices(self, tenant_id: str, person_id: str) -> Sequence[Notice]:
        """Return all notices to a user, oldest first."""
        return self._notices(NoticeRow.tenant_id == tenant_id, NoticeRow.person_id == person_id)

    def notice_of_code(self, tenant_id: str, code_sha256: str) -> Notice | None:
        """Return the notice whose unused code has this digest."""
        found = self._notices(NoticeRow.tenant_id == tenant_id, NoticeRow.code_sha256 == code_sha256)
        return found[0] if found else None

    def add_notices(self, notices: Iterable[Notice]) -> None:
        """Add notices."""
        rows = [
            {
                "id": one.id,
                "tenant_id": one.tenant_id,
                "person_id": one.person_id,
                "at": one.at,
                "author": one.author,
                "mode": one.mode,
                "language": one.language,
                "text_version": one.text_version,
                "text": one.text,
                "text_sha256": one.text_sha256,
                "code_sha256": one.code_sha256,
                "code_until": one.code_until,
            }
            for one in notices
        ]
        self._insert(NoticeRow, rows, "the notice")

    def save_acknowledgement(self, notice: Notice) -> None:
        """Write a notice's acknowledgement, and that its code is used; nothing else of a notice ever changes."""
        query = select(NoticeRow).where(NoticeRow.id == notice.id, NoticeRow.tenant_id == notice.tenant_id)
        row = self._session.scalars(query).one()
        row.code_sha256 = notice.code_sha256
        row.acknowledged_at, row.acknowledged_by = notice.acknowledged_at, notice.acknowledged_by
        row.acknowledged_how, row.acknowledged_sha256 = notice.acknowledged_how, notice.acknowledged_sha256
        self._flush("the acknowledgement")

    def add_mails(self, mails: Iterable[Mail]) -> None:
        """Put mails into the outbox."""
        rows = [
            {
                "id": mail.id,
                "tenant_id": mail.tenant_id,
                "about": mail.about,
                "at": mail.at,
                "address": mail.address,
                "subject": mail.subject,
                "body": mail.body,
                "secret": mail.secret,
                "state": mail.state,
                "due_at": mail.due_at,
            }
            for mail in mails
        ]
        self._insert(MailRow, rows, "the mail")

    def cancel_mails(self, tenant_id: str, about: Iterable[str], at: datetime) -> None:
        """Take back mails about these users that were not sent yet."""
        people = list(about)
        for first in range(0, len(people), AT_ONCE):
            self._session.execute(
                update(MailRow)
                .where(
                    MailRow.tenant_id == tenant_id,
                    MailRow.state == MailState.PENDING,
                    MailRow.about.in_(people[first : first + AT_ONCE]),
                )
                .values(state=MailState.CANCELLED, ended_at=at, secret=None)
            )

    def mails(self, tenant_id: str) -> Sequence[Mail]:
        """Return the outbox with what was sent, newest first; at most the last 1000."""
        query = select(MailRow).where(MailRow.tenant_id == tenant_id).order_by(MailRow.seq.desc()).limit(MAILS_SHOWN)
        return [mail_from_row(row) for row in self._session.scalars(query)]

    def import_runs(self, tenant_id: str) -> Sequence[ImportRun]:
        """Return the imports, newest first; at most the last 100."""
        query = select(ImportRunRow).where(ImportRunRow.tenant_id == tenant_id).order_by(ImportRunRow.seq.desc())
        return [import_run_from_row(row) for row in self._session.scalars(query.limit(RUNS_SHOWN))]

    def add_import_run(self, run: ImportRun) -> None:
        """Add an import."""
        row = ImportRunRow(
            id=run.id,
            tenant_id=run.tenant_id,
            at=run.at,
            author=run.author,
            source=run.source,
            sha256=run.sha256,
            changes=cast("list[object]", clean_json([dict(change) for change in run.changes])),
        )
        self._session.add(row)
        self._flush("the import")

    def mark_undone(self, run: ImportRun, *, author: str, at: datetime) -> None:
        """Note that an import was taken back."""
        query = select(ImportRunRow).where(ImportRunRow.id == run.id, ImportRunRow.tenant_id == run.tenant_id)
        row = self._session.scalars(query).one()
        row.undone_at, row.undone_by = at, author
        self._flush("the import")

    def _notices(self, *conditions: ColumnElement[bool]) -> list[Notice]:
        return [
            notice_from_row(row)
            for row in self._session.scalars(select(NoticeRow).where(*conditions).order_by(NoticeRow.seq))
        ]


def mail_from_row(row: MailRow) -> Mail:
    """Return the mail as the services know it."""
    return Mail(
        id=row.id,
        tenant_id=row.tenant_id,
        about=row.about,
        at=row.at,
        address=row.address,
        subject=row.subject,
        body=row.body,
        due_at=row.due_at,
        secret=row.secret,
        state=row.state,
        attempts=row.attempts,
        ended_at=row.ended_at,
        error=row.error,
    )


def import_run_from_row(row: ImportRunRow) -> ImportRun:
    """Return the import as the services know it."""
    return ImportRun(
        row.id, row.tenant_id, row.at, row.author, row.source, row.sha256, row.changes, row.undone_at, row.undone_by
    )


def notice_from_row(row: NoticeRow) -> Notice:
    """Return the notice as the services know it."""
    return Notice(
        id=row.id,
        tenant_id=row.tenant_id,
        person_id=row.person_id,
        at=row.at,
        author=row.author,
        mode=row.mode,
        language=row.language,
        text_version=row.text_version,
        text=row.text,
        text_sha256=row.text_sha256,
        code_sha256=row.code_sha256,
        code_until=row.code_until,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_how=row.acknowledged_how,
        acknowledged_sha256=row.acknowledged_sha256,
    )
