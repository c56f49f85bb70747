"""Marks on recordings, lists to choose from, evaluations, and notes with owner and colour.

Follows 0007.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import LongText, UtcDateTime, WireText

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
FOUND_BY = ("flag", "tag", "outcome", "response", "evaluated")


def upgrade() -> None:
    """Make the tables; notes that are there belong to nobody and have no colour."""
    _marks()
    _evaluations()
    op.create_table(
        "listening",
        sa.Column("recording_id", sa.String(length=36), nullable=False),
        sa.Column("listener", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", "listener", name="pk_listening"),
        **OPTIONS,
    )
    op.create_index("ix_listening_at", "listening", ["at"])
    with op.batch_alter_table("recording_note") as table:
        table.add_column(sa.Column("account_id", sa.String(length=36), nullable=False, server_default=""))
        table.add_column(sa.Column("colour", sa.String(length=40), nullable=False, server_default="none"))
        table.add_column(sa.Column("changed_at", UtcDateTime(), nullable=True))
    with op.batch_alter_table("recording_note") as table:
        for name, length in (("account_id", 36), ("colour", 40)):
            table.alter_column(
                name, existing_type=sa.String(length=length), existing_nullable=False, server_default=None
            )


def downgrade() -> None:
    """Drop the tables and the columns."""
    with op.batch_alter_table("recording_note") as table:
        for name in ("changed_at", "colour", "account_id"):
            table.drop_column(name)
    for name in ("listening", "evaluation", "evaluation_form", "choice", "recording_mark"):
        op.drop_table(name)


def _marks() -> None:
    op.create_table(
        "recording_mark",
        sa.Column("recording_id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("outcome", sa.String(length=36), nullable=False),
        sa.Column("response", sa.String(length=36), nullable=False),
        sa.Column("flag", sa.String(length=40), nullable=False),
        sa.Column("tag", WireText(length=128), nullable=False),
        sa.Column("evaluated", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("evaluated_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_by", WireText(length=100), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("recording_id", name="pk_recording_mark"),
        **OPTIONS,
    )
    for name in FOUND_BY:
        op.create_index(f"ix_recording_mark_tenant_id_{name}", "recording_mark", ["tenant_id", name, "recording_id"])
    op.create_table(
        "choice",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("text", WireText(length=100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_choice_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_choice"),
        sa.UniqueConstraint("tenant_id", "kind", "text", name="uq_choice_tenant_id_kind_text"),
        **OPTIONS,
    )


def _evaluations() -> None:
    op.create_table(
        "evaluation_form",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("author", WireText(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_evaluation_form_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_evaluation_form"),
        sa.UniqueConstraint("tenant_id", "version", name="uq_evaluation_form_tenant_id_version"),
        **OPTIONS,
    )
    op.create_table(
        "evaluation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("recording_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("form_id", sa.String(length=36), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("comment", LongText(), nullable=False),
        sa.Column("author", WireText(length=100), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("author_key", WireText(length=110), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["evaluation_form.id"], name="fk_evaluation_form_id"),
        sa.PrimaryKeyConstraint("id", name="pk_evaluation"),
        sa.UniqueConstraint("recording_id", "author_key", name="uq_evaluation_recording_id_author_key"),
        **OPTIONS,
    )
    op.create_index("ix_evaluation_tenant_id_recorded_at", "evaluation", ["tenant_id", "recorded_at"])
