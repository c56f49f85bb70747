"""Drafts of a policy, and until when a recording is kept.

Follows 0004.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import LongText, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
AT_ONCE = 1000


def upgrade() -> None:
    """Make the table, and give the recordings that are there the expiry that their retention says."""
    op.create_table(
        "policy_draft",
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("comment", LongText(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_policy_draft_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "name", name="pk_policy_draft"),
        **OPTIONS,
    )
    op.add_column("recording", sa.Column("expires_at", UtcDateTime(), nullable=True))
    _fill_expiry()
    op.create_index("ix_recording_evidence_id", "recording", ["evidence_id"])
    op.create_index("ix_recording_expires_at", "recording", ["expires_at"])


def downgrade() -> None:
    """Drop the table and the column."""
    op.drop_index("ix_recording_expires_at", "recording")
    op.drop_index("ix_recording_evidence_id", "recording")
    op.drop_column("recording", "expires_at")
    op.drop_table("policy_draft")


def _fill_expiry() -> None:
    connection = op.get_bind()
    recording = sa.table(
        "recording",
        sa.column("id", sa.String(36)),
        sa.column("at", UtcDateTime()),
        sa.column("retention_days", sa.Integer()),
        sa.column("evidence_id", sa.String(36)),
        sa.column("expires_at", UtcDateTime()),
    )
    consent = sa.table(
        "consent", sa.column("id", sa.String(36)), sa.column("keep_days", sa.Integer()), sa.column("outcome", sa.String)
    )
    change = sa.update(recording).where(recording.c.id == sa.bindparam("key")).values(expires_at=sa.bindparam("expiry"))
    last = ""
    told = sa.and_(consent.c.id == recording.c.evidence_id, consent.c.outcome == "given")
    while True:
        query = sa.select(recording.c.id, recording.c.at, recording.c.retention_days, consent.c.keep_days)
        query = query.select_from(recording.outerjoin(consent, told)).where(recording.c.id > last)
        rows = connection.execute(query.order_by(recording.c.id).limit(AT_ONCE)).all()
        if not rows:
            return
        connection.execute(change, [{"key": row.id, "expiry": _expiry(row)} for row in rows])
        last = rows[-1].id


def _expiry(row: Any) -> datetime:
    days = min(row.retention_days, row.keep_days or row.retention_days)
    at: datetime = row.at
    return at + timedelta(days=days)
