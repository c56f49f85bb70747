"""What the database's readers get: plain frozen values, detached from any session. Times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class CallView:
    """One call. ``verdicts`` are those of its decisions, in the order in which they were taken.

    What ends in ``_raw`` or ``_name`` is as it was received and may hold anything: show it harmless.
    """

    call_id: str
    tenant_id: str
    linkedid: str
    began_at: datetime
    ended_at: datetime | None
    outcome: str
    direction: str
    caller_raw: str
    caller_e164: str
    ddi_raw: str
    ddi_e164: str
    dialled_raw: str
    caller_name: str
    policy_version: int
    off_at_start: bool
    merged_into: str
    merged_at: datetime | None
    verdicts: tuple[str, ...] = ()
    recordings: int = 0


@dataclass(frozen=True, slots=True)
class LegView:
    """One channel of a call; ``user_id`` and ``user_name`` are empty for an outside party."""

    call_id: str
    channel_id: str
    channel_name: str
    joined_at: datetime
    user_id: str
    user_name: str
    number_raw: str
    number_e164: str
    originating: bool
    display_name: str


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of the time line."""

    call_id: str
    at: datetime
    channel_id: str
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class MarkView:
    """The whole set of marks after a change."""

    call_id: str
    at: datetime
    consent: str
    consent_by: str
    evidence_id: str
    presented_to: tuple[str, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision with its facts and trace as they were stored."""

    decision_id: str
    call_id: str
    user_id: str
    user_name: str
    at: datetime
    verdict: str
    rule: int
    rule_name: str
    policy_version: int
    facts: dict[str, Any]
    trace: tuple[dict[str, Any], ...]
    announce: str
    consent_by: str
    evidence_id: str


@dataclass(frozen=True, slots=True)
class ConsentView:
    """Consent evidence."""

    evidence_id: str
    linkedid: str
    channel_id: str
    consent_number: str
    caller_raw: str
    caller_e164: str
    asked_at: datetime
    at: datetime
    outcome: str
    digits: str
    language: str
    prompt: str
    prompt_sha256: str
    text_version: str
    keep_days: int
    policy_version: int


@dataclass(frozen=True, slots=True)
class RecordingView:
    """One user's recording with its media. ``path`` and ``peaks_path`` are relative to the archive, or empty."""

    recording_id: str
    media_id: str
    call_id: str
    tenant_id: str
    user_id: str
    user_name: str
    extension: str
    segment: int
    at: datetime
    direction: str
    other_raw: str
    other_e164: str
    ddi: str
    group_id: str
    decision_id: str
    evidence_id: str
    rule: int
    policy_version: int
    deletable_by_hand: bool
    retention_days: int
    expires_at: datetime | None
    state: str
    user_side: str
    in_side: str
    spool_in: str
    spool_out: str
    in_at: datetime | None
    out_at: datetime | None
    closed_at: datetime | None
    close_reason: str
    fail_reason: str
    path: str
    peaks_path: str
    sha256: str
    size: int
    rate: int
    length_ms: int
    left_silent: bool
    right_silent: bool
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GapView:
    """A stretch that should have been recorded and was not."""

    gap_id: str
    call_id: str
    user_id: str
    user_name: str
    since: datetime
    until: datetime | None
    reason: str

    def seconds(self, at: datetime) -> float:
        """Return how long it was; one that goes on is as long as it is ``at`` this moment."""
        return ((self.until or at) - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class CallDetail:
    """A call with everything known of it and of the calls that ended in it (``merged_from``), each in time order."""

    call: CallView
    linkedids: tuple[str, ...]
    merged_from: tuple[CallView, ...]
    legs: tuple[LegView, ...]
    timeline: tuple[StepView, ...]
    marks: tuple[MarkView, ...]
    decisions: tuple[DecisionView, ...]
    consents: tuple[ConsentView, ...]
    recordings: tuple[RecordingView, ...]
    gaps: tuple[GapView, ...]


@dataclass(frozen=True, slots=True)
class RecordingDetail:
    """A recording, its call, the decision behind it, and the consent evidence that it rests on, where there is any."""

    recording: RecordingView
    call: CallView | None
    decision: DecisionView | None
    consent: ConsentView | None
