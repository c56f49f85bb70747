"""The audit, and how far each journal has been written into this database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, BigId, UtcDateTime, WireText


class AuditRow(Base):
    """Somebody did something that must be provable later. Rows are only ever inserted; ``seq`` is their order."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_tenant_id_seq", "tenant_id", "seq"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(WireText(100))
    action: Mapped[str] = mapped_column(WireText(100))
    subject: Mapped[str] = mapped_column(WireText(200))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class JournalMarkRow(Base):
    """The last position of a journal that this database holds; set in the transaction that wrote it."""

    __tablename__ = "journal_mark"
    __table_args__ = (TABLE_OPTIONS,)

    journal: Mapped[str] = mapped_column(String(150), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
