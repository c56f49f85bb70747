"""Lists for other programs, page by page: gaps, the audit, notices and imports of one company, newest first.

All raise StoreUnavailableError while the database is locked or away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from pbx_plugin.db import read_rows
from pbx_plugin.db.directory_notices import import_run_from_row, notice_from_row
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import AuditRow, GapRow, ImportRunRow, NoticeRow, PersonRow
from pbx_plugin.db.paging import Span, paged
from pbx_plugin.db.queries import NotFoundError
from pbx_plugin.db.views import GapView
from pbx_plugin.services.people_records import ImportRun, Notice


@dataclass(frozen=True, slots=True)
class GapFilter:
    """Which gaps: of a user (id or extension), with this text in their reason; empty asks for nothing.

    ``since`` and ``until`` name the time in which a gap was going on, even if it began before or ended after.
    """

    user: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the audit: about exactly this, of exactly this kind, by exactly this actor; empty is any."""

    subject: str = ""
    action: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditView:
    """Somebody did something (UTC). ``seq`` is the order in which it was written down."""

    seq: int
    id: str
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, object]


class Listings:
    """A site's lists. What is another company's is never in one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def gaps(self, tenant_id: str, wanted: GapFilter, span: Span) -> Sequence[GapView]:
        """Return a page of what should have been recorded and was not."""
        query = paged(select(GapRow).where(*_gaps(tenant_id, wanted)), span, GapRow.since, GapRow.id)
        with reading(self._engine) as session:
            rows = session.scalars(query).all()
            names = _names(session, tenant_id, {row.person_id for row in rows})
            return [read_rows.gap(row, names) for row in rows]

    def all_gaps(self, tenant_id: str, wanted: GapFilter, at: datetime) -> tuple[int, float]:
        """Return how many gaps fit, and their seconds together; one that goes on is as long as it is ``at``."""
        query = select(GapRow.since, GapRow.until).where(*_gaps(tenant_id, wanted))
        count, length = 0, timedelta()
        with reading(self._engine) as session:
            for since, until in session.execute(query):
                count += 1
                length += max((until or at) - since, timedelta())
        return count, length.total_seconds()

    def audit(self, tenant_id: str, wanted: AuditFilter, limit: int, before: int | None) -> Sequence[AuditView]:
        """Return entries of the audit, the last written first; ``before`` is the ``seq`` of the last one seen."""
        asked: list[ColumnElement[bool]] = [AuditRow.tenant_id == tenant_id]
        asked += _equal((AuditRow.subject, wanted.subject), (AuditRow.action, wanted.action))
        asked += _equal((AuditRow.actor, wanted.actor))
        if wanted.since is not None:
            asked.append(AuditRow.at >= wanted.since)
        if wanted.until is not None:
            asked.append(AuditRow.at < wanted.until)
        if before is not None:
            asked.append(AuditRow.seq < before)
        with reading(self._engine) as session:
            rows = session.scalars(select(AuditRow).where(*asked).order_by(AuditRow.seq.desc()).limit(limit))
            return [AuditView(r.seq, r.id, r.at, r.actor, r.action, r.subject, r.detail) for r in rows]

    def notices(self, tenant_id: str, span: Span, *, person_id: str = "", waiting: bool = False) -> Sequence[Notice]:
        """Return a page of what users were told; ``waiting`` leaves out what was acknowledged."""
        query = select(NoticeRow).where(NoticeRow.tenant_id == tenant_id, *_equal((NoticeRow.person_id, person_id)))
        if waiting:
            query = query.where(NoticeRow.acknowledged_at.is_(None))
        with reading(self._engine) as session:
            return [notice_from_row(row) for row in session.scalars(paged(query, span, NoticeRow.at, NoticeRow.id))]

    def imports(self, tenant_id: str, span: Span) -> Sequence[ImportRun]:
        """Return a page of the imports that changed anything, with their changes."""
        query = select(ImportRunRow).where(ImportRunRow.tenant_id == tenant_id)
        with reading(self._engine) as session:
            rows = session.scalars(paged(query, span, ImportRunRow.at, ImportRunRow.id))
            return [import_run_from_row(row) for row in rows]

    def import_run(self, tenant_id: str, name: str) -> ImportRun:
        """Return an import by its id. Raises NotFoundError."""
        query = select(ImportRunRow).where(ImportRunRow.tenant_id == tenant_id, ImportRunRow.id == name)
        with reading(self._engine) as session:
            row = session.scalar(query)
            if row is None:
                raise NotFoundError(f"no import {name!r}: see GET /v1/imports")
            return import_run_from_row(row)

    def import_made(self, tenant_id: str, at: datetime, sha256: str) -> str | None:
        """Return the id of the import of that file at that moment, None when it changed nothing."""
        query = select(ImportRunRow.id).where(ImportRunRow.tenant_id == tenant_id, ImportRunRow.at == at)
        with reading(self._engine) as session:
            return session.scalar(query.where(ImportRunRow.sha256 == sha256).order_by(ImportRunRow.seq.desc()).limit(1))


def _gaps(tenant_id: str, wanted: GapFilter) -> list[ColumnElement[bool]]:
    # One that ended as it began is none: what stood in the way was gone in the same moment.
    asked = [GapRow.tenant_id == tenant_id, or_(GapRow.until.is_(None), GapRow.until > GapRow.since)]
    if wanted.user:
        named = select(PersonRow.id).where(PersonRow.tenant_id == tenant_id, PersonRow.extension == wanted.user)
        asked.append(or_(GapRow.person_id == wanted.user, GapRow.person_id.in_(named)))
    if wanted.reason:
        asked.append(GapRow.reason.contains(wanted.reason, autoescape=True))
    if wanted.since is not None:
        asked.append(or_(GapRow.until.is_(None), GapRow.until > wanted.since))
    if wanted.until is not None:
        asked.append(GapRow.since < wanted.until)
    return asked


def _equal(*pairs: tuple[InstrumentedAttribute[str], str]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in pairs if value]


def _names(session: Session, tenant_id: str, people: set[str]) -> dict[str, str]:
    query = select(PersonRow.id, PersonRow.name).where(PersonRow.tenant_id == tenant_id, PersonRow.id.in_(people))
    return {row.id: row.name for row in session.execute(query)}
