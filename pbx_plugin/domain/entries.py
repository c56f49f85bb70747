"""What the recorder and the consent service have to say: journal entries, in the order in which they happened.

Each entry is durable on disk before the deed that it announces, and is written to the database later, in order
(at once, when the database is there). Applying an entry twice changes nothing: every entry names its rows by id.
Times are aware UTC datetimes; ids are UUID strings made by the writer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class Side(StrEnum):
    """A channel of the stored stereo file."""

    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class CallBegan:
    """A call was seen. ``linkedid`` is Asterisk's, of the first channel; ``ddi`` and ``dialled`` as received.

    ``caller_name`` is the name that an outside caller shows, as received.
    """

    call_id: str
    tenant_id: str
    linkedid: str
    at: datetime
    policy_version: int
    off_at_start: bool
    direction: str
    caller_raw: str = ""
    caller_e164: str = ""
    ddi_raw: str = ""
    ddi_e164: str = ""
    dialled_raw: str = ""
    caller_name: str = ""
    kind: Literal["call began"] = "call began"


@dataclass(frozen=True, slots=True)
class CallRemembered:
    """The recorder's own state of a running call (JSON), so that a restart can go on from it. Latest wins."""

    call_id: str
    at: datetime
    state: str
    kind: Literal["call remembered"] = "call remembered"


@dataclass(frozen=True, slots=True)
class CallMerged:
    """Two calls became one (attended transfer): ``call_id`` lives on, ``from_call_id`` ended in it."""

    call_id: str
    from_call_id: str
    at: datetime
    kind: Literal["call merged"] = "call merged"


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The last leg hung up. ``outcome`` is ``answered`` or ``not answered``."""

    call_id: str
    at: datetime
    outcome: str
    kind: Literal["call ended"] = "call ended"


@dataclass(frozen=True, slots=True)
class LegSeen:
    """A channel joined the call. ``user_id`` is empty for an outside party; the number is raw and E.164.

    ``display_name`` is the name that an outside party shows, as received.
    """

    call_id: str
    channel_id: str
    at: datetime
    channel_name: str
    user_id: str = ""
    number_raw: str = ""
    number_e164: str = ""
    originating: bool = False
    display_name: str = ""
    kind: Literal["leg seen"] = "leg seen"


@dataclass(frozen=True, slots=True)
class LegMoved:
    """One step of the call's time line: ``what`` is ringing, joined, left, hold, unhold, toggle, pause, withdrawal,
    announcement, beep, clock, gone."""

    call_id: str
    channel_id: str
    at: datetime
    what: str
    detail: str = ""
    kind: Literal["leg moved"] = "leg moved"


@dataclass(frozen=True, slots=True)
class Marked:
    """The call's marks changed: the whole new set, and what caused it."""

    call_id: str
    at: datetime
    consent: str
    consent_by: str
    evidence_id: str
    presented_to: tuple[str, ...]
    cause: str
    kind: Literal["marked"] = "marked"


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided for one user of a call, with facts and trace as plain JSON-able data."""

    decision_id: str
    call_id: str
    user_id: str
    at: datetime
    verdict: str
    rule: int
    rule_name: str
    policy_version: int
    facts: dict[str, Any]
    trace: list[dict[str, Any]]
    announce: str = ""
    consent_by: str = ""
    evidence_id: str = ""
    kind: Literal["decided"] = "decided"


@dataclass(frozen=True, slots=True)
class ConsentTaken:
    """Consent evidence from the IVR (product row C3): which key, when, and what exactly the caller had heard.

    ``outcome`` is given, refused, silent, wrong key or hung up; ``digits`` are all keys pressed, in order.
    """

    evidence_id: str
    tenant_id: str
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
    kind: Literal["consent taken"] = "consent taken"


@dataclass(frozen=True, slots=True)
class RecordingIntended:
    """A segment is about to be recorded for one user. Several users may own rows on one ``media_id``.

    ``spool_in`` / ``spool_out`` are recording names in Asterisk's spool (no extension): sound from the anchor leg's
    party, and sound sent to it. ``in_side`` says on which channel of the stereo file the former goes, ``user_side``
    on which this user is heard.
    """

    recording_id: str
    media_id: str
    call_id: str
    tenant_id: str
    user_id: str
    decision_id: str
    segment: int
    at: datetime
    anchor_channel: str
    spool_in: str
    spool_out: str
    in_side: Side
    user_side: Side
    direction: str
    user_name: str
    extension: str
    other_raw: str = ""
    other_e164: str = ""
    ddi: str = ""
    group_id: str = ""
    evidence_id: str = ""
    rule: int = 0
    policy_version: int = 0
    deletable_by_hand: bool = True
    retention_days: int = 7
    kind: Literal["recording intended"] = "recording intended"


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """Asterisk said that both sides are being recorded. Times of each side, for the alignment."""

    media_id: str
    at: datetime
    in_at: datetime
    out_at: datetime
    kind: Literal["recording started"] = "recording started"


@dataclass(frozen=True, slots=True)
class RecordingClosed:
    """The segment ended at ``at`` because of ``reason``; nothing after ``at`` may be kept."""

    media_id: str
    at: datetime
    reason: str
    kind: Literal["recording closed"] = "recording closed"


@dataclass(frozen=True, slots=True)
class RecordingStored:
    """The stereo file lies complete under its final name (``path`` is relative to the archive)."""

    media_id: str
    at: datetime
    path: str
    peaks_path: str
    sha256: str
    size: int
    rate: int
    length_ms: int
    left_silent: bool
    right_silent: bool
    remarks: tuple[str, ...] = ()
    kind: Literal["recording stored"] = "recording stored"


@dataclass(frozen=True, slots=True)
class RecordingFailed:
    """Nothing of the segment could be kept, and why; its files, if any, are gone."""

    media_id: str
    at: datetime
    reason: str
    kind: Literal["recording failed"] = "recording failed"


@dataclass(frozen=True, slots=True)
class RecordingErased:
    """Nothing of the segment's sound is left anywhere. The audit says at whose wish."""

    media_id: str
    at: datetime
    kind: Literal["recording erased"] = "recording erased"


@dataclass(frozen=True, slots=True)
class ConsentRests:
    """Somebody is heard in this segment who gave that consent, beside the one that the recording itself names."""

    media_id: str
    tenant_id: str
    evidence_id: str
    at: datetime
    kind: Literal["consent rests"] = "consent rests"


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that should have been recorded and was not. ``until`` is None while it goes on."""

    gap_id: str
    call_id: str
    tenant_id: str
    user_id: str
    since: datetime
    until: datetime | None
    reason: str
    kind: Literal["gap"] = "gap"


@dataclass(frozen=True, slots=True)
class Audited:
    """Somebody or something did something that must be provable later."""

    audit_id: str
    tenant_id: str
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    kind: Literal["audited"] = "audited"


@dataclass(frozen=True, slots=True)
class Trouble:
    """The machine itself came into trouble, or is ``over`` it: every company is told. No row is kept of it."""

    cause: str
    at: datetime
    over: bool
    detail: dict[str, Any] = field(default_factory=dict)
    kind: Literal["trouble"] = "trouble"


Entry = (
    CallBegan
    | CallRemembered
    | CallMerged
    | CallEnded
    | LegSeen
    | LegMoved
    | Marked
    | Decided
    | ConsentTaken
    | RecordingIntended
    | RecordingStarted
    | RecordingClosed
    | RecordingStored
    | RecordingFailed
    | RecordingErased
    | ConsentRests
    | Gap
    | Audited
    | Trouble
)
"""Any journal entry; ``kind`` tells them apart, also in JSON."""
