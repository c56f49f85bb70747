"""Turns rows into the values that readers get."""

from __future__ import annotations

from collections.abc import Mapping

from pbx_plugin.db.models import (
    CallMarkRow,
    CallRow,
    ConsentRow,
    DecisionRow,
    GapRow,
    LegRow,
    MediaRow,
    PartyEventRow,
    RecordingRow,
)
from pbx_plugin.db.views import (
    CallView,
    ConsentView,
    DecisionView,
    GapView,
    LegView,
    MarkView,
    RecordingView,
    StepView,
)


def call(row: CallRow, verdicts: tuple[str, ...], recordings: int) -> CallView:
    """Return the call."""
    return CallView(
        call_id=row.id,
        tenant_id=row.tenant_id,
        linkedid=row.linkedid,
        began_at=row.began_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        direction=row.direction,
        caller_raw=row.caller_raw,
        caller_e164=row.caller_e164,
        ddi_raw=row.ddi_raw,
        ddi_e164=row.ddi_e164,
        dialled_raw=row.dialled_raw,
        caller_name=row.caller_name,
        policy_version=row.policy_version,
        off_at_start=row.off_at_start,
        merged_into=row.merged_into or "",
        merged_at=row.merged_at,
        verdicts=verdicts,
        recordings=recordings,
    )


def leg(row: LegRow, names: Mapping[str, str]) -> LegView:
    """Return the leg; ``names`` are those of people who still have a row."""
    return LegView(
        call_id=row.call_id,
        channel_id=row.channel_id,
        channel_name=row.channel_name,
        joined_at=row.joined_at,
        user_id=row.person_id,
        user_name=names.get(row.person_id, ""),
        number_raw=row.number_raw,
        number_e164=row.number_e164,
        originating=row.originating,
        display_name=row.display_name,
    )


def step(row: PartyEventRow) -> StepView:
    """Return the step of the time line."""
    return StepView(row.call_id, row.at, row.channel_id, row.what, row.detail)


def mark(row: CallMarkRow) -> MarkView:
    """Return the set of marks."""
    return MarkView(
        row.call_id, row.at, row.consent, row.consent_by, row.evidence_id, tuple(row.presented_to), row.cause
    )


def decision(row: DecisionRow, names: Mapping[str, str]) -> DecisionView:
    """Return the decision; ``names`` are those of people who still have a row."""
    return DecisionView(
        decision_id=row.id,
        call_id=row.call_id,
        user_id=row.person_id,
        user_name=names.get(row.person_id, ""),
        at=row.at,
        verdict=row.verdict,
        rule=row.rule,
        rule_name=row.rule_name,
        policy_version=row.policy_version,
        facts=row.facts,
        trace=tuple(row.trace),
        announce=row.announce,
        consent_by=row.consent_by,
        evidence_id=row.evidence_id,
    )


def consent(row: ConsentRow) -> ConsentView:
    """Return the evidence."""
    return ConsentView(
        evidence_id=row.id,
        linkedid=row.linkedid,
        channel_id=row.channel_id,
        consent_number=row.consent_number,
        caller_raw=row.caller_raw,
        caller_e164=row.caller_e164,
        asked_at=row.asked_at,
        at=row.at,
        outcome=row.outcome,
        digits=row.digits,
        language=row.language,
        prompt=row.prompt,
        prompt_sha256=row.prompt_sha256,
        text_version=row.text_version,
        keep_days=row.keep_days,
        policy_version=row.policy_version,
    )


def recording(row: RecordingRow, media: MediaRow) -> RecordingView:
    """Return the user's recording with its media; a deleted one has no sound and is in state *deleted*."""
    gone = row.deleted_at is not None
    return RecordingView(
        recording_id=row.id,
        media_id=row.media_id,
        call_id=row.call_id,
        tenant_id=row.tenant_id,
        user_id=row.person_id,
        user_name=row.user_name,
        extension=row.extension,
        segment=row.segment,
        at=row.at,
        direction=row.direction,
        other_raw=row.other_raw,
        other_e164=row.other_e164,
        ddi=row.ddi,
        group_id=row.group_id,
        decision_id=row.decision_id,
        evidence_id=row.evidence_id,
        rule=row.rule,
        policy_version=row.policy_version,
        deletable_by_hand=row.deletable_by_hand,
        retention_days=row.retention_days,
        expires_at=row.expires_at,
        state="deleted" if gone else media.state.value,
        user_side=row.user_side,
        in_side=media.in_side,
        spool_in=media.spool_in,
        spool_out=media.spool_out,
        in_at=media.in_at,
        out_at=media.out_at,
        closed_at=media.closed_at,
        close_reason=media.close_reason,
        fail_reason=media.fail_reason,
        path="" if gone else media.path,
        peaks_path="" if gone else media.peaks_path,
        sha256=media.sha256,
        size=media.size,
        rate=media.rate,
        length_ms=media.length_ms,
        left_silent=media.left_silent,
        right_silent=media.right_silent,
        remarks=tuple(media.remarks),
    )


def gap(row: GapRow, names: Mapping[str, str]) -> GapView:
    """Return the gap; ``names`` are those of people who still have a row."""
    return GapView(row.id, row.call_id, row.person_id, names.get(row.person_id, ""), row.since, row.until, row.reason)
