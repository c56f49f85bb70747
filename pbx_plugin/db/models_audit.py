"""The audit with its chains' heads, and how far each journal has been written into this database."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, BigId, UtcDateTime, WireText


class AuditRow(Base):
    """Somebody did something that must be provable later. Rows are only ever inserted; ``seq`` is their order.

    ``number`` counts the company's own entries from 1, ``digest`` covers the entry and ``previous``, the digest before
    it (:mod:`pbx_plugin.domain.audit`). Written by :mod:`pbx_plugin.db.audit_chain` and nowhere else; triggers of the
    database refuse changes and deletions.
    """

    ACTOR: ClassVar[int] = 100
    ACTION: ClassVar[int] = 100
    SUBJECT: ClassVar[int] = 200

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_tenant_id_seq", "tenant_id", "seq"),
        Index("ix_audit_tenant_id_subject", "tenant_id", "subject", "number"),
        UniqueConstraint("tenant_id", "number"),
        TABLE_OPTIONS,
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(WireText(ACTOR))
    action: Mapped[str] = mapped_column(WireText(ACTION))
    subject: Mapped[str] = mapped_column(WireText(SUBJECT))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    number: Mapped[int] = mapped_column(BigInteger)
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """How far a company's audit goes: its last entry's number and digest. Locked by whoever writes the next one."""

    __tablename__ = "audit_head"
    __table_args__ = (TABLE_OPTIONS,)

    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class JournalMarkRow(Base):
    """The last position of a journal that this database holds; set in the transaction that wrote it."""

    __tablename__ = "journal_mark"
    __table_args__ = (TABLE_OPTIONS,)

    journal: Mapped[str] = mapped_column(String(150), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
