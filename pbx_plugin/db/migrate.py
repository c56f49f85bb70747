"""Brings a database to the schema that this version of the product speaks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from pbx_plugin.db.engine import WRITES, make_engine

MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Create or upgrade the schema; does nothing when it is there already.

    An SQLite file is created with mode 0640 (its folder must exist: FileNotFoundError otherwise).
    Raises StoreUnavailableError when the database is locked or away.
    """
    _create_sqlite_file(url)
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str = "base") -> None:
    """Take the schema back to ``revision``; ``base`` removes every table and what is in it."""
    _run(url, lambda config: command.downgrade(config, revision))


def current(url: str) -> str | None:
    """Return the schema revision in the database, None when it has none of our tables.

    Raises StoreUnavailableError when the database is locked, away, or (SQLite) not there.
    """
    engine = make_engine(url, migrating=True)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def newest() -> str:
    """Return the schema revision that this version of the product speaks."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if head is None:
        raise FileNotFoundError(f"no migrations in {MIGRATIONS}: reinstall pbx-plugin")
    return head


def _run(url: str, step: Callable[[Config], None]) -> None:
    # Batch migrations rebuild a table by dropping the old one: with foreign keys on, that would empty its children.
    engine = make_engine(url, busy_ms=5000, migrating=True)
    try:
        with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            step(config)
    finally:
        engine.dispose()


def _create_sqlite_file(url: str) -> None:
    target = make_url(url)
    if target.get_backend_name() == "sqlite" and target.database and target.database != ":memory:":
        os.close(os.open(target.database, os.O_CREAT | os.O_RDWR, 0o640))
