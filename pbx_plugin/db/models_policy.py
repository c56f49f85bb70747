"""Applied policies and drafts, excluded numbers, and the counter that tells readers to read the rulebook again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pbx_plugin.db.base import ID_LENGTH, NUMBER_LENGTH, TABLE_OPTIONS, Base, LongText, UtcDateTime


class PolicyVersionRow(Base):
    """What a company applied. Rows are only ever inserted; the highest ``number`` of a tenant is in force.

    ``body`` is the domain's PolicyVersion as JSON (:func:`pbx_plugin.db.rulebook.policy_body`).
    """

    __tablename__ = "policy_version"
    __table_args__ = (TABLE_OPTIONS,)

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    comment: Mapped[str] = mapped_column(LongText, default="")
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class PolicyDraftRow(Base):
    """A policy that somebody works on. ``base`` is the version that it was made from; ``body`` is as in a version."""

    __tablename__ = "policy_draft"
    __table_args__ = (TABLE_OPTIONS,)

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    base: Mapped[int]
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(String(100))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    comment: Mapped[str] = mapped_column(LongText, default="")
    body: Mapped[dict[str, Any]] = mapped_column(JSON)


class ExclusionRow(Base):
    """A number, prefix or person never to be recorded. Removed ones stay, with ``removed_at``, as history."""

    __tablename__ = "exclusion"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "person_id"], ["person.tenant_id", "person.id"]),
        Index("ix_exclusion_tenant_id_pattern", "tenant_id", "pattern"),
        TABLE_OPTIONS,
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenant.id"))
    pattern: Mapped[str] = mapped_column(String(NUMBER_LENGTH), default="")
    prefix: Mapped[bool] = mapped_column(default=False)
    person_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    reason: Mapped[str] = mapped_column(String(500), default="")
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(100), default="")
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    removed_by: Mapped[str] = mapped_column(String(100), default="")


class RevisionRow(Base):
    """One row (``id`` 1): ``number`` grows in the same transaction with every change to what the rulebook reads."""

    __tablename__ = "revision"
    __table_args__ = (TABLE_OPTIONS,)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(default=0)
