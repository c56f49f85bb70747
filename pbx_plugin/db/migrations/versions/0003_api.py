"""What other programs leave and get: tokens, tags, notes, webhooks and deliveries.

Follows 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import BigId, LongText, UtcDateTime, WireText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
TABLES = ("api_token", "call_tag", "recording_note", "webhook", "webhook_delivery")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", WireText(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", WireText(length=100), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_by", WireText(length=100), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("used_from", WireText(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("sha256", name="uq_api_token_sha256"),
        **OPTIONS,
    )
    op.create_index("ix_api_token_tenant_id", "api_token", ["tenant_id"])
    op.create_table(
        "call_tag",
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", WireText(length=150), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", WireText(length=128), nullable=False),
        sa.Column("author", WireText(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", "slot", name="pk_call_tag"),
        **OPTIONS,
    )
    op.create_index("ix_call_tag_at", "call_tag", ["at"])
    op.create_table(
        "recording_note",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("recording_id", sa.String(length=36), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=True),
        sa.Column("text", LongText(), nullable=False),
        sa.Column("author", WireText(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording_note"),
        **OPTIONS,
    )
    op.create_index("ix_recording_note_recording_id_at", "recording_note", ["recording_id", "at"])
    _webhooks()


def downgrade() -> None:
    """Forget all of it."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("url", WireText(length=500), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", WireText(length=100), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
        **OPTIONS,
    )
    op.create_index("ix_webhook_tenant_id", "webhook", ["tenant_id"])
    op.create_table(
        "webhook_delivery",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("webhook_id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("body", LongText(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("error", WireText(length=200), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_webhook_delivery"),
        sa.UniqueConstraint("id", name="uq_webhook_delivery_id"),
        **OPTIONS,
    )
    op.create_index("ix_webhook_delivery_state_next_try_at", "webhook_delivery", ["state", "next_try_at"])
    op.create_index("ix_webhook_delivery_tenant_id_seq", "webhook_delivery", ["tenant_id", "seq"])
