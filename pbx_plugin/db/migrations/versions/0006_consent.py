"""Consent numbers in several languages that lead anywhere, and receipts of consent.

Follows 0005.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import BigId, LongText, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
TEXTS = (("by_country", 200), ("by_key", 60), ("yes_place", 200), ("no_place", 200))
ANSWERS = ("yes", "no")


def upgrade() -> None:
    """Let yes and no lead to a user or into the dialplan too; every number keeps its one language and its groups."""
    with op.batch_alter_table("consent_number") as table:
        for name, length in TEXTS:
            table.add_column(sa.Column(name, sa.String(length=length), nullable=False, server_default=""))
        for answer in ANSWERS:
            table.add_column(sa.Column(f"{answer}_person_id", sa.String(length=36), nullable=True))
            table.alter_column(f"{answer}_group_id", existing_type=sa.String(length=36), nullable=True)
            table.create_foreign_key(
                f"fk_consent_number_tenant_id_{answer}_person_id",
                "person",
                ["tenant_id", f"{answer}_person_id"],
                ["tenant_id", "id"],
            )
    with op.batch_alter_table("consent_number") as table:
        for name, length in TEXTS:
            kind = sa.String(length=length)
            table.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    op.create_table(
        "consent_receipt",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("evidence_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("body", LongText(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_consent_receipt"),
        sa.UniqueConstraint("evidence_id", "version", name="uq_consent_receipt_evidence_id_version"),
        **OPTIONS,
    )


def downgrade() -> None:
    """Drop the receipts and the languages; a number that leads elsewhere than to two groups is removed."""
    op.drop_table("consent_receipt")
    op.execute(
        "DELETE FROM direct_number WHERE consent_number_id IN"
        " (SELECT id FROM consent_number WHERE yes_group_id IS NULL OR no_group_id IS NULL)"
    )
    op.execute("DELETE FROM consent_number WHERE yes_group_id IS NULL OR no_group_id IS NULL")
    with op.batch_alter_table("consent_number") as table:
        for answer in ANSWERS:
            table.drop_constraint(f"fk_consent_number_tenant_id_{answer}_person_id", type_="foreignkey")
            table.drop_column(f"{answer}_person_id")
            table.alter_column(f"{answer}_group_id", existing_type=sa.String(length=36), nullable=False)
        for name, _ in reversed(TEXTS):
            table.drop_column(name)
