"""The audit becomes a chain of digests that only grows.

Follows 0009. A later migration that makes the table ``audit`` anew on SQLite has to make the triggers anew, too.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

from pbx_plugin.db.base import UtcDateTime
from pbx_plugin.domain.audit import BEGINNING, Head, Link, chained

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
AT_ONCE = 1000
MAY_NOT_MAKE_TRIGGERS = {1227, 1419}
"""MariaDB's words for: not without more rights than this account has."""
REFUSAL = "the audit is append-only"
DEEDS = ("update", "delete")


def upgrade() -> None:
    """Chain what is there, company by company in the order in which it was written, and forbid changes."""
    op.create_table(
        "audit_head",
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_audit_head"),
        **OPTIONS,
    )
    with op.batch_alter_table("audit") as table:
        table.add_column(sa.Column("number", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("previous", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("digest", sa.String(length=64), nullable=True))
    _chain()
    with op.batch_alter_table("audit") as table:
        table.alter_column("number", existing_type=sa.BigInteger(), nullable=False)
        for name in ("previous", "digest"):
            table.alter_column(name, existing_type=sa.String(length=64), nullable=False)
        table.create_unique_constraint("uq_audit_tenant_id_number", ["tenant_id", "number"])
    op.create_index("ix_audit_tenant_id_subject", "audit", ["tenant_id", "subject", "number"])
    _forbid()


def downgrade() -> None:
    """Drop the chain and allow changes."""
    dialect = op.get_bind().dialect.name
    for deed in DEEDS:
        on = " ON audit" if dialect == "postgresql" else ""
        op.execute(f"DROP TRIGGER IF EXISTS audit_no_{deed}{on}")
    if dialect == "postgresql":
        op.execute("DROP TRIGGER IF EXISTS audit_no_truncate ON audit")
        op.execute("DROP FUNCTION IF EXISTS audit_refuses()")
    op.drop_index("ix_audit_tenant_id_subject", "audit")
    with op.batch_alter_table("audit") as table:
        table.drop_constraint("uq_audit_tenant_id_number", type_="unique")
        for name in ("digest", "previous", "number"):
            table.drop_column(name)
    op.drop_table("audit_head")


def _chain() -> None:
    connection = op.get_bind()
    audit = sa.table(
        "audit",
        *(sa.column(name, sa.String) for name in ("id", "tenant_id", "actor", "action", "subject")),
        *(sa.column(name, sa.String) for name in ("previous", "digest")),
        sa.column("seq", sa.BigInteger),
        sa.column("at", UtcDateTime()),
        sa.column("detail", sa.JSON()),
        sa.column("number", sa.BigInteger),
    )
    heads = sa.table(
        "audit_head", sa.column("tenant_id", sa.String), sa.column("number", sa.BigInteger), sa.column("digest")
    )
    told = [audit.c[name] for name in ("seq", "id", "tenant_id", "at", "actor", "action", "subject", "detail")]
    change = (
        sa.update(audit)
        .where(audit.c.seq == sa.bindparam("key"))
        .values(number=sa.bindparam("place"), previous=sa.bindparam("before"), digest=sa.bindparam("own"))
    )
    reached: dict[str, Head] = {}
    last = 0
    while True:
        query = sa.select(*told).where(audit.c.seq > last).order_by(audit.c.seq).limit(AT_ONCE)
        rows = connection.execute(query).mappings().all()
        if not rows:
            break
        changes = []
        for row in rows:
            head = reached.get(row["tenant_id"], Head())
            link = next(chained(head, [Link(**row, number=0, previous=BEGINNING, digest="")]))
            reached[link.tenant_id] = Head(link.number, link.digest)
            changes.append({"key": link.seq, "place": link.number, "before": link.previous, "own": link.digest})
        connection.execute(change, changes)
        last = rows[-1]["seq"]
    if reached:
        rows_of_heads = [
            {"tenant_id": tenant_id, "number": head.number, "digest": head.digest}
            for tenant_id, head in reached.items()
        ]
        connection.execute(sa.insert(heads), rows_of_heads)


def _forbid() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    if dialect == "sqlite":
        for deed in DEEDS:
            op.execute(
                f"CREATE TRIGGER audit_no_{deed} BEFORE {deed.upper()} ON audit"
                f" BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = '23514'; END $$"
        )
        for deed, each in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER audit_no_{deed} BEFORE {deed.upper()} ON audit"
                f" FOR EACH {each} EXECUTE FUNCTION audit_refuses()"
            )
        return
    try:
        for deed in DEEDS:
            connection.exec_driver_sql(
                f"CREATE TRIGGER audit_no_{deed} BEFORE {deed.upper()} ON audit FOR EACH ROW"
                f" SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{REFUSAL}'"
            )
    except DBAPIError as error:
        # The chain still tells of every change; 'audit verify' says that the database itself would not refuse one.
        if error.orig is None or error.orig.args[0] not in MAY_NOT_MAKE_TRIGGERS:
            raise
