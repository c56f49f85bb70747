"""How entries about recordings, gaps and the audit become rows. Each may come late or again; states only go forward."""

from __future__ import annotations

from datetime import UTC, datetime

from pbx_plugin.db.apply_rows import Batch, Row
from pbx_plugin.db.base import ID_LENGTH, clean_json, clean_text
from pbx_plugin.db.models import MediaState, RecordingRow
from pbx_plugin.db.models_recordings import MediaConsentRow
from pbx_plugin.db.search_copies import FINAL
from pbx_plugin.domain.entries import (
    Audited,
    ConsentRests,
    Gap,
    RecordingClosed,
    RecordingErased,
    RecordingFailed,
    RecordingIntended,
    RecordingStarted,
    RecordingStored,
)
from pbx_plugin.domain.retention import expiry


def recording_intended(batch: Batch, entry: RecordingIntended) -> None:
    """Write the user's recording, and the media that it claims unless another user's row brought it already."""
    media = _media(batch, entry.media_id, entry.at, MediaState.STARTING)
    if not media["call_id"]:
        media.set(
            intended_at=entry.at,
            tenant_id=entry.tenant_id,
            call_id=entry.call_id,
            anchor_channel=entry.anchor_channel,
            spool_in=entry.spool_in,
            spool_out=entry.spool_out,
            in_side=entry.in_side.value,
        )
    media.set(intended_at=min(media["intended_at"], entry.at))
    batch.add_once(
        RecordingRow,
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
        expires_at=expiry(entry.at, entry.retention_days, None, entry.at.astimezone(UTC).date()),
    )
    batch.rests_on_consent(entry.evidence_id)


def recording_started(batch: Batch, entry: RecordingStarted) -> None:
    """Write when each side began."""
    media = _media(batch, entry.media_id, entry.at, MediaState.RECORDING)
    media.set(started_at=entry.at, in_at=entry.in_at, out_at=entry.out_at)


def recording_closed(batch: Batch, entry: RecordingClosed) -> None:
    """Write the end. Of two the earlier one holds: nothing after it may be kept."""
    media = _media(batch, entry.media_id, entry.at, MediaState.CLOSED)
    if media["closed_at"] is None or entry.at < media["closed_at"]:
        media.set(closed_at=entry.at, close_reason=entry.reason)


def recording_stored(batch: Batch, entry: RecordingStored) -> None:
    """Write where the complete file lies; a file that was erased since stays erased."""
    media = _media(batch, entry.media_id, entry.at, MediaState.STORED)
    if media["state"] is MediaState.ERASED:
        return
    media.set(
        stored_at=entry.at,
        path=entry.path,
        peaks_path=entry.peaks_path,
        sha256=entry.sha256,
        size=entry.size,
        rate=entry.rate,
        length_ms=entry.length_ms,
        left_silent=entry.left_silent,
        right_silent=entry.right_silent,
        remarks=[str(clean_json(remark)) for remark in entry.remarks],
    )


def recording_failed(batch: Batch, entry: RecordingFailed) -> None:
    """Write why nothing could be kept."""
    media = _media(batch, entry.media_id, entry.at, MediaState.FAILED)
    media.set(failed_at=entry.at, fail_reason=entry.reason)


def recording_erased(batch: Batch, entry: RecordingErased) -> None:
    """Write that no sound is left; hash and length stay, as the proof of what there was."""
    media = _media(batch, entry.media_id, entry.at, MediaState.ERASED)
    media.set(erased_at=media["erased_at"] or entry.at, path="", peaks_path="")


def consent_rests(batch: Batch, entry: ConsentRests) -> None:
    """Write that a segment rests on one consent more, whose keeping time holds for it, too."""
    evidence_id = clean_text(entry.evidence_id)[:ID_LENGTH]
    batch.add_once(MediaConsentRow, media_id=entry.media_id, evidence_id=evidence_id, tenant_id=entry.tenant_id)
    batch.rests_on_consent(evidence_id)


def gap(batch: Batch, entry: Gap) -> None:
    """Write the gap, or its end; a gap that has ended does not open again."""
    row = batch.gaps.get(entry.gap_id)
    if row is None:
        batch.gaps.add(
            id=entry.gap_id,
            tenant_id=entry.tenant_id,
            call_id=entry.call_id,
            person_id=entry.user_id,
            since=entry.since,
            until=entry.until,
            reason=entry.reason,
        )
    elif entry.until is not None:
        row.set(until=entry.until, reason=entry.reason)


def audited(batch: Batch, entry: Audited) -> None:
    """Add to the audit, which never changes."""
    batch.audit(entry)


def _media(batch: Batch, media_id: str, at: datetime, state: MediaState) -> Row:
    """Return the media row, made when it is not there, moved forward to ``state`` unless it is further."""
    row = batch.media.get(media_id)
    if row is None:
        row = batch.media.add(id=media_id, tenant_id="", call_id="", intended_at=at, state=state)
    elif row["state"].rank < state.rank:
        row.set(state=state)
    if row["state"] in FINAL:
        batch.media_final(media_id)
    return row
