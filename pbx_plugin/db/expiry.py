"""Until when recordings are kept: no longer than the caller was told."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.directory_session import handfuls
from pbx_plugin.db.models_calls import ConsentRow
from pbx_plugin.db.models_recordings import MediaConsentRow, RecordingRow
from pbx_plugin.domain.consent_ivr import Outcome
from pbx_plugin.domain.retention import expiry

_TOLD = (
    select(RecordingRow.id, RecordingRow.at, RecordingRow.expires_at, ConsentRow.keep_days)
    .where(ConsentRow.id.in_(bindparam("ids", expanding=True)), ConsentRow.outcome == Outcome.GIVEN.value)
    .where(ConsentRow.tenant_id == RecordingRow.tenant_id)
)
# Two questions, not one with an OR: each finds its few rows by an index, in every database.
_NAMED = _TOLD.join(ConsentRow, ConsentRow.id == RecordingRow.evidence_id)
_SHARED = (
    _TOLD.select_from(RecordingRow)
    .join(MediaConsentRow, MediaConsentRow.media_id == RecordingRow.media_id)
    .join(ConsentRow, ConsentRow.id == MediaConsentRow.evidence_id)
)


def limit_to_what_was_told(connection: Connection, evidence_ids: Iterable[str]) -> None:
    """Bring forward the expiry of recordings that rest on these consents to the keeping time that was told in them."""
    ids = {"ids": sorted(evidence_ids)}
    for row in [*connection.execute(_NAMED, ids).all(), *connection.execute(_SHARED, ids).all()]:
        told = expiry(row.at, row.keep_days, row.keep_days, row.at.date())
        if row.keep_days:
            change = update(RecordingRow).where(RecordingRow.id == row.id)
            sooner = or_(RecordingRow.expires_at.is_(None), RecordingRow.expires_at > told)
            connection.execute(change.where(sooner).values(expires_at=told))


def shared_keep_days(session: Session, media_ids: Iterable[str]) -> dict[str, int]:
    """Return the shortest keeping time (days) told to those who are heard in each of these media beside the first.

    It holds for them as well as the one of the consent that a recording names; media without any are left out.
    """
    query = (
        select(MediaConsentRow.media_id, func.min(ConsentRow.keep_days))
        .join(ConsentRow, ConsentRow.id == MediaConsentRow.evidence_id)
        .where(MediaConsentRow.media_id.in_(bindparam("ids", expanding=True)))
        .where(ConsentRow.tenant_id == MediaConsentRow.tenant_id)
        .where(ConsentRow.outcome == Outcome.GIVEN.value, ConsentRow.keep_days > 0)
        .group_by(MediaConsentRow.media_id)
    )
    found: dict[str, int] = {}
    for ids in handfuls(sorted(set(media_ids))):
        found |= dict(session.execute(query, {"ids": ids}).all())
    return found
