"""Districts, cost centres, offices, recording groups; notices to users; outgoing mail; imports.

Follows 0003.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import BigId, LongText, UtcDateTime, WireText

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
TABLES = (
    "unit",
    "person_unit",
    "recording_group",
    "recording_group_member",
    "enrolment_notice",
    "mail",
    "import_run",
)


def upgrade() -> None:
    """Make the tables; nobody belongs to anything yet, and nobody was told anything."""
    _units()
    _recording_groups()
    _enrolment()


def downgrade() -> None:
    """Drop the tables, children first."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _units() -> None:
    op.create_table(
        "unit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_unit_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_unit"),
        sa.UniqueConstraint("tenant_id", "kind", "name", name="uq_unit_tenant_id_kind_name"),
        sa.UniqueConstraint("tenant_id", "kind", "id", name="uq_unit_kind_id"),
        **OPTIONS,
    )
    op.create_table(
        "person_unit",
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name="fk_person_unit_tenant_id_person_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "kind", "unit_id"],
            ["unit.tenant_id", "unit.kind", "unit.id"],
            name="fk_person_unit_tenant_id_kind_unit_id",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_person_unit_tenant_id"),
        sa.PrimaryKeyConstraint("person_id", "kind", name="pk_person_unit"),
        **OPTIONS,
    )
    op.create_index("ix_person_unit_unit_id", "person_unit", ["unit_id"])


def _recording_groups() -> None:
    op.create_table(
        "recording_group",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_recording_group_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_recording_group"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_recording_group_tenant_id_name"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_recording_group_tenant_id_id"),
        **OPTIONS,
    )
    op.create_table(
        "recording_group_member",
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "group_id"],
            ["recording_group.tenant_id", "recording_group.id"],
            name="fk_recording_group_member_tenant_id_group_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name="fk_recording_group_member_tenant_id_person_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_recording_group_member_tenant_id"),
        sa.PrimaryKeyConstraint("group_id", "person_id", "role", name="pk_recording_group_member"),
        **OPTIONS,
    )
    op.create_index("ix_recording_group_member_person_id", "recording_group_member", ["person_id"])


def _enrolment() -> None:
    op.create_table(
        "enrolment_notice",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("author", WireText(length=100), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("text_version", sa.String(length=20), nullable=False),
        sa.Column("text", LongText(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("code_sha256", sa.String(length=64), nullable=True),
        sa.Column("code_until", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", WireText(length=100), nullable=False),
        sa.Column("acknowledged_how", WireText(length=200), nullable=False),
        sa.Column("acknowledged_sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_enrolment_notice_tenant_id"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name="fk_enrolment_notice_tenant_id_person_id",
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_enrolment_notice"),
        sa.UniqueConstraint("id", name="uq_enrolment_notice_id"),
        **OPTIONS,
    )
    op.create_index("ix_enrolment_notice_person_id", "enrolment_notice", ["person_id"])
    op.create_index("ix_enrolment_notice_code_sha256", "enrolment_notice", ["code_sha256"])
    op.create_table(
        "mail",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("about", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("address", WireText(length=254), nullable=False),
        sa.Column("subject", WireText(length=200), nullable=False),
        sa.Column("body", LongText(), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("error", WireText(length=500), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_mail_tenant_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_mail"),
        sa.UniqueConstraint("id", name="uq_mail_id"),
        **OPTIONS,
    )
    op.create_index("ix_mail_state_due_at", "mail", ["state", "due_at"])
    op.create_table(
        "import_run",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("author", WireText(length=100), nullable=False),
        sa.Column("source", WireText(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_by", WireText(length=100), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_import_run_tenant_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_import_run"),
        sa.UniqueConstraint("id", name="uq_import_run_id"),
        **OPTIONS,
    )
    op.create_index("ix_import_run_tenant_id_seq", "import_run", ["tenant_id", "seq"])
