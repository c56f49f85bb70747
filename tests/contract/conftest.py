"""Databases for the contract tests: SQLite files always, and any that ``PBX_PLUGIN_TEST_DATABASES`` names.

The variable holds addresses separated by blanks, such as ``postgresql://u:p@127.0.0.1:5433/t``. Such a database is
emptied before each test: never name one that holds anything. ``deploy/databases.sh`` makes two such servers, runs
what tries every database, and takes them away again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.migrate import current, downgrade, upgrade

SQLITE = "sqlite"
DATABASES = [SQLITE, *os.environ.get("PBX_PLUGIN_TEST_DATABASES", "").split()]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(
    params=DATABASES, ids=lambda address: make_url(address).get_backend_name() if ":" in address else address
)
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> str:
    """The address of a migrated, empty database."""
    if request.param == SQLITE:
        return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'pbx.sqlite')}"
    url: str = request.param
    if current(url) is not None:
        downgrade(url)
    upgrade(url)
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine that gives up on a lock soon."""
    made = make_engine(database_url, busy_ms=50)
    yield made
    made.dispose()


@pytest.fixture
def sqlite_file(tmp_path: Path, migrated_file: Path) -> Path:
    """A migrated, empty SQLite file, for what can only be done to a file."""
    return Path(shutil.copy(migrated_file, tmp_path / "pbx.sqlite"))
