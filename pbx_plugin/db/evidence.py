"""Reads what must be shown on its own: consent evidence, gaps, and what people call the ids in a decision."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select

from pbx_plugin.db import read_rows
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import (
    ConsentRow,
    DepartmentRow,
    GapRow,
    HuntGroupRow,
    LegRow,
    MediaRow,
    PersonRow,
    RecordingRow,
)
from pbx_plugin.db.models_recordings import MediaConsentRow
from pbx_plugin.db.queries import AmbiguousError, DatabaseQueries, NotFoundError, at_most
from pbx_plugin.db.views import CallDetail, ConsentView, GapView, RecordingView

_SHORTEST_PREFIX = 4


class SiteQueries(DatabaseQueries):
    """The reads of :class:`DatabaseQueries`, and those of a company's evidence and gaps."""

    def call_anyhow(self, name: str, tenant_id: str) -> CallDetail:
        """Return a call by whatever it may be called: id or its beginning, linkedid, or a leg's uniqueid.

        Raises NotFoundError or AmbiguousError.
        """
        try:
            return self.call_detail(name, tenant_id)
        except NotFoundError:
            query = select(LegRow.call_id).where(LegRow.channel_id == name, LegRow.tenant_id == tenant_id)
            with reading(self._engine) as session:
                found = session.scalars(query.distinct()).all()
        if not found:
            raise NotFoundError(f"no call {name!r}")
        if len(found) > 1:
            raise AmbiguousError(name, found)
        return self.call_detail(found[0], tenant_id)

    def list_consents(
        self, tenant_id: str, *, limit: int = 50, since: datetime | None = None
    ) -> tuple[ConsentView, ...]:
        """Return consent evidence taken at or after ``since``, newest first; ``limit`` 0 is no limit."""
        query = select(ConsentRow).where(ConsentRow.tenant_id == tenant_id)
        query = query.order_by(ConsentRow.at.desc(), ConsentRow.id.desc())
        if since is not None:
            query = query.where(ConsentRow.at >= since)
        query = at_most(query, limit)
        with reading(self._engine) as session:
            return tuple(read_rows.consent(row) for row in session.scalars(query))

    def consent(self, name: str, tenant_id: str) -> ConsentView:
        """Return one consent evidence by its id or the first characters (4 or more) of it.

        Raises NotFoundError or AmbiguousError.
        """
        query = select(ConsentRow).where(ConsentRow.tenant_id == tenant_id)
        with reading(self._engine) as session:
            row = session.scalars(query.where(ConsentRow.id == name)).one_or_none()
            if row is None and len(name) >= _SHORTEST_PREFIX:
                rows = session.scalars(query.where(ConsentRow.id.startswith(name, autoescape=True)).limit(10)).all()
                if len(rows) > 1:
                    raise AmbiguousError(name, (row.id for row in rows))
                row = rows[0] if rows else None
            if row is None:
                raise NotFoundError(f"no consent evidence {name!r}")
            return read_rows.consent(row)

    def has_consent(self, evidence_id: str, tenant_id: str) -> bool:
        """Tell whether the company has this consent evidence."""
        query = select(ConsentRow.id).where(ConsentRow.id == evidence_id, ConsentRow.tenant_id == tenant_id)
        with reading(self._engine) as session:
            return session.scalars(query).one_or_none() is not None

    def recordings_on(self, evidence_id: str, tenant_id: str) -> tuple[RecordingView, ...]:
        """Return a company's recordings that rest on this consent, whichever call they are of, oldest first."""
        shared = select(MediaConsentRow.media_id).where(
            MediaConsentRow.evidence_id == evidence_id, MediaConsentRow.tenant_id == tenant_id
        )
        query = select(RecordingRow, MediaRow).join(MediaRow, MediaRow.id == RecordingRow.media_id)
        query = query.where(RecordingRow.tenant_id == tenant_id).order_by(RecordingRow.at, RecordingRow.id)
        with reading(self._engine) as session:
            named = session.execute(query.where(RecordingRow.evidence_id == evidence_id)).all()
            more = session.execute(query.where(RecordingRow.media_id.in_(shared))).all()
            found = {row.id: (row, media) for row, media in (*named, *more)}
            return tuple(read_rows.recording(row, media) for row, media in found.values())

    def list_gaps(
        self, tenant_id: str, *, limit: int = 50, since: datetime | None = None, call_id: str | None = None
    ) -> tuple[GapView, ...]:
        """Return gaps that ended after ``since`` or go on, newest first; ``limit`` 0 is no limit.

        A gap that ended as it began is none: what stood in the way was gone in the same moment.
        """
        query = select(GapRow).where(GapRow.tenant_id == tenant_id).order_by(GapRow.since.desc(), GapRow.id.desc())
        if since is not None:
            query = query.where(or_(GapRow.until.is_(None), GapRow.until > since))
        if call_id is not None:
            query = query.where(GapRow.call_id == call_id)
        query = query.where(or_(GapRow.until.is_(None), GapRow.until > GapRow.since))
        query = at_most(query, limit)
        with reading(self._engine) as session:
            rows = session.scalars(query).all()
            people = select(PersonRow.id, PersonRow.name).where(PersonRow.tenant_id == tenant_id)
            names = {row.id: row.name for row in session.execute(people)}
            return tuple(read_rows.gap(row, names) for row in rows)

    def names(self, tenant_id: str) -> dict[str, str]:
        """Return what people call a company's groups and departments, by id."""
        found: dict[str, str] = {}
        with reading(self._engine) as session:
            groups = select(HuntGroupRow.id, HuntGroupRow.name).where(HuntGroupRow.tenant_id == tenant_id)
            departments = select(DepartmentRow.id, DepartmentRow.name).where(DepartmentRow.tenant_id == tenant_id)
            for query in (groups, departments):
                found |= {row.id: row.name for row in session.execute(query)}
        return found
