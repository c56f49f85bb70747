"""The portal's accounts, links, sessions, throttles, terms and rules.

Follows 0006.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from pbx_plugin.db.base import BigId, LongText, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
TABLES = ("rules", "terms_accepted", "terms", "throttle", "session", "link", "recovery_code", "password")


def upgrade() -> None:
    """Make the tables; nobody has an account yet."""
    op.create_table(
        "portal_account",
        *_texts(id=36, tenant_id=36, email=254, email_key=254, name=200, language=16, role=40),
        sa.Column("person_id", sa.String(length=36), nullable=True),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("active", "may_listen")),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("may_download", "may_mail")),
        *_texts(password_hash=200),
        sa.Column("password_at", UtcDateTime(), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        *_texts(factor_sealed=200),
        sa.Column("factor_at", UtcDateTime(), nullable=True),
        sa.Column("factor_step", sa.BigInteger(), nullable=False),
        *_made(),
        sa.Column("signed_in_at", UtcDateTime(), nullable=True),
        _company("portal_account"),
        sa.PrimaryKeyConstraint("id", name="pk_portal_account"),
        sa.UniqueConstraint("tenant_id", "email_key", name="uq_portal_account_tenant_id_email_key"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_portal_account_tenant_id_id"),
        **OPTIONS,
    )
    op.create_table(
        "portal_account_reach",
        *_texts(account_id=36, kind=10, unit_id=36, tenant_id=36),
        _account("portal_account_reach"),
        sa.PrimaryKeyConstraint("account_id", "kind", "unit_id", name="pk_portal_account_reach"),
        **OPTIONS,
    )
    op.create_table(
        "portal_password",
        sa.Column("seq", BigId, nullable=False),
        *_texts(tenant_id=36, account_id=36, hash=200),
        sa.Column("at", UtcDateTime(), nullable=False),
        _account("portal_password"),
        sa.PrimaryKeyConstraint("seq", name="pk_portal_password"),
        **OPTIONS,
    )
    op.create_index("ix_portal_password_account_id_seq", "portal_password", ["account_id", "seq"])
    op.create_table(
        "portal_recovery_code",
        *_texts(account_id=36, sha256=64, tenant_id=36),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        _account("portal_recovery_code"),
        sa.PrimaryKeyConstraint("account_id", "sha256", name="pk_portal_recovery_code"),
        **OPTIONS,
    )
    _make_links_and_sessions()
    op.create_table(
        "portal_throttle",
        *_texts(key=64, tenant_id=36),
        sa.Column("failures", sa.Integer(), nullable=False),
        *(sa.Column(name, UtcDateTime(), nullable=False) for name in ("last_at", "until")),
        sa.PrimaryKeyConstraint("key", name="pk_portal_throttle"),
        **OPTIONS,
    )
    op.create_index("ix_portal_throttle_last_at", "portal_throttle", ["last_at"])
    op.create_table(
        "portal_terms",
        *_texts(tenant_id=36),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        *_texts(language=16),
        sa.Column("text", LongText(), nullable=False),
        *_texts(sha256=64),
        *_made(),
        _company("portal_terms"),
        sa.PrimaryKeyConstraint("tenant_id", "version", "language", name="pk_portal_terms"),
        **OPTIONS,
    )
    op.create_table(
        "portal_terms_accepted",
        *_texts(account_id=36),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        *_texts(tenant_id=36, language=16, sha256=64),
        sa.Column("at", UtcDateTime(), nullable=False),
        *_texts(address=64),
        sa.PrimaryKeyConstraint("account_id", "version", name="pk_portal_terms_accepted"),
        **OPTIONS,
    )
    op.create_table(
        "portal_rules",
        *_texts(tenant_id=36),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        *_texts(changed_by=100),
        _company("portal_rules"),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_portal_rules"),
        **OPTIONS,
    )


def downgrade() -> None:
    """Drop all of it; nobody can sign in any more."""
    for name in TABLES:
        op.drop_table(f"portal_{name}")
    op.drop_table("portal_account_reach")
    op.drop_table("portal_account")


def _make_links_and_sessions() -> None:
    op.create_table(
        "portal_link",
        *_texts(id=36, tenant_id=36, account_id=36, purpose=40, sha256=64),
        *_made(),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        _account("portal_link"),
        sa.PrimaryKeyConstraint("id", name="pk_portal_link"),
        sa.UniqueConstraint("sha256", name="uq_portal_link_sha256"),
        **OPTIONS,
    )
    op.create_index("ix_portal_link_account_id", "portal_link", ["account_id"])
    op.create_table(
        "portal_session",
        *_texts(id=36, tenant_id=36, account_id=36, sha256=64),
        *(sa.Column(name, UtcDateTime(), nullable=False) for name in ("created_at", "seen_at", "ends_at")),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("factor_at", UtcDateTime(), nullable=True),
        *_texts(address=64, agent=200),
        _account("portal_session"),
        sa.PrimaryKeyConstraint("id", name="pk_portal_session"),
        sa.UniqueConstraint("sha256", name="uq_portal_session_sha256"),
        **OPTIONS,
    )
    op.create_index("ix_portal_session_account_id", "portal_session", ["account_id"])
    op.create_index("ix_portal_session_ends_at", "portal_session", ["ends_at"])


def _texts(**lengths: int) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(length=length), nullable=False) for name, length in lengths.items()]


def _made() -> tuple[sa.Column[Any], ...]:
    return sa.Column("created_at", UtcDateTime(), nullable=False), *_texts(created_by=100)


def _company(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=f"fk_{table}_tenant_id")


def _account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "account_id"],
        ["portal_account.tenant_id", "portal_account.id"],
        name=f"fk_{table}_tenant_id_account_id",
    )
