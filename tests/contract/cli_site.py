"""A site made by ``init``, and a person who types commands into it."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from pbx_plugin.cli.main import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def type_in(*words: str) -> Said:
    """Run one command in this process, as a person would type it."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(words)
    finally:
        structlog.reset_defaults()
    return Said(code, out.getvalue(), err.getvalue())


class Site:
    """A site in a folder of its own, its database migrated beforehand to save time."""

    def __init__(self, folder: Path, database: Path, *more: str) -> None:
        self.folder = folder
        self.config = folder / "etc" / "config.toml"
        self.state = folder / "state"
        self.state.mkdir(mode=0o750, exist_ok=True)
        self.database = Path(shutil.copy(database, self.state / "pbx-plugin.sqlite"))
        if not self.config.exists():
            said = type_in("init", *self.places(), *more)
            assert said.code == 0, said.err

    @classmethod
    def again(cls, folder: Path, database: Path) -> Site:
        """Return the site that is there already, with another database in place of its own."""
        for left in (folder / "state").glob("pbx-plugin.sqlite-*"):
            left.unlink()
        return cls(folder, database)

    def places(self) -> tuple[str, ...]:
        return (
            *("--config", str(self.config), "--state", str(self.state), "--spool", str(self.folder / "spool")),
            *("--asterisk-etc", str(self.folder / "asterisk"), "--language", "en"),
        )

    def __call__(self, *words: str) -> Said:
        """Type a command, whatever comes of it."""
        return type_in("--config", str(self.config), *words)

    def does(self, *words: str) -> Said:
        """Type a command that must work."""
        said = self(*words)
        assert said.code == 0, said.err
        return said

    def rows(self) -> dict[str, list[Any]]:
        """Return everything in the database."""
        database = sqlite3.connect(self.database)
        try:
            tables = [name for (name,) in database.execute("select name from sqlite_schema where type = 'table'")]
            return {table: sorted(database.execute(f"select * from '{table}'"), key=repr) for table in tables}
        finally:
            database.close()

    def staff(self) -> None:
        """Let there be a small company: two users, a department, two groups, a consent number, two direct numbers."""
        self.does("departments", "add", "Sales")
        self.does("users", "add", "101", "Anna", "--ddi", "33 44 55 66", "--department", "Sales", "--enrol")
        self.does("users", "add", "102", "Bo", "--mode", "always", "--enrol")
        self.does("groups", "add", "sales", "600", "--member", "102", "--member", "101")
        self.does("groups", "add", "quiet", "601", "--kind", "ring-group", "--member", "101")
        self.does("numbers", "add-consent", "800", "--yes", "sales", "--no", "601")
        self.does("numbers", "add-ddi", "70101010", "--consent", "800")
