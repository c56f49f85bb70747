"""The outbox of mails in the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select, update

from pbx_plugin.db.directory_notices import mail_from_row
from pbx_plugin.db.engine import writing
from pbx_plugin.db.models import MailRow
from pbx_plugin.services.people_records import Mail, MailState

CLAIMED_FOR = timedelta(minutes=10)
"""How long a mail is one sender's own; if that sender died, another may have it then."""


class DatabaseOutbox:
    """:class:`~pbx_plugin.services.mailing.Outbox` over all companies' mails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, at: datetime) -> Mail | None:
        """Return a mail that is due, for this sender alone for ten minutes; None when there is none."""
        while True:
            with writing(self._engine) as session:
                due = select(MailRow).where(MailRow.state == MailState.PENDING, MailRow.due_at <= at)
                row = session.scalars(due.order_by(MailRow.due_at, MailRow.seq).limit(1)).first()
                if row is None:
                    return None
                mail = mail_from_row(row)
                mine = update(MailRow.__table__).where(  # type: ignore[arg-type]
                    MailRow.__table__.c.seq == row.seq,
                    MailRow.__table__.c.state == MailState.PENDING,
                    MailRow.__table__.c.due_at == row.due_at,
                )
                claimed: Any = session.connection().execute(mine.values(due_at=at + CLAIMED_FOR))
            # Somebody else was quicker where the row was not as we had seen it.
            if claimed.rowcount == 1:
                return mail

    def sent(self, mail: Mail, at: datetime) -> None:
        """Note that a mail was sent, and forget its secret."""
        self._set(
            mail, state=MailState.SENT, ended_at=at, secret=None, attempts=mail.attempts + 1, error="", always=True
        )

    def later(self, mail: Mail, due_at: datetime, why: str, *, counts: bool) -> None:
        """Let a mail be tried again at that time; ``counts`` says whether this was a try."""
        self._set(mail, due_at=due_at, error=why, attempts=mail.attempts + counts)

    def failed(self, mail: Mail, at: datetime, why: str) -> None:
        """Give a mail up, and forget its secret."""
        self._set(mail, state=MailState.FAILED, ended_at=at, secret=None, error=why, attempts=mail.attempts + 1)

    def retry(self, tenant_id: str, mail_id: str, at: datetime) -> bool:
        """Let a mail that waits be due at once; False when there is none of that id that waits."""
        with writing(self._engine) as session:
            query = select(MailRow).where(
                MailRow.tenant_id == tenant_id, MailRow.id == mail_id, MailRow.state == MailState.PENDING
            )
            row = session.scalars(query).one_or_none()
            if row is not None:
                row.due_at = at
            return row is not None

    def _set(self, mail: Mail, *, always: bool = False, **values: Any) -> None:
        with writing(self._engine) as session:
            row = session.scalars(select(MailRow).where(MailRow.id == mail.id)).one()
            # One that was taken back meanwhile stays so, unless it has left the house all the same.
            if row.state is MailState.PENDING or always:
                for name, value in values.items():
                    setattr(row, name, value)
