"""Mailed links in the database; of their tokens only the SHA-256 is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.handing import note
from pbx_plugin.db.models import LinkOpeningRow, ShareLinkRow
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import Recorded
from pbx_plugin.services.people_records import Mail
from pbx_plugin.services.sharing import ONE_TIME_HOLDS, Link, Opening, OpeningKind, digest

MOST_OPENINGS = 1000
"""Openings of one link that are kept; the audit has them all."""


class DatabaseLinks:
    """:class:`~pbx_plugin.services.sharing.LinkStore`. All raise StoreUnavailableError while the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, desk: Desk, link: Link, mail: Mail, recorded: Recorded) -> None:
        """Keep a new link and put its mail into the outbox, both or neither. Audited."""
        names = [column.key for column in ShareLinkRow.__table__.columns]
        with writing(self._engine) as session:
            session.execute(insert(ShareLinkRow), [{name: getattr(link, name) for name in names}])
            SqlDirectory(session).add_mails([mail])
            told = {"recipient": link.recipient, "about": link.subject, "until": link.expires_at.isoformat()}
            note(
                session,
                desk,
                "mailed",
                link.recording_id,
                link=link.id,
                once=link.one_time,
                **told,
                call=recorded.call_id,
            )

    def of_recording(self, tenant_id: str, recording_id: str) -> Sequence[Link]:
        """Return a recording's links, newest first."""
        query = _links().where(ShareLinkRow.tenant_id == tenant_id, ShareLinkRow.recording_id == recording_id)
        with reading(self._engine) as session:
            return [_link(row, count) for row, count in session.execute(query)]

    def find(self, token_sha256: str) -> Link | None:
        """Return the link of a token, dead or alive."""
        with reading(self._engine) as session:
            found = session.execute(_links().where(ShareLinkRow.token_sha256 == token_sha256)).one_or_none()
            return _link(*found) if found else None

    def openings(self, tenant_id: str, link_id: str) -> Sequence[Opening]:
        """Return when, from where and how a link was opened, newest first."""
        query = select(LinkOpeningRow).where(LinkOpeningRow.tenant_id == tenant_id, LinkOpeningRow.link_id == link_id)
        with reading(self._engine) as session:
            rows = session.scalars(query.order_by(LinkOpeningRow.seq.desc()))
            return [Opening(row.at, row.address, OpeningKind(row.what)) for row in rows]

    def revoke(self, desk: Desk, link_id: str) -> Link:
        """Let a link open nothing from now on, and take back its mail. Audited. Raises RefusedError."""
        with writing(self._engine) as session:
            found = session.execute(
                _links().where(ShareLinkRow.tenant_id == desk.tenant.id, ShareLinkRow.id == link_id)
            ).one_or_none()
            if found is None:
                raise RefusedError(f"no link {link_id!r}")
            link = _link(*found)
            change = update(ShareLinkRow).where(ShareLinkRow.id == link_id, ShareLinkRow.revoked_at.is_(None))
            if _count(session, change.values(revoked_at=desk.at, revoked_by=desk.actor)) == 1:
                SqlDirectory(session).cancel_mails(desk.tenant.id, [link_id], desk.at)
                note(session, desk, "link revoked", link.recording_id, link=link_id, recipient=link.recipient)
            return link

    def open(self, desk: Desk, link: Link, address: str, what: OpeningKind) -> bool:
        """Note and audit that a link is opened; False, and nothing noted, when it died in this moment.

        Of a one-time link only what its one browser does is noted: its claim was made by :meth:`claim`.
        """
        with writing(self._engine) as session:
            # The row is held meanwhile: who revokes it waits, or has done so.
            change = update(ShareLinkRow).where(
                ShareLinkRow.id == link.id, ShareLinkRow.revoked_at.is_(None), ShareLinkRow.expires_at > desk.at
            )
            if _count(session, change.values(opened_at=func.coalesce(ShareLinkRow.opened_at, desk.at))) != 1:
                return False
            _opened(session, desk, link, address, what)
            return True

    def claim(self, desk: Desk, link: Link, address: str, claim: str) -> bool:
        """Open a one-time link for the browser that has this claim; False when it was opened or died before."""
        with writing(self._engine) as session:
            change = update(ShareLinkRow).where(
                ShareLinkRow.id == link.id,
                ShareLinkRow.one_time.is_(True),
                ShareLinkRow.opened_at.is_(None),
                ShareLinkRow.revoked_at.is_(None),
                ShareLinkRow.expires_at > desk.at,
            )
            mine = change.values(opened_at=desk.at, claim_sha256=digest(claim), claim_until=desk.at + ONE_TIME_HOLDS)
            if _count(session, mine) != 1:
                return False
            _opened(session, desk, link, address, OpeningKind.PAGE)
            return True


def _opened(session: Session, desk: Desk, link: Link, address: str, what: OpeningKind) -> None:
    session.execute(
        insert(LinkOpeningRow),
        [{"tenant_id": link.tenant_id, "link_id": link.id, "at": desk.at, "address": address, "what": what.value}],
    )
    oldest = select(LinkOpeningRow.seq).where(LinkOpeningRow.link_id == link.id)
    kept = session.scalars(oldest.order_by(LinkOpeningRow.seq.desc()).offset(MOST_OPENINGS).limit(1)).first()
    if kept is not None:
        session.execute(delete(LinkOpeningRow).where(LinkOpeningRow.link_id == link.id, LinkOpeningRow.seq <= kept))
    action = "link opened" if what is OpeningKind.PAGE else "link listened"
    note(session, desk, action, link.recording_id, link=link.id, recipient=link.recipient, address=address)


def _links() -> Any:
    count = select(func.count()).where(LinkOpeningRow.link_id == ShareLinkRow.id).scalar_subquery()
    return select(ShareLinkRow, count).order_by(ShareLinkRow.made_at.desc(), ShareLinkRow.id)


def _link(row: ShareLinkRow, openings: int) -> Link:
    names = [column.key for column in ShareLinkRow.__table__.columns]
    return Link(**{name: getattr(row, name) for name in names}, openings=openings)


def _count(session: Session, statement: Any) -> int:
    session.flush()
    result: Any = session.connection().execute(statement)
    return int(result.rowcount)
