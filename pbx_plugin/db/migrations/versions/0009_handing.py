"""Links, exports, deletions, holds, listeners, and each company's switches for them.

Follows 0008.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import BigId, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


def upgrade() -> None:
    """Make the tables; no recording is deleted yet."""
    op.add_column("recording", sa.Column("deleted_at", UtcDateTime(), nullable=True))
    op.create_table(
        "handing_rules",
        _id("tenant_id"),
        sa.Column("downloads", sa.Boolean(), nullable=False),
        sa.Column("links", sa.Boolean(), nullable=False),
        sa.Column("link_hours", sa.Integer(), nullable=False),
        sa.Column("link_hours_most", sa.Integer(), nullable=False),
        sa.Column("deleting", sa.Boolean(), nullable=False),
        sa.Column("second_person", sa.Boolean(), nullable=False),
        sa.Column("listeners_most", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_handing_rules"),
        _company("handing_rules"),
        **OPTIONS,
    )
    op.create_table(
        "share_link",
        _id("id"),
        _id("tenant_id"),
        _text("token_sha256", 64),
        _id("recording_id"),
        _text("recipient", 254),
        _text("subject", 200),
        _text("language", 16),
        _text("zone", 64),
        _at("made_at"),
        _text("made_by", 100),
        _id("account_id"),
        _at("expires_at"),
        sa.Column("one_time", sa.Boolean(), nullable=False),
        _at("revoked_at", nullable=True),
        _text("revoked_by", 100),
        _at("opened_at", nullable=True),
        _text("claim_sha256", 64),
        _at("claim_until", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_share_link"),
        sa.UniqueConstraint("token_sha256", name="uq_share_link_token_sha256"),
        _company("share_link"),
        **OPTIONS,
    )
    op.create_index("ix_share_link_tenant_id_recording_id", "share_link", ["tenant_id", "recording_id"])
    op.create_index("ix_share_link_tenant_id_made_at", "share_link", ["tenant_id", "made_at"])
    op.create_table(
        "share_link_opening",
        sa.Column("seq", BigId, nullable=False),
        _id("tenant_id"),
        _id("link_id"),
        _at("at"),
        _text("address", 64),
        _text("what", 10),
        sa.PrimaryKeyConstraint("seq", name="pk_share_link_opening"),
        **OPTIONS,
    )
    op.create_index("ix_share_link_opening_link_id_seq", "share_link_opening", ["link_id", "seq"])
    op.create_table(
        "deletion",
        _id("recording_id"),
        _id("tenant_id"),
        _id("media_id"),
        _text("state", 40),
        _at("asked_at"),
        _text("asked_by", 100),
        _id("asked_account"),
        _at("confirmed_at", nullable=True),
        _text("confirmed_by", 100),
        _at("done_at", nullable=True),
        sa.PrimaryKeyConstraint("recording_id", name="pk_deletion"),
        _company("deletion"),
        **OPTIONS,
    )
    op.create_index("ix_deletion_tenant_id_state", "deletion", ["tenant_id", "state", "asked_at"])
    op.create_index("ix_deletion_state", "deletion", ["state"])
    op.create_table(
        "legal_hold",
        _id("id"),
        _id("tenant_id"),
        _id("recording_id"),
        _text("reason", 500),
        _at("at"),
        _text("by", 100),
        _at("released_at", nullable=True),
        _text("released_by", 100),
        sa.PrimaryKeyConstraint("id", name="pk_legal_hold"),
        _company("legal_hold"),
        **OPTIONS,
    )
    op.create_index("ix_legal_hold_recording_id", "legal_hold", ["recording_id"])
    op.create_table(
        "listening_lease",
        _id("id"),
        _id("tenant_id"),
        _text("listener", 60),
        _text("name", 254),
        _id("recording_id"),
        _at("since"),
        _at("until"),
        sa.PrimaryKeyConstraint("id", name="pk_listening_lease"),
        sa.UniqueConstraint("tenant_id", "listener", name="uq_listening_lease_tenant_id_listener"),
        _company("listening_lease"),
        **OPTIONS,
    )
    op.create_table(
        "export",
        _id("id"),
        _id("tenant_id"),
        _id("account_id"),
        _at("asked_at"),
        _text("asked_by", 100),
        sa.Column("recording_ids", sa.JSON(), nullable=False),
        _text("state", 40),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("left_out", sa.Integer(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        _at("ended_at", nullable=True),
        _text("manifest_sha256", 64),
        sa.PrimaryKeyConstraint("id", name="pk_export"),
        _company("export"),
        **OPTIONS,
    )
    op.create_index("ix_export_tenant_id_asked_at", "export", ["tenant_id", "asked_at"])


def downgrade() -> None:
    """Drop the tables. What was deleted stays without sound; that it was deleted, and by whom, only the audit knows."""
    for table in (
        "export",
        "listening_lease",
        "legal_hold",
        "deletion",
        "share_link_opening",
        "share_link",
        "handing_rules",
    ):
        op.drop_table(table)
    with op.batch_alter_table("recording") as recording:
        recording.drop_column("deleted_at")


def _id(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=36), nullable=False)


def _text(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def _at(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime(), nullable=nullable)


def _company(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=f"fk_{table}_tenant_id_tenant")
