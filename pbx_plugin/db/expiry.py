"""Until when recordings are kept: no longer than the caller was told."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, select, update

from pbx_plugin.db.models_calls import ConsentRow
from pbx_plugin.db.models_recordings import RecordingRow
from pbx_plugin.domain.consent_ivr import Outcome
from pbx_plugin.domain.retention import expiry

_RESTING = (
    select(RecordingRow.id, RecordingRow.at, RecordingRow.retention_days, RecordingRow.expires_at, ConsentRow.keep_days)
    .join(ConsentRow, ConsentRow.id == RecordingRow.evidence_id)
    .where(ConsentRow.id.in_(bindparam("ids", expanding=True)), ConsentRow.outcome == Outcome.GIVEN.value)
    .where(ConsentRow.tenant_id == RecordingRow.tenant_id)
)


def limit_to_what_was_told(connection: Connection, evidence_ids: Iterable[str]) -> None:
    """Bring forward the expiry of recordings that rest on these consents to the keeping time that was told in them."""
    for row in connection.execute(_RESTING, {"ids": sorted(evidence_ids)}).all():
        told = expiry(row.at, row.keep_days, row.keep_days, row.at.date())
        if row.keep_days and (row.expires_at is None or told < row.expires_at):
            change = update(RecordingRow).where(RecordingRow.id == row.id)
            connection.execute(change.values(expires_at=told))
