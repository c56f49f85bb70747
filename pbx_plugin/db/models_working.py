"""What people make of recordings: marks, the lists to choose from, evaluation forms and evaluations.

A mark has no foreign key to its recording: what was said about a recording outlives it, as its history does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, TABLE_OPTIONS, Base, LongText, UtcDateTime, WireText, choice
from pbx_plugin.domain.working import LONGEST_CHOICE, LONGEST_TAG, ChoiceKind, Flag


class RecordingMarkRow(Base):
    """What is marked on a recording; one without a row has no mark (:class:`pbx_plugin.domain.working.Mark`).

    ``outcome`` and ``response`` are ids of :class:`ChoiceRow` or empty, ``score`` is tenths of a percent.
    """

    __tablename__ = "recording_mark"
    __table_args__ = (
        Index("ix_recording_mark_tenant_id_flag", "tenant_id", "flag", "recording_id"),
        Index("ix_recording_mark_tenant_id_tag", "tenant_id", "tag", "recording_id"),
        Index("ix_recording_mark_tenant_id_outcome", "tenant_id", "outcome", "recording_id"),
        Index("ix_recording_mark_tenant_id_response", "tenant_id", "response", "recording_id"),
        Index("ix_recording_mark_tenant_id_evaluated", "tenant_id", "evaluated", "recording_id"),
        TABLE_OPTIONS,
    )

    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    outcome: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    response: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    flag: Mapped[Flag] = mapped_column(choice(Flag), default=Flag.NONE)
    tag: Mapped[str] = mapped_column(WireText(LONGEST_TAG), default="")
    evaluated: Mapped[bool] = mapped_column(default=False)
    score: Mapped[int | None] = mapped_column(default=None)
    evaluated_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    version: Mapped[int] = mapped_column(default=0)
    changed_by: Mapped[str] = mapped_column(WireText(100), default="")
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ChoiceRow(Base):
    """An entry of a company's list of outcomes or customer responses; retired, never deleted."""

    __tablename__ = "choice"
    __table_args__ = (UniqueConstraint("tenant_id", "kind", "text"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    kind: Mapped[ChoiceKind] = mapped_column(choice(ChoiceKind))
    text: Mapped[str] = mapped_column(WireText(LONGEST_CHOICE))
    position: Mapped[int]
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class EvaluationFormRow(Base):
    """One version of a company's evaluation form (``body``: categories, questions, weights, scale); never changed.

    The highest ``version`` is the one in use.
    """

    __tablename__ = "evaluation_form"
    __table_args__ = (UniqueConstraint("tenant_id", "version"), TABLE_OPTIONS)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    version: Mapped[int]
    author: Mapped[str] = mapped_column(WireText(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class EvaluationRow(Base):
    """What one person thinks of one recording: ``answers`` by question (null: not applicable), and the score of them.

    ``person_id`` is the recorded user's, ``recorded_at`` when the recording began. ``account_id`` is empty where the
    command line or a program judged: then ``author`` says who. ``author_key`` is account or author, so that each has
    one evaluation of a recording.
    """

    __tablename__ = "evaluation"
    __table_args__ = (
        UniqueConstraint("recording_id", "author_key"),
        Index("ix_evaluation_tenant_id_recorded_at", "tenant_id", "recorded_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    form_id: Mapped[str] = mapped_column(ForeignKey("evaluation_form.id"))
    answers: Mapped[dict[str, Any]] = mapped_column(JSON)
    score: Mapped[int | None] = mapped_column(default=None)
    comment: Mapped[str] = mapped_column(LongText)
    author: Mapped[str] = mapped_column(WireText(100))
    account_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    author_key: Mapped[str] = mapped_column(WireText(110))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)


class ListeningRow(Base):
    """Since when one session has been listening to one recording: what is audited once, not with every part.

    ``listener`` is the session's own digest, never its secret.
    """

    __tablename__ = "listening"
    __table_args__ = (Index("ix_listening_at", "at"), TABLE_OPTIONS)

    recording_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    listener: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
