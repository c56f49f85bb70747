"""Hunt groups that we bridge ourselves: how they ring.

Follows 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = (
    ("bridged", sa.Boolean(), sa.false()),
    ("strategy", sa.String(length=40), "ring-all"),
    ("ring_seconds", sa.Integer(), "20"),
    ("wait_seconds", sa.Integer(), "60"),
    ("wrap_up_seconds", sa.Integer(), "0"),
    ("music", sa.Boolean(), sa.false()),
)


def upgrade() -> None:
    """Give every group the settings; none is bridged."""
    with op.batch_alter_table("hunt_group") as table:
        for name, kind, default in COLUMNS:
            table.add_column(sa.Column(name, kind, nullable=False, server_default=default))
    # What a group has from here on is said by whoever adds it.
    with op.batch_alter_table("hunt_group") as table:
        for name, kind, _ in COLUMNS:
            table.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)


def downgrade() -> None:
    """Forget how groups were bridged; Asterisk rings them all."""
    with op.batch_alter_table("hunt_group") as table:
        for name, _, _ in reversed(COLUMNS):
            table.drop_column(name)
