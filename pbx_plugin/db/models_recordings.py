"""Captured media, the recordings that users own on them, and the stretches that should have been recorded.

Like the calls' tables these come from journals and have no foreign keys.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import (
    ID_LENGTH,
    NUMBER_LENGTH,
    TABLE_OPTIONS,
    Base,
    ReceivedText,
    UtcDateTime,
    WireText,
    choice,
)
from pbx_plugin.db.models_calls import CHANNEL_LENGTH
from pbx_plugin.db.search_defaults import kept_number, minute_of_week
from pbx_plugin.domain.working import LONGEST_TAG


class MediaState(StrEnum):
    """Where a captured segment stands. Listed from first to last: a row only ever moves forward."""

    STARTING = "starting"
    RECORDING = "recording"
    CLOSED = "closed"
    FAILED = "failed"
    STORED = "stored"
    ERASED = "erased"

    @property
    def rank(self) -> int:
        """Place in the order; *stored* comes after *failed*: a complete file is the better truth."""
        return list(MediaState).index(self)


class MediaRow(Base):
    """A captured pair of spool files and the stereo file made of it. Paths are relative to the archive."""

    __tablename__ = "media"
    __table_args__ = (
        Index("ix_media_state_intended_at", "state", "intended_at"),
        Index("ix_media_call_id", "call_id"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    call_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    state: Mapped[MediaState] = mapped_column(choice(MediaState))
    anchor_channel: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH), default="")
    spool_in: Mapped[str] = mapped_column(String(255), default="")
    spool_out: Mapped[str] = mapped_column(String(255), default="")
    in_side: Mapped[str] = mapped_column(String(10), default="")
    intended_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    in_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    out_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    close_reason: Mapped[str] = mapped_column(WireText(200), default="")
    stored_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    fail_reason: Mapped[str] = mapped_column(WireText(500), default="")
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    path: Mapped[str] = mapped_column(String(255), default="")
    peaks_path: Mapped[str] = mapped_column(String(255), default="")
    sha256: Mapped[str] = mapped_column(String(64), default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    rate: Mapped[int] = mapped_column(default=0)
    length_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    left_silent: Mapped[bool] = mapped_column(default=False)
    right_silent: Mapped[bool] = mapped_column(default=False)
    remarks: Mapped[list[str]] = mapped_column(JSON, default=list)


class MediaConsentRow(Base):
    """A consent on which a media rests beside the one that its recordings name: somebody else's who is heard in it."""

    __tablename__ = "media_consent"
    __table_args__ = (Index("ix_media_consent_evidence_id", "evidence_id"), TABLE_OPTIONS)

    media_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    evidence_id: Mapped[str] = mapped_column(WireText(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))


def _sparse(name: str) -> Index:
    """An index of what is marked on few rows: where the database can, it holds only those."""
    marked = text(f"{name} IS NOT NULL")
    columns = ("tenant_id", name, "at", "id")
    return Index(f"ix_recording_{name}", *columns, sqlite_where=marked, postgresql_where=marked)


class RecordingRow(Base):
    """One user's recording: a claim on a media row, with the data of the call as they were when it began.

    Names and numbers are copies: a recording outlives its user. The audio goes when the last row on its media goes.
    ``expires_at`` is when this row is due to go (:func:`pbx_plugin.domain.retention.expiry`). One with ``deleted_at``
    is a tombstone: its data stay, but nobody lists, hears or hands it on any more.

    The columns from ``week_minute`` on are for finding only: what the row reckons of itself, and copies of what media
    and mark say (None where nothing is marked), kept in step by :mod:`pbx_plugin.db.search_copies`.
    """

    __tablename__ = "recording"
    __table_args__ = (
        Index("ix_recording_tenant_id_at", "tenant_id", "at", "id"),
        Index("ix_recording_person_id_at", "person_id", "at"),
        Index("ix_recording_call_id", "call_id"),
        Index("ix_recording_media_id", "media_id"),
        Index("ix_recording_evidence_id", "evidence_id"),
        Index("ix_recording_expires_at", "expires_at"),
        Index("ix_recording_user", "tenant_id", "user_name", "at", "id"),
        Index("ix_recording_length", "tenant_id", "length_ms", "at", "id"),
        Index("ix_recording_number", "tenant_id", "other_number", "at", "id"),
        Index("ix_recording_extension", "tenant_id", "extension", "at", "id"),
        Index("ix_recording_ddi", "tenant_id", "ddi", "at", "id"),
        Index("ix_recording_state", "tenant_id", "state", "at", "id"),
        Index("ix_recording_direction", "tenant_id", "direction", "at", "id"),
        *(_sparse(name) for name in ("flag", "tag", "outcome", "response", "evaluated")),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    media_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    call_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    decision_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    segment: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_side: Mapped[str] = mapped_column(String(10))
    direction: Mapped[str] = mapped_column(String(20))
    user_name: Mapped[str] = mapped_column(WireText(200))
    extension: Mapped[str] = mapped_column(WireText(32))
    other_raw: Mapped[str] = mapped_column(ReceivedText(), default="")
    other_e164: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH), default="")
    ddi: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH), default="")
    group_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    evidence_id: Mapped[str] = mapped_column(WireText(ID_LENGTH), default="")
    rule: Mapped[int] = mapped_column(default=0)
    policy_version: Mapped[int] = mapped_column(default=0)
    deletable_by_hand: Mapped[bool] = mapped_column(default=True)
    retention_days: Mapped[int] = mapped_column(default=7)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

    week_minute: Mapped[int] = mapped_column(default=minute_of_week)
    other_number: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH), default=kept_number)
    state: Mapped[str] = mapped_column(String(10), default="live")
    length_ms: Mapped[int] = mapped_column(BigInteger, default=0)
    flag: Mapped[str | None] = mapped_column(String(10), default=None)
    tag: Mapped[str | None] = mapped_column(WireText(LONGEST_TAG), default=None)
    outcome: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    response: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    evaluated: Mapped[bool | None] = mapped_column(default=None)


class GapRow(Base):
    """A stretch that should have been recorded and was not; ``until`` is None while it goes on."""

    __tablename__ = "gap"
    __table_args__ = (
        Index("ix_gap_call_id", "call_id"),
        Index("ix_gap_tenant_id_since", "tenant_id", "since"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    call_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    reason: Mapped[str] = mapped_column(WireText(500))
