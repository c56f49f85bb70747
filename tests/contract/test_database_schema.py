"""The schema: migrations make what the models say, can be taken back, and never leave a stray file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, select

from pbx_plugin.db.engine import make_engine, reading
from pbx_plugin.db.migrate import current, downgrade, newest, upgrade
from pbx_plugin.db.models import Base, RevisionRow
from pbx_plugin.services.ports import StoreUnavailableError


def not_the_index_of_words(name: str | None, _kind: str, _parents: object) -> bool:
    """Full text has an index of each database's own kind; SQLite's is five tables."""
    return not (name or "").startswith(("recording_text_words", "ix_recording_text_words"))


def test_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        told = {"compare_type": True, "compare_server_default": True, "include_name": not_the_index_of_words}
        context = MigrationContext.configure(connection, opts=told)
        assert compare_metadata(context, Base.metadata) == []


def test_every_table_but_the_counters_says_whose_it_is() -> None:
    without = {name for name, table in Base.metadata.tables.items() if "tenant_id" not in table.columns}
    assert without == {"tenant", "revision", "journal_mark"}


def test_upgrading_twice_and_going_back_leaves_nothing_behind(database_url: str, engine: Engine) -> None:
    upgrade(database_url)
    assert current(database_url) == newest()
    with reading(engine) as session:
        assert session.scalars(select(RevisionRow.number)).all() == [0]
    downgrade(database_url)
    assert current(database_url) is None
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(database_url)
    assert current(database_url) == newest()


def test_the_database_file_is_not_for_others(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    upgrade(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0


def test_a_database_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.sqlite'}"
    with pytest.raises(StoreUnavailableError):
        current(url)
    engine = make_engine(url)
    with pytest.raises(StoreUnavailableError), engine.connect():
        pass
    engine.dispose()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        upgrade(f"sqlite:///{tmp_path}/nowhere/x.sqlite")


@pytest.mark.parametrize("name", ["ein æble.sqlite", "100%.sqlite", "a#b&mode=ro.sqlite"])
def test_a_file_with_an_odd_name_is_found_again(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{name}"
    upgrade(url)
    assert current(url) == newest()
    assert (tmp_path / name).is_file()
