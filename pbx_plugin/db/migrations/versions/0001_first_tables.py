"""First tables: companies and people, policy, calls, recordings, audit.

Follows nothing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import BigId, LongText, UtcDateTime, WireText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
TABLES = (
    "tenant",
    "department",
    "person",
    "device",
    "hunt_group",
    "group_member",
    "consent_number",
    "direct_number",
    "policy_version",
    "exclusion",
    "revision",
    "call",
    "call_alias",
    "leg",
    "party_event",
    "call_mark",
    "decision",
    "consent",
    "media",
    "recording",
    "gap",
    "audit",
    "journal_mark",
)


def upgrade() -> None:
    """Make every table, and the one row that counts revisions."""
    _people()
    _policy()
    _calls()
    _recordings()
    _audit()
    op.execute("INSERT INTO revision (id, number) VALUES (1, 0)")


def downgrade() -> None:
    """Drop every table, children first."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _people() -> None:
    op.create_table(
        "tenant",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenant"),
        sa.UniqueConstraint("name", name="uq_tenant_name"),
        **OPTIONS,
    )
    op.create_table(
        "department",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_department_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_department"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_department_tenant_id_id"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_department_tenant_id_name"),
        **OPTIONS,
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("department_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("extension", sa.String(length=32), nullable=True),
        sa.Column("ddi", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("enrolled", sa.Boolean(), nullable=False),
        sa.Column("may_pause", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "department_id"],
            ["department.tenant_id", "department.id"],
            name="fk_person_tenant_id_department_id",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_person_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("tenant_id", "extension", name="uq_person_tenant_id_extension"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_person_tenant_id_id"),
        **OPTIONS,
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("endpoint", sa.String(length=120), nullable=False),
        sa.Column("secret_md5", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name="fk_device_tenant_id_person_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_device_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_device"),
        sa.UniqueConstraint("endpoint", name="uq_device_endpoint"),
        **OPTIONS,
    )
    op.create_table(
        "hunt_group",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_hunt_group_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_hunt_group"),
        sa.UniqueConstraint("name", name="uq_hunt_group_name"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_hunt_group_tenant_id_id"),
        sa.UniqueConstraint("tenant_id", "number", name="uq_hunt_group_tenant_id_number"),
        **OPTIONS,
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "group_id"],
            ["hunt_group.tenant_id", "hunt_group.id"],
            name="fk_group_member_tenant_id_group_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"],
            ["person.tenant_id", "person.id"],
            name="fk_group_member_tenant_id_person_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_group_member_tenant_id"),
        sa.PrimaryKeyConstraint("group_id", "person_id", name="pk_group_member"),
        **OPTIONS,
    )
    op.create_index("ix_group_member_person_id", "group_member", ["person_id"])
    op.create_table(
        "consent_number",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("yes_group_id", sa.String(length=36), nullable=False),
        sa.Column("no_group_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=80), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("timeout_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "no_group_id"],
            ["hunt_group.tenant_id", "hunt_group.id"],
            name="fk_consent_number_tenant_id_no_group_id",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "yes_group_id"],
            ["hunt_group.tenant_id", "hunt_group.id"],
            name="fk_consent_number_tenant_id_yes_group_id",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_consent_number_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_consent_number"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_consent_number_tenant_id_id"),
        sa.UniqueConstraint("tenant_id", "number", name="uq_consent_number_tenant_id_number"),
        **OPTIONS,
    )
    op.create_table(
        "direct_number",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("e164", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("group_id", sa.String(length=36), nullable=True),
        sa.Column("consent_number_id", sa.String(length=36), nullable=True),
        sa.CheckConstraint(
            "(CASE WHEN person_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN group_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN consent_number_id IS NULL THEN 0 ELSE 1 END) = 1",
            name=op.f("ck_direct_number_leads_to_one"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "consent_number_id"],
            ["consent_number.tenant_id", "consent_number.id"],
            name="fk_direct_number_tenant_id_consent_number_id",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "group_id"],
            ["hunt_group.tenant_id", "hunt_group.id"],
            name="fk_direct_number_tenant_id_group_id",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"], ["person.tenant_id", "person.id"], name="fk_direct_number_tenant_id_person_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_direct_number_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_direct_number"),
        sa.UniqueConstraint("e164", name="uq_direct_number_e164"),
        **OPTIONS,
    )


def _policy() -> None:
    op.create_table(
        "policy_version",
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("comment", LongText(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_policy_version_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "number", name="pk_policy_version"),
        **OPTIONS,
    )
    op.create_table(
        "exclusion",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("pattern", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.Boolean(), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
        sa.Column("removed_by", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "person_id"], ["person.tenant_id", "person.id"], name="fk_exclusion_tenant_id_person_id"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_exclusion_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_exclusion"),
        **OPTIONS,
    )
    op.create_index("ix_exclusion_tenant_id_pattern", "exclusion", ["tenant_id", "pattern"])
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
        **OPTIONS,
    )


def _calls() -> None:
    op.create_table(
        "call",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("linkedid", WireText(length=150), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("off_at_start", sa.Boolean(), nullable=False),
        sa.Column("caller_raw", WireText(length=64), nullable=False),
        sa.Column("caller_e164", WireText(length=64), nullable=False),
        sa.Column("ddi_raw", WireText(length=64), nullable=False),
        sa.Column("ddi_e164", WireText(length=64), nullable=False),
        sa.Column("dialled_raw", WireText(length=64), nullable=False),
        sa.Column("merged_into", sa.String(length=36), nullable=True),
        sa.Column("merged_at", UtcDateTime(), nullable=True),
        sa.Column("state", LongText(), nullable=True),
        sa.Column("remembered_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_call"),
        **OPTIONS,
    )
    op.create_index("ix_call_ended_at", "call", ["ended_at"])
    op.create_index("ix_call_merged_into", "call", ["merged_into"])
    op.create_index("ix_call_tenant_id_began_at", "call", ["tenant_id", "began_at", "id"])
    op.create_table(
        "call_alias",
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("linkedid", WireText(length=150), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "linkedid", name="pk_call_alias"),
        **OPTIONS,
    )
    op.create_index("ix_call_alias_linkedid", "call_alias", ["linkedid"])
    op.create_table(
        "leg",
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", WireText(length=150), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("joined_at", UtcDateTime(), nullable=False),
        sa.Column("known_at", UtcDateTime(), nullable=False),
        sa.Column("channel_name", WireText(length=255), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("number_raw", WireText(length=64), nullable=False),
        sa.Column("number_e164", WireText(length=64), nullable=False),
        sa.Column("originating", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "channel_id", name="pk_leg"),
        **OPTIONS,
    )
    op.create_index("ix_leg_channel_id", "leg", ["channel_id"])
    op.create_table(
        "party_event",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", WireText(length=150), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("what", WireText(length=40), nullable=False),
        sa.Column("detail", WireText(length=500), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_party_event"),
        sa.UniqueConstraint("digest", name="uq_party_event_digest"),
        **OPTIONS,
    )
    op.create_index("ix_party_event_call_id_at", "party_event", ["call_id", "at", "seq"])
    op.create_table(
        "call_mark",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("consent", sa.String(length=40), nullable=False),
        sa.Column("consent_by", sa.String(length=40), nullable=False),
        sa.Column("evidence_id", WireText(length=36), nullable=False),
        sa.Column("presented_to", sa.JSON(), nullable=False),
        sa.Column("cause", WireText(length=200), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_call_mark"),
        sa.UniqueConstraint("digest", name="uq_call_mark_digest"),
        **OPTIONS,
    )
    op.create_index("ix_call_mark_call_id_at", "call_mark", ["call_id", "at", "seq"])
    op.create_table(
        "decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("rule_name", sa.String(length=200), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("announce", sa.String(length=40), nullable=False),
        sa.Column("consent_by", sa.String(length=40), nullable=False),
        sa.Column("evidence_id", WireText(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        **OPTIONS,
    )
    op.create_index("ix_decision_call_id_at", "decision", ["call_id", "at"])
    op.create_index("ix_decision_tenant_id_at", "decision", ["tenant_id", "at"])
    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("linkedid", WireText(length=150), nullable=False),
        sa.Column("channel_id", WireText(length=150), nullable=False),
        sa.Column("consent_number", WireText(length=64), nullable=False),
        sa.Column("caller_raw", WireText(length=64), nullable=False),
        sa.Column("caller_e164", WireText(length=64), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("digits", WireText(length=100), nullable=False),
        sa.Column("language", WireText(length=16), nullable=False),
        sa.Column("prompt", WireText(length=500), nullable=False),
        sa.Column("prompt_sha256", WireText(length=64), nullable=False),
        sa.Column("text_version", WireText(length=40), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
        **OPTIONS,
    )
    op.create_index("ix_consent_linkedid", "consent", ["linkedid"])
    op.create_index("ix_consent_tenant_id_at", "consent", ["tenant_id", "at"])


def _recordings() -> None:
    op.create_table(
        "media",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("anchor_channel", WireText(length=150), nullable=False),
        sa.Column("spool_in", sa.String(length=255), nullable=False),
        sa.Column("spool_out", sa.String(length=255), nullable=False),
        sa.Column("in_side", sa.String(length=10), nullable=False),
        sa.Column("intended_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("in_at", UtcDateTime(), nullable=True),
        sa.Column("out_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("close_reason", WireText(length=200), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=True),
        sa.Column("failed_at", UtcDateTime(), nullable=True),
        sa.Column("fail_reason", WireText(length=500), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("peaks_path", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("length_ms", sa.BigInteger(), nullable=False),
        sa.Column("left_silent", sa.Boolean(), nullable=False),
        sa.Column("right_silent", sa.Boolean(), nullable=False),
        sa.Column("remarks", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_media"),
        **OPTIONS,
    )
    op.create_index("ix_media_call_id", "media", ["call_id"])
    op.create_index("ix_media_state_intended_at", "media", ["state", "intended_at"])
    op.create_table(
        "recording",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("media_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("decision_id", sa.String(length=36), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("user_side", sa.String(length=10), nullable=False),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("user_name", WireText(length=200), nullable=False),
        sa.Column("extension", WireText(length=32), nullable=False),
        sa.Column("other_raw", WireText(length=64), nullable=False),
        sa.Column("other_e164", WireText(length=64), nullable=False),
        sa.Column("ddi", WireText(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("evidence_id", WireText(length=36), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("deletable_by_hand", sa.Boolean(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recording"),
        **OPTIONS,
    )
    op.create_index("ix_recording_call_id", "recording", ["call_id"])
    op.create_index("ix_recording_media_id", "recording", ["media_id"])
    op.create_index("ix_recording_person_id_at", "recording", ["person_id", "at"])
    op.create_index("ix_recording_tenant_id_at", "recording", ["tenant_id", "at", "id"])
    op.create_table(
        "gap",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("reason", WireText(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gap"),
        **OPTIONS,
    )
    op.create_index("ix_gap_call_id", "gap", ["call_id"])
    op.create_index("ix_gap_tenant_id_since", "gap", ["tenant_id", "since"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", WireText(length=100), nullable=False),
        sa.Column("action", WireText(length=100), nullable=False),
        sa.Column("subject", WireText(length=200), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
        sa.UniqueConstraint("id", name="uq_audit_id"),
        **OPTIONS,
    )
    op.create_index("ix_audit_tenant_id_seq", "audit", ["tenant_id", "seq"])
    op.create_table(
        "journal_mark",
        sa.Column("journal", sa.String(length=150), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal", name="pk_journal_mark"),
        **OPTIONS,
    )
