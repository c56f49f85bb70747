"""Finding recordings: what lists filter and sort by stands on the recording itself; full text; saved searches.

Follows 0010.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

from pbx_plugin.db.base import BigId, LongText, UtcDateTime, WireText
from pbx_plugin.services.search_times import week_minute
from pbx_plugin.services.search_words import number_kept, words_kept

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
SPARSE: dict[str, TypeEngine[str]] = {
    "flag": sa.String(10),
    "tag": WireText(128),
    "outcome": sa.String(36),
    "response": sa.String(36),
}
ORDERED = {
    "user": "user_name",
    "length": "length_ms",
    "number": "other_number",
    "extension": "extension",
    "ddi": "ddi",
    "state": "state",
    "direction": "direction",
}
AT_ONCE = 5000
SQLITE_TEXT = (
    "CREATE VIRTUAL TABLE recording_text_words USING fts5(text, content='recording_text', content_rowid='seq',"
    " tokenize='unicode61 remove_diacritics 2')",
    "CREATE TRIGGER recording_text_added AFTER INSERT ON recording_text BEGIN"
    " INSERT INTO recording_text_words (rowid, text) VALUES (new.seq, new.text); END",
    "CREATE TRIGGER recording_text_removed AFTER DELETE ON recording_text BEGIN"
    " INSERT INTO recording_text_words (recording_text_words, rowid, text) VALUES ('delete', old.seq, old.text); END",
    "CREATE TRIGGER recording_text_changed AFTER UPDATE ON recording_text BEGIN"
    " INSERT INTO recording_text_words (recording_text_words, rowid, text) VALUES ('delete', old.seq, old.text);"
    " INSERT INTO recording_text_words (rowid, text) VALUES (new.seq, new.text); END",
)


def upgrade() -> None:
    """Add the columns and reckon them for the recordings that are there; make the tables; add the indices."""
    _columns()
    _text()
    _choices()
    _fill()
    for name, column in ORDERED.items():
        op.create_index(f"ix_recording_{name}", "recording", ["tenant_id", column, "at", "id"])
    for name in (*SPARSE, "evaluated"):
        marked = sa.text(f"{name} IS NOT NULL")
        columns = ["tenant_id", name, "at", "id"]
        op.create_index(f"ix_recording_{name}", "recording", columns, sqlite_where=marked, postgresql_where=marked)
    op.create_index("ix_call_tag_tenant_id_text", "call_tag", ["tenant_id", "text", "name"])
    op.create_index("ix_decision_verdict", "decision", ["tenant_id", "verdict", "at", "id"])
    op.create_index("ix_leg_person_id_joined_at", "leg", ["person_id", "joined_at"])


def downgrade() -> None:
    """Drop indices, tables and columns."""
    op.drop_index("ix_leg_person_id_joined_at", "leg")
    op.drop_index("ix_decision_verdict", "decision")
    op.drop_index("ix_call_tag_tenant_id_text", "call_tag")
    for name in (*ORDERED, *SPARSE, "evaluated"):
        op.drop_index(f"ix_recording_{name}", "recording")
    for name in ("account_choice", "saved_search"):
        op.drop_table(name)
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP TABLE recording_text_words")
    op.drop_table("recording_text")
    with op.batch_alter_table("recording") as table:
        for name in ("evaluated", *reversed(SPARSE), "length_ms", "state", "other_number", "week_minute"):
            table.drop_column(name)


def _columns() -> None:
    usual: dict[str, tuple[TypeEngine[Any], str]] = {
        "week_minute": (sa.Integer(), "0"),
        "other_number": (WireText(64), ""),
        "state": (sa.String(10), "live"),
        "length_ms": (sa.BigInteger(), "0"),
    }
    with op.batch_alter_table("recording") as table:
        for name, (kind, value) in usual.items():
            table.add_column(sa.Column(name, kind, nullable=False, server_default=value))
        for name, kind in SPARSE.items():
            table.add_column(sa.Column(name, kind, nullable=True))
        table.add_column(sa.Column("evaluated", sa.Boolean(), nullable=True))
    with op.batch_alter_table("recording") as table:
        for name, (kind, _) in usual.items():
            table.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)


def _text() -> None:
    op.create_table(
        "recording_text",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("recording_id", sa.String(length=36), nullable=False),
        sa.Column("text", LongText(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_recording_text"),
        sa.UniqueConstraint("recording_id", name="uq_recording_text_recording_id"),
        **OPTIONS,
    )
    dialect = op.get_context().dialect.name
    if dialect == "sqlite":
        for statement in SQLITE_TEXT:
            op.execute(statement)
    elif dialect == "postgresql":
        op.execute("CREATE INDEX ix_recording_text_words ON recording_text USING gin (to_tsvector('simple', text))")
    else:
        op.execute("CREATE FULLTEXT INDEX ix_recording_text_words ON recording_text (text)")


def _choices() -> None:
    op.create_table(
        "saved_search",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", WireText(length=100), nullable=False),
        sa.Column("query", LongText(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("author", WireText(length=100), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_saved_search_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_saved_search"),
        sa.UniqueConstraint("account_id", "name", name="uq_saved_search_account_id_name"),
        **OPTIONS,
    )
    op.create_index("ix_saved_search_tenant_id_shared", "saved_search", ["tenant_id", "shared"])
    op.create_table(
        "account_choice",
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=36), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name="fk_account_choice_tenant_id"),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_account_choice"),
        **OPTIONS,
    )


def _fill() -> None:
    """Reckon what the rows that are there are found by, some thousand at a time."""
    connection = op.get_bind()
    recording = sa.table(
        "recording",
        *(sa.column(name) for name in ("id", "other_raw", "other_e164", "other_number", "week_minute")),
        sa.column("at", UtcDateTime()),
    )
    reckon = (
        sa.update(recording)
        .where(recording.c.id == sa.bindparam("key"))
        .values(week_minute=sa.bindparam("minute"), other_number=sa.bindparam("number"))
    )
    wanted = sa.select(recording.c.id, recording.c.at, recording.c.other_raw, recording.c.other_e164)
    last = ""
    while rows := connection.execute(wanted.where(recording.c.id > last).order_by(recording.c.id).limit(AT_ONCE)).all():
        last = rows[-1].id
        connection.execute(
            reckon,
            [
                {
                    "key": row.id,
                    "minute": week_minute(row.at),
                    "number": number_kept(row.other_raw, row.other_e164)[:64],
                }
                for row in rows
            ],
        )
    of_media = "FROM media WHERE media.id = recording.media_id"
    op.execute(
        f"UPDATE recording SET length_ms = (SELECT length_ms {of_media}), state = (SELECT CASE WHEN state IN"  # noqa: S608
        f" ('stored', 'failed', 'erased') THEN state ELSE 'live' END {of_media})"
        " WHERE media_id IN (SELECT id FROM media)"
    )
    of_mark = "FROM recording_mark AS mark WHERE mark.recording_id = recording.id"
    told = ", ".join(f"{name} = (SELECT NULLIF(NULLIF(mark.{name}, ''), 'none') {of_mark})" for name in SPARSE)
    judged = f"evaluated = (SELECT CASE WHEN mark.evaluated THEN mark.evaluated END {of_mark})"
    op.execute(f"UPDATE recording SET {told}, {judged} WHERE id IN (SELECT recording_id FROM recording_mark)")  # noqa: S608
    _fill_words(connection)


def _fill_words(connection: sa.Connection) -> None:
    note = sa.table("recording_note", *(sa.column(name) for name in ("id", "tenant_id", "recording_id", "text")))
    words = sa.table("recording_text", *(sa.column(name) for name in ("tenant_id", "recording_id", "text")))
    texts: dict[tuple[str, str], list[str]] = {}
    for row in connection.execute(sa.select(note).order_by(note.c.recording_id, note.c.id)):
        texts.setdefault((row.tenant_id, row.recording_id), []).append(row.text)
    rows = [
        {"tenant_id": tenant_id, "recording_id": recording_id, "text": kept}
        for (tenant_id, recording_id), parts in texts.items()
        if (kept := words_kept("\n".join(parts)))
    ]
    if rows:
        connection.execute(sa.insert(words), rows)
