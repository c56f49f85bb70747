"""What was last told of each cause of alarm.

Follows 0011.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


def upgrade() -> None:
    """Make the table; nothing was told yet."""
    op.create_table(
        "alarm",
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("cause", sa.String(length=100), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.Column("over_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "cause", name="pk_alarm"),
        **OPTIONS,
    )


def downgrade() -> None:
    """Forget what was told; an alarm that goes on is then told again."""
    op.drop_table("alarm")
