"""Numbers as they were received, whole, and the names that callers show.

Follows 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import ReceivedText, WireText

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RECEIVED = {
    "call": ("caller_raw", "ddi_raw", "dialled_raw"),
    "leg": ("number_raw",),
    "consent": ("caller_raw",),
    "recording": ("other_raw",),
}
NAMES = {"call": "caller_name", "leg": "display_name"}
SHORT = 64


def upgrade() -> None:
    """Make room for whole numbers and for names; the names of calls that are over are not known."""
    for name, columns in RECEIVED.items():
        with op.batch_alter_table(name) as table:
            for column in columns:
                table.alter_column(column, existing_type=WireText(SHORT), type_=ReceivedText(), existing_nullable=False)
            if name in NAMES:
                table.add_column(sa.Column(NAMES[name], ReceivedText(), nullable=False, server_default=""))
    for name, column in NAMES.items():
        with op.batch_alter_table(name) as table:
            table.alter_column(column, existing_type=ReceivedText(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    """Cut the numbers and drop the names."""
    for name, columns in RECEIVED.items():
        for column in columns:
            op.execute(sa.text(f"UPDATE {_quoted(name)} SET {column} = substr({column}, 1, {SHORT})"))  # noqa: S608
        with op.batch_alter_table(name) as table:
            if name in NAMES:
                table.drop_column(NAMES[name])
            for column in columns:
                table.alter_column(column, existing_type=ReceivedText(), type_=WireText(SHORT), existing_nullable=False)


def _quoted(name: str) -> str:
    # One of the tables is called as a word of SQL.
    return op.get_bind().dialect.identifier_preparer.quote(name)
