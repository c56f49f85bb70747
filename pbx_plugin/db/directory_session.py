"""What the parts of the directory share: one session, and how a conflict is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Executable, Table, delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from pbx_plugin.db.base import Base
from pbx_plugin.services.directory import RefusedError

AT_ONCE = 500
"""Keys in one statement; databases have limits of their own."""


class SessionTables:
    """Tables seen through one session; rows are flushed at once, so that a conflict is told where it happens."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _write(self, row: Base, what: str = "it") -> None:
        self._session.merge(row)
        self._flush(what)

    def _insert(self, kind: type[Base], rows: Sequence[Mapping[str, Any]], what: str) -> None:
        """Insert many rows at once, past the session's own book-keeping, which costs ten times as much."""
        if rows:
            self._run(insert(_table(kind)), what, rows)

    def _delete(
        self, kind: type[Base], column: InstrumentedAttribute[str], keys: Iterable[str], tenant_id: str
    ) -> None:
        """Delete one company's rows whose column holds one of these keys."""
        table = _table(kind)
        for some in handfuls(keys):
            chosen = table.c[column.key].in_(some), table.c.tenant_id == tenant_id
            self._run(delete(table).where(*chosen), "it")

    def _run(self, statement: Executable, what: str, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
        self._flush(what)
        try:
            self._session.execute(statement, rows)
        except IntegrityError as error:
            raise taken(what) from error

    def _flush(self, what: str) -> None:
        # Use cases look before they write, within one company; what is left is one Asterisk shared by several,
        # or somebody else's change a moment ago.
        try:
            self._session.flush()
        except IntegrityError as error:
            raise taken(what) from error


def taken(what: str) -> RefusedError:
    """Return the complaint about something of which there can be only one."""
    return RefusedError(f"{what} is taken, perhaps by another company or a moment ago: look again")


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    return cast("Table", table)


def handfuls(keys: Iterable[str]) -> Iterator[list[str]]:
    """Yield keys in portions that fit into one statement."""
    waiting = list(keys)
    for first in range(0, len(waiting), AT_ONCE):
        yield waiting[first : first + AT_ONCE]
