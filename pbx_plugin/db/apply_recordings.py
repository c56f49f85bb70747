"""How entries about recordings, gaps and the audit become rows. Each may come late or again; states only go forward."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pbx_plugin.db.base import clean_json
from pbx_plugin.db.models import AuditRow, GapRow, MediaRow, MediaState, RecordingRow
from pbx_plugin.domain.entries import (
    Audited,
    Gap,
    RecordingClosed,
    RecordingErased,
    RecordingFailed,
    RecordingIntended,
    RecordingStarted,
    RecordingStored,
)


def recording_intended(session: Session, entry: RecordingIntended) -> None:
    """Write the user's recording, and the media that it claims unless another user's row brought it already."""
    media = _media(session, entry.media_id, entry.at, MediaState.STARTING)
    if not media.call_id:
        media.intended_at = entry.at
        media.tenant_id = entry.tenant_id
        media.call_id = entry.call_id
        media.anchor_channel = entry.anchor_channel
        media.spool_in = entry.spool_in
        media.spool_out = entry.spool_out
        media.in_side = entry.in_side.value
    media.intended_at = min(media.intended_at, entry.at)
    if session.get(RecordingRow, entry.recording_id) is not None:
        return
    session.add(
        RecordingRow(
            id=entry.recording_id,
            media_id=entry.media_id,
            call_id=entry.call_id,
            tenant_id=entry.tenant_id,
            person_id=entry.user_id,
            decision_id=entry.decision_id,
            segment=entry.segment,
            at=entry.at,
            user_side=entry.user_side.value,
            direction=entry.direction,
            user_name=entry.user_name,
            extension=entry.extension,
            other_raw=entry.other_raw,
            other_e164=entry.other_e164,
            ddi=entry.ddi,
            group_id=entry.group_id,
            evidence_id=entry.evidence_id,
            rule=entry.rule,
            policy_version=entry.policy_version,
            deletable_by_hand=entry.deletable_by_hand,
            retention_days=entry.retention_days,
        )
    )


def recording_started(session: Session, entry: RecordingStarted) -> None:
    """Write when each side began."""
    media = _media(session, entry.media_id, entry.at, MediaState.RECORDING)
    media.started_at = entry.at
    media.in_at = entry.in_at
    media.out_at = entry.out_at


def recording_closed(session: Session, entry: RecordingClosed) -> None:
    """Write the end. Of two the earlier one holds: nothing after it may be kept."""
    media = _media(session, entry.media_id, entry.at, MediaState.CLOSED)
    if media.closed_at is None or entry.at < media.closed_at:
        media.closed_at = entry.at
        media.close_reason = entry.reason


def recording_stored(session: Session, entry: RecordingStored) -> None:
    """Write where the complete file lies; a file that was erased since stays erased."""
    media = _media(session, entry.media_id, entry.at, MediaState.STORED)
    if media.state is MediaState.ERASED:
        return
    media.stored_at = entry.at
    media.path = entry.path
    media.peaks_path = entry.peaks_path
    media.sha256 = entry.sha256
    media.size = entry.size
    media.rate = entry.rate
    media.length_ms = entry.length_ms
    media.left_silent = entry.left_silent
    media.right_silent = entry.right_silent
    media.remarks = [str(clean_json(remark)) for remark in entry.remarks]


def recording_failed(session: Session, entry: RecordingFailed) -> None:
    """Write why nothing could be kept."""
    media = _media(session, entry.media_id, entry.at, MediaState.FAILED)
    media.failed_at = entry.at
    media.fail_reason = entry.reason


def recording_erased(session: Session, entry: RecordingErased) -> None:
    """Write that no sound is left; hash and length stay, as the proof of what there was."""
    media = _media(session, entry.media_id, entry.at, MediaState.ERASED)
    media.erased_at = media.erased_at or entry.at
    media.path = media.peaks_path = ""


def gap(session: Session, entry: Gap) -> None:
    """Write the gap, or its end; a gap that has ended does not open again."""
    row = session.get(GapRow, entry.gap_id)
    if row is None:
        row = GapRow(
            id=entry.gap_id,
            tenant_id=entry.tenant_id,
            call_id=entry.call_id,
            person_id=entry.user_id,
            since=entry.since,
            until=entry.until,
            reason=entry.reason,
        )
        session.add(row)
    elif entry.until is not None:
        row.until = entry.until
        row.reason = entry.reason


def audited(session: Session, entry: Audited) -> None:
    """Add to the audit, which never changes."""
    if session.scalar(select(AuditRow.seq).where(AuditRow.id == entry.audit_id)) is not None:
        return
    session.add(
        AuditRow(
            id=entry.audit_id,
            tenant_id=entry.tenant_id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            detail=clean_json(entry.detail),
        )
    )


def _media(session: Session, media_id: str, at: datetime, state: MediaState) -> MediaRow:
    """Return the media row, made when it is not there, moved forward to ``state`` unless it is further."""
    row = session.get(MediaRow, media_id)
    if row is None:
        row = MediaRow(id=media_id, tenant_id="", call_id="", intended_at=at, state=state)
        session.add(row)
        session.flush()
    elif row.state.rank < state.rank:
        row.state = state
    return row
