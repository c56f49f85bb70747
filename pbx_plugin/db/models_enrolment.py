"""What users were told about being recorded, the mail that told them, and what imports changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, BigId, LongText, UtcDateTime, WireText, choice
from pbx_plugin.domain.call import Mode
from pbx_plugin.services.people_records import MailState


class NoticeRow(Base):
    """A notice to a user that they are recorded, word for word, and their acknowledgement once there is one."""

    __tablename__ = "enrolment_notice"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "person_id"], ["person.tenant_id", "person.id"]),
        Index("ix_enrolment_notice_person_id", "person_id"),
        Index("ix_enrolment_notice_code_sha256", "code_sha256"),
        TABLE_OPTIONS,
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    author: Mapped[str] = mapped_column(WireText(100))
    mode: Mapped[Mode] = mapped_column(choice(Mode))
    language: Mapped[str] = mapped_column(String(16))
    text_version: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(LongText)
    text_sha256: Mapped[str] = mapped_column(String(64))
    code_sha256: Mapped[str | None] = mapped_column(String(64), default=None)
    code_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    acknowledged_by: Mapped[str] = mapped_column(WireText(100), default="")
    acknowledged_how: Mapped[str] = mapped_column(WireText(200), default="")
    acknowledged_sha256: Mapped[str] = mapped_column(String(64), default="")


class MailRow(Base):
    """A mail on its way. ``secret`` goes into the body as it is sent and is then forgotten here."""

    __tablename__ = "mail"
    __table_args__ = (Index("ix_mail_state_due_at", "state", "due_at"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    about: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    address: Mapped[str] = mapped_column(WireText(254))
    subject: Mapped[str] = mapped_column(WireText(200))
    body: Mapped[str] = mapped_column(LongText)
    secret: Mapped[str | None] = mapped_column(String(64), default=None)
    state: Mapped[MailState] = mapped_column(choice(MailState))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    error: Mapped[str] = mapped_column(WireText(500), default="")


class ImportRunRow(Base):
    """An import and every change that it made, so that it can be taken back."""

    __tablename__ = "import_run"
    __table_args__ = (Index("ix_import_run_tenant_id_seq", "tenant_id", "seq"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    author: Mapped[str] = mapped_column(WireText(100))
    source: Mapped[str] = mapped_column(WireText(200))
    sha256: Mapped[str] = mapped_column(String(64))
    changes: Mapped[list[Any]] = mapped_column(JSON)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    undone_by: Mapped[str] = mapped_column(WireText(100), default="")
