"""What other programs leave and get: tokens, tags on calls, notes on recordings, webhooks and their deliveries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, BigId, LongText, UtcDateTime, WireText, choice
from pbx_plugin.db.models_calls import CHANNEL_LENGTH
from pbx_plugin.domain.working import Flag
from pbx_plugin.services.webhooks import DeliveryState

TAG_LENGTH = 128


class ApiTokenRow(Base):
    """A program's key to one company. Only the SHA-256 of the token is kept; ``scopes`` are its rights."""

    __tablename__ = "api_token"
    __table_args__ = (Index("ix_api_token_tenant_id", "tenant_id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    name: Mapped[str] = mapped_column(WireText(100))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(WireText(100))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_by: Mapped[str] = mapped_column(WireText(100), default="")
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    used_from: Mapped[str] = mapped_column(WireText(64), default="")


class CallTagRow(Base):
    """One of a call's three tags. ``name`` is the call's id, or a linkedid by which it was tagged before it was known.

    Whoever reads a call's tags looks under its id and all its linkedids; the latest of a slot holds.
    """

    __tablename__ = "call_tag"
    __table_args__ = (
        Index("ix_call_tag_at", "at"),
        Index("ix_call_tag_tenant_id_text", "tenant_id", "text", "name"),
        TABLE_OPTIONS,
    )

    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(WireText(TAG_LENGTH))
    author: Mapped[str] = mapped_column(WireText(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class RecordingNoteRow(Base):
    """What somebody wrote about a recording, at ``at_ms`` milliseconds from its beginning where it is about a place.

    ``account_id`` is whose it is, empty for a program's or the command line's.
    """

    __tablename__ = "recording_note"
    __table_args__ = (Index("ix_recording_note_recording_id_at", "recording_id", "at"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at_ms: Mapped[int | None] = mapped_column(default=None)
    text: Mapped[str] = mapped_column(LongText)
    author: Mapped[str] = mapped_column(WireText(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    colour: Mapped[Flag] = mapped_column(choice(Flag), default=Flag.NONE)
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class WebhookRow(Base):
    """An address that is told of ``events``. ``secret`` signs what is sent: it must be kept as it is to be of use."""

    __tablename__ = "webhook"
    __table_args__ = (Index("ix_webhook_tenant_id", "tenant_id"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    url: Mapped[str] = mapped_column(WireText(500))
    events: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(WireText(100))
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class DeliveryRow(Base):
    """One event for one webhook, written in the transaction that wrote what it tells of. ``body`` is sent as it is.

    ``id`` is made of webhook and event: the same event told twice by a journal is one row.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("ix_webhook_delivery_state_next_try_at", "state", "next_try_at"),
        Index("ix_webhook_delivery_tenant_id_seq", "tenant_id", "seq"),
        TABLE_OPTIONS,
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    webhook_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    event: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(LongText)
    state: Mapped[DeliveryState] = mapped_column(choice(DeliveryState))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    status: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(WireText(200), default="")
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
