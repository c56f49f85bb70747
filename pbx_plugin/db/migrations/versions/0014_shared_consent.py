"""On whose further consents a recording rests: a second caller's, or somebody's in a call that a phone mixed with it.

Follows 0013.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


def upgrade() -> None:
    """Make the table; of recordings of before it is not known."""
    op.create_table(
        "media_consent",
        sa.Column("media_id", sa.String(length=36), nullable=False),
        sa.Column("evidence_id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("media_id", "evidence_id", name="pk_media_consent"),
        **OPTIONS,
    )
    op.create_index("ix_media_consent_evidence_id", "media_consent", ["evidence_id"])


def downgrade() -> None:
    """Forget them; what they shortened stays short."""
    op.drop_table("media_consent")
