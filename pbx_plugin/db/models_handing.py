"""What leaves the house and what goes for ever: links, exports, deletions, holds, and who is listening.

A recording that was deleted keeps its row (``recording.deleted_at``) as a tombstone, and its row here says by whom.
Rows point at recordings without foreign keys, as everything about calls does.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, BigId, UtcDateTime, WireText, choice
from pbx_plugin.domain.handing import DeletionState, ExportState

DIGEST_LENGTH = 64


class HandingRulesRow(Base):
    """A company's switches for handing on and deleting; without a row :class:`pbx_plugin.domain.handing.Rules` holds.

    Whoever must count a company's listeners locks this row meanwhile.
    """

    __tablename__ = "handing_rules"
    __table_args__ = (TABLE_OPTIONS,)

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    downloads: Mapped[bool] = mapped_column(default=False)
    links: Mapped[bool] = mapped_column(default=True)
    link_hours: Mapped[int]
    link_hours_most: Mapped[int]
    deleting: Mapped[bool] = mapped_column(default=True)
    second_person: Mapped[bool] = mapped_column(default=False)
    listeners_most: Mapped[int] = mapped_column(default=0)


class ShareLinkRow(Base):
    """A link that was mailed. Of the token only its SHA-256 is kept; ``opened_at`` is its first opening.

    A one-time link opens in the one browser whose ``claim_sha256`` is here, until ``claim_until``.
    """

    __tablename__ = "share_link"
    __table_args__ = (
        Index("ix_share_link_tenant_id_recording_id", "tenant_id", "recording_id"),
        Index("ix_share_link_tenant_id_made_at", "tenant_id", "made_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    token_sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    recipient: Mapped[str] = mapped_column(WireText(254))
    subject: Mapped[str] = mapped_column(WireText(200))
    language: Mapped[str] = mapped_column(String(16))
    zone: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str] = mapped_column(WireText(100))
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    one_time: Mapped[bool] = mapped_column(default=False)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_by: Mapped[str] = mapped_column(WireText(100), default="")
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    claim_sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), default="")
    claim_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class LinkOpeningRow(Base):
    """A link was opened, or played from its beginning: when, and from which address."""

    __tablename__ = "share_link_opening"
    __table_args__ = (Index("ix_share_link_opening_link_id_seq", "link_id", "seq"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    link_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    address: Mapped[str] = mapped_column(WireText(64))
    what: Mapped[str] = mapped_column(String(10))


class DeletionRow(Base):
    """A recording that somebody asked to delete, and how far that has come. One that was taken back has no row."""

    __tablename__ = "deletion"
    __table_args__ = (
        Index("ix_deletion_tenant_id_state", "tenant_id", "state", "asked_at"),
        Index("ix_deletion_state", "state"),
        TABLE_OPTIONS,
    )

    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    media_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    state: Mapped[DeletionState] = mapped_column(choice(DeletionState))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_by: Mapped[str] = mapped_column(WireText(100))
    asked_account: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    confirmed_by: Mapped[str] = mapped_column(WireText(100), default="")
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class LegalHoldRow(Base):
    """A recording that must not go, whoever asks; ``released_at`` ends it."""

    __tablename__ = "legal_hold"
    __table_args__ = (Index("ix_legal_hold_recording_id", "recording_id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    reason: Mapped[str] = mapped_column(WireText(500))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str] = mapped_column(WireText(100))
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    released_by: Mapped[str] = mapped_column(WireText(100), default="")


class ListeningLeaseRow(Base):
    """Somebody listens until ``until`` unless they go on. ``listener`` is ``account:ID`` or ``link:ID``."""

    __tablename__ = "listening_lease"
    __table_args__ = (UniqueConstraint("tenant_id", "listener"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    listener: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(WireText(254))
    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class ExportRow(Base):
    """A selection that is fetched as a zip file, and how far that has come; one fetch each."""

    __tablename__ = "export"
    __table_args__ = (Index("ix_export_tenant_id_asked_at", "tenant_id", "asked_at"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_by: Mapped[str] = mapped_column(WireText(100))
    recording_ids: Mapped[list[str]] = mapped_column(JSON)
    state: Mapped[ExportState] = mapped_column(choice(ExportState))
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    left_out: Mapped[int] = mapped_column(default=0)
    sent: Mapped[int] = mapped_column(BigInteger, default=0)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    manifest_sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), default="")
