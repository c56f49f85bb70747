"""What finding recordings needs besides them: their words, saved searches, and what each account likes to see."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, BigId, LongText, UtcDateTime, WireText

NAME_LENGTH = 100


class RecordingTextRow(Base):
    """The words of a recording's notes (:func:`pbx_plugin.services.search_words.words_kept`), for full-text search.

    Each database's own index on ``text`` is made by the migration; on SQLite triggers keep it in step.
    """

    __tablename__ = "recording_text"
    __table_args__ = (TABLE_OPTIONS,)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    text: Mapped[str] = mapped_column(LongText)


class SavedSearchRow(Base):
    """A search that somebody gave a name, as its canonical query; a ``shared`` one is everybody's in the company."""

    __tablename__ = "saved_search"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        Index("ix_saved_search_tenant_id_shared", "tenant_id", "shared"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    name: Mapped[str] = mapped_column(WireText(NAME_LENGTH))
    query: Mapped[str] = mapped_column(LongText)
    shared: Mapped[bool] = mapped_column(default=False)
    author: Mapped[str] = mapped_column(WireText(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class AccountChoiceRow(Base):
    """How an account likes one thing to look, such as the columns of its list."""

    __tablename__ = "account_choice"
    __table_args__ = (TABLE_OPTIONS,)

    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    value: Mapped[Any] = mapped_column(JSON)
