"""Calls, their legs and time line, marks, decisions and consent evidence, as the journals told them.

None of these tables has a foreign key: the rows come through several journals, in an order that nobody guarantees,
and evidence must go in even when the row that it speaks of is late or was set aside. ``tenant_id`` is empty until the
call's own row is known.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import (
    ID_LENGTH,
    NUMBER_LENGTH,
    TABLE_OPTIONS,
    Base,
    BigId,
    LongText,
    ReceivedJson,
    ReceivedText,
    UtcDateTime,
    WireText,
)

CHANNEL_LENGTH = 150


class CallRow(Base):
    """One call. ``state`` is what its recorder last remembered (JSON), None once the call has ended or merged.

    A call that became part of another has ``merged_into`` and ``merged_at``; both rows stay.
    """

    __tablename__ = "call"
    __table_args__ = (
        Index("ix_call_tenant_id_began_at", "tenant_id", "began_at", "id"),
        Index("ix_call_merged_into", "merged_into"),
        Index("ix_call_ended_at", "ended_at"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    linkedid: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH), default="")
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    outcome: Mapped[str] = mapped_column(String(40), default="")
    direction: Mapped[str] = mapped_column(String(20), default="")
    policy_version: Mapped[int] = mapped_column(default=0)
    off_at_start: Mapped[bool] = mapped_column(default=False)
    caller_raw: Mapped[str] = mapped_column(ReceivedText(), default="")
    caller_e164: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH), default="")
    ddi_raw: Mapped[str] = mapped_column(ReceivedText(), default="")
    ddi_e164: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH), default="")
    dialled_raw: Mapped[str] = mapped_column(ReceivedText(), default="")
    caller_name: Mapped[str] = mapped_column(ReceivedText(), default="")
    merged_into: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    merged_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    state: Mapped[str | None] = mapped_column(LongText, default=None)
    remembered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class CallAliasRow(Base):
    """A linkedid under which Asterisk knew a call."""

    __tablename__ = "call_alias"
    __table_args__ = (Index("ix_call_alias_linkedid", "linkedid"), TABLE_OPTIONS)

    call_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    linkedid: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")


class LegRow(Base):
    """One channel of a call. ``person_id`` is empty for an outside party; ``known_at`` is when the facts were seen."""

    __tablename__ = "leg"
    __table_args__ = (
        Index("ix_leg_channel_id", "channel_id"),
        Index("ix_leg_person_id_joined_at", "person_id", "joined_at"),
        TABLE_OPTIONS,
    )

    call_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    channel_id: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    known_at: Mapped[datetime] = mapped_column(UtcDateTime)
    channel_name: Mapped[str] = mapped_column(WireText(255), default="")
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    number_raw: Mapped[str] = mapped_column(ReceivedText(), default="")
    number_e164: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH), default="")
    originating: Mapped[bool] = mapped_column(default=False)
    display_name: Mapped[str] = mapped_column(ReceivedText(), default="")


class PartyEventRow(Base):
    """One step of a call's time line; read in the order of (``at``, ``seq``).

    ``digest`` is of the whole entry, which has no id of its own: the same step told twice is one row.
    """

    __tablename__ = "party_event"
    __table_args__ = (Index("ix_party_event_call_id_at", "call_id", "at", "seq"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    call_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    channel_id: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    what: Mapped[str] = mapped_column(WireText(40))
    detail: Mapped[str] = mapped_column(WireText(500), default="")


class CallMarkRow(Base):
    """The whole set of a call's marks after a change, and its cause; the latest in (``at``, ``seq``) holds."""

    __tablename__ = "call_mark"
    __table_args__ = (Index("ix_call_mark_call_id_at", "call_id", "at", "seq"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    call_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    consent: Mapped[str] = mapped_column(String(40))
    consent_by: Mapped[str] = mapped_column(String(40))
    evidence_id: Mapped[str] = mapped_column(WireText(ID_LENGTH), default="")
    presented_to: Mapped[list[str]] = mapped_column(JSON)
    cause: Mapped[str] = mapped_column(WireText(200), default="")


class DecisionRow(Base):
    """What was decided for one user of a call, with its facts and trace; never changed afterwards."""

    __tablename__ = "decision"
    __table_args__ = (
        Index("ix_decision_call_id_at", "call_id", "at"),
        Index("ix_decision_tenant_id_at", "tenant_id", "at"),
        Index("ix_decision_verdict", "tenant_id", "verdict", "at", "id"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    call_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    person_id: Mapped[str] = mapped_column(String(ID_LENGTH), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    verdict: Mapped[str] = mapped_column(String(20))
    rule: Mapped[int]
    rule_name: Mapped[str] = mapped_column(String(200))
    policy_version: Mapped[int]
    facts: Mapped[dict[str, Any]] = mapped_column(ReceivedJson())
    trace: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    announce: Mapped[str] = mapped_column(String(40), default="")
    consent_by: Mapped[str] = mapped_column(String(40), default="")
    evidence_id: Mapped[str] = mapped_column(WireText(ID_LENGTH), default="")


class ConsentRow(Base):
    """Consent evidence: what was asked and heard, which keys were pressed, and when. Found by id or by linkedid."""

    __tablename__ = "consent"
    __table_args__ = (
        Index("ix_consent_linkedid", "linkedid"),
        Index("ix_consent_tenant_id_at", "tenant_id", "at"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    linkedid: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH))
    channel_id: Mapped[str] = mapped_column(WireText(CHANNEL_LENGTH))
    consent_number: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH))
    caller_raw: Mapped[str] = mapped_column(ReceivedText(), default="")
    caller_e164: Mapped[str] = mapped_column(WireText(NUMBER_LENGTH), default="")
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(40))
    digits: Mapped[str] = mapped_column(WireText(100), default="")
    language: Mapped[str] = mapped_column(WireText(16))
    prompt: Mapped[str] = mapped_column(WireText(500))
    prompt_sha256: Mapped[str] = mapped_column(WireText(64))
    text_version: Mapped[str] = mapped_column(WireText(40))
    keep_days: Mapped[int]
    policy_version: Mapped[int]


class ReceiptRow(Base):
    """One version of the signed receipt of a consent evidence; ``body`` is the file as it was given out.

    A version is never changed. A new one is written when there is more to tell, as that a recording is complete now.
    """

    __tablename__ = "consent_receipt"
    __table_args__ = (UniqueConstraint("evidence_id", "version"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    evidence_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    version: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    key_id: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(LongText())
