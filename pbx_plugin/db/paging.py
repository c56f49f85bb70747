"""Reads for other programs: exact names only, and lists page by page by the key of the last row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from pbx_plugin.db import read_rows
from pbx_plugin.db.engine import reading
from pbx_plugin.db.evidence import SiteQueries
from pbx_plugin.db.models import AuditRow, CallAliasRow, CallRow, ConsentRow, LegRow, MediaRow, RecordingRow
from pbx_plugin.db.queries import NotFoundError, _call_views
from pbx_plugin.db.views import CallDetail, CallView, ConsentView, RecordingDetail, RecordingView

_Asked = TypeVar("_Asked", bound="Select[*tuple[Any, ...]]")

Key = tuple[datetime, str]
"""Where a page ended: time and id of its last row. The next one begins behind it, whatever came in since."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows: from ``since`` on and before ``until``, newest first, behind ``after``, ``limit`` at most."""

    limit: int
    since: datetime | None = None
    until: datetime | None = None
    after: Key | None = None


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """What recordings are looked for; an empty value asks for nothing. ``number`` is a part of the other party's."""

    user_id: str = ""
    extension: str = ""
    number: str = ""
    direction: str = ""
    state: str = ""
    call_id: str = ""
    shortest_ms: int | None = None


class PageQueries(SiteQueries):
    """The reads of :class:`SiteQueries` for programs: what is not the company's own is not there."""

    def page_of_calls(self, tenant_id: str, span: Span) -> Sequence[CallView]:
        """Return a page of calls, newest first."""
        query = paged(select(CallRow).where(CallRow.tenant_id == tenant_id), span, CallRow.began_at, CallRow.id)
        with reading(self._engine) as session:
            return _call_views(session, session.scalars(query).all())

    def page_of_recordings(self, tenant_id: str, span: Span, wanted: RecordingFilter) -> Sequence[RecordingView]:
        """Return a page of recordings that fit, newest first."""
        joined = select(RecordingRow, MediaRow).join(MediaRow, MediaRow.id == RecordingRow.media_id)
        query = joined.where(RecordingRow.tenant_id == tenant_id, *_fits(wanted))
        with reading(self._engine) as session:
            rows = session.execute(paged(query, span, RecordingRow.at, RecordingRow.id))
            return [read_rows.recording(row, media) for row, media in rows]

    def page_of_consents(self, tenant_id: str, span: Span) -> Sequence[ConsentView]:
        """Return a page of consent evidence, newest first."""
        query = paged(select(ConsentRow).where(ConsentRow.tenant_id == tenant_id), span, ConsentRow.at, ConsentRow.id)
        with reading(self._engine) as session:
            return [read_rows.consent(row) for row in session.scalars(query)]

    def exact_call_id(self, name: str, tenant_id: str) -> str | None:
        """Return the id of the company's call of that id, linkedid or leg's uniqueid; None when there is none.

        A call that became part of another is found under the other's id as well; of several the newest is meant.
        """
        aliases = select(CallAliasRow.call_id).where(CallAliasRow.linkedid == name)
        legs = select(LegRow.call_id).where(LegRow.channel_id == name)
        with reading(self._engine) as session:
            own = select(CallRow.id).where(CallRow.tenant_id == tenant_id)
            for asked in (CallRow.id == name, CallRow.id.in_(aliases), CallRow.id.in_(legs)):
                found = session.scalar(own.where(asked).order_by(CallRow.began_at.desc(), CallRow.id).limit(1))
                if found is not None:
                    return found
        return None

    def exact_call(self, name: str, tenant_id: str) -> CallDetail:
        """Return a call by its id, a linkedid, or a leg's uniqueid. Raises NotFoundError."""
        found = self.exact_call_id(name, tenant_id)
        if found is None:
            raise NotFoundError(f"no call {name!r}")
        return self.call_detail(found, tenant_id)

    def exact_recording(self, name: str, tenant_id: str) -> RecordingDetail:
        """Return a recording by its id. Raises NotFoundError."""
        with reading(self._engine) as session:
            found = session.scalar(
                select(RecordingRow.id).where(RecordingRow.id == name, RecordingRow.tenant_id == tenant_id)
            )
        if found is None:
            raise NotFoundError(f"no recording {name!r}")
        return self.recording_detail(found, tenant_id)

    def exact_consent(self, name: str, tenant_id: str) -> ConsentView:
        """Return consent evidence by its id. Raises NotFoundError."""
        with reading(self._engine) as session:
            row = session.scalar(select(ConsentRow).where(ConsentRow.id == name, ConsentRow.tenant_id == tenant_id))
        if row is None:
            raise NotFoundError(f"no consent evidence {name!r}")
        return read_rows.consent(row)

    def audited(self, audit_id: str) -> dict[str, Any] | None:
        """Return the detail of an audit entry, None while it is not there."""
        with reading(self._engine) as session:
            return session.scalar(select(AuditRow.detail).where(AuditRow.id == audit_id))


def paged(query: _Asked, span: Span, at: InstrumentedAttribute[datetime], row_id: InstrumentedAttribute[str]) -> _Asked:
    if span.since is not None:
        query = query.where(at >= span.since)
    if span.until is not None:
        query = query.where(at < span.until)
    if span.after is not None:
        when, last = span.after
        # Written out: MariaDB reads the whole table for (at, id) < (?, ?).
        query = query.where(at <= when, or_(at < when, and_(at == when, row_id < last)))
    return query.order_by(at.desc(), row_id.desc()).limit(span.limit)


def _fits(wanted: RecordingFilter) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    for column, value in (
        (RecordingRow.person_id, wanted.user_id),
        (RecordingRow.extension, wanted.extension),
        (RecordingRow.direction, wanted.direction),
        (RecordingRow.call_id, wanted.call_id),
        (MediaRow.state, wanted.state),
    ):
        if value:
            asked.append(column == value)
    if wanted.state:
        # What two users share may be stored still for one of them, and deleted for the other.
        asked.append(RecordingRow.deleted_at.is_(None))
    if wanted.number:
        like = (
            RecordingRow.other_e164.contains(wanted.number, autoescape=True),
            RecordingRow.other_raw.contains(wanted.number, autoescape=True),
        )
        asked.append(or_(*like))
    if wanted.shortest_ms is not None:
        asked.append(MediaRow.length_ms >= wanted.shortest_ms)
    return asked
