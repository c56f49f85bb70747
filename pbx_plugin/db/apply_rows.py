"""The rows that a batch of journal entries speaks of: read with few statements, changed in memory, written with few.

What a call's entries say of it changes the same few rows again and again; the database sees only what became of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Insert, Select, Table, Update, bindparam, insert, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite

from pbx_plugin.db import audit_chain
from pbx_plugin.db.base import Base, clean_text
from pbx_plugin.db.expiry import limit_to_what_was_told
from pbx_plugin.db.models import (
    CallAliasRow,
    CallMarkRow,
    CallRow,
    ConsentRow,
    DecisionRow,
    GapRow,
    LegRow,
    MediaRow,
    PartyEventRow,
    RecordingRow,
)
from pbx_plugin.db.models_calls import CHANNEL_LENGTH
from pbx_plugin.db.models_recordings import MediaConsentRow
from pbx_plugin.db.search_copies import follow_media
from pbx_plugin.domain.entries import Audited

Key = tuple[str, ...]
Values = dict[str, Any]
Columns = tuple[str, ...]

_OF_A_CALL = (CallAliasRow, LegRow, PartyEventRow, CallMarkRow, DecisionRow)
_ONCE = (CallAliasRow, PartyEventRow, CallMarkRow, DecisionRow, ConsentRow, RecordingRow, MediaConsentRow)


class Row:
    """One row as it will be. Of a row that the database has, only the columns that steps look at are known."""

    __slots__ = ("_values", "changed", "is_new")

    def __init__(self, values: Values, *, is_new: bool) -> None:
        self._values = values
        self.is_new = is_new
        self.changed: set[str] = set()

    def __getitem__(self, column: str) -> Any:
        return self._values[column]

    def set(self, **values: Any) -> None:
        """Change columns."""
        self._values |= values
        self.changed |= values.keys()

    @property
    def values(self) -> Values:
        """Return all that is known of it."""
        return self._values


class Rows:
    """The rows of one table that a batch may change, by primary key. ``looked_at`` are columns that steps read."""

    def __init__(self, kind: type[Base], looked_at: tuple[str, ...]) -> None:
        self._table = table_of(kind)
        self._key = tuple(column.name for column in self._table.primary_key)
        self._looked_at = looked_at
        self._rows: dict[Key, Row] = {}

    def load(self, connection: Connection, ids: Iterable[str]) -> None:
        """Read the rows whose key begins with one of these."""
        values = sorted(set(ids))
        if not values:
            return
        for found in connection.execute(_select(self._table, self._key + self._looked_at), {"ids": values}).mappings():
            self._rows[tuple(found[name] for name in self._key)] = Row(dict(found), is_new=False)

    def get(self, *key: str) -> Row | None:
        """Return the row, None when there is none."""
        return self._rows.get(key)

    def add(self, **values: Any) -> Row:
        """Add a row; columns that nobody sets get their table's default."""
        row = Row(dict.fromkeys(self._looked_at) | values, is_new=True)
        self._rows[tuple(values[name] for name in self._key)] = row
        return row

    def write(self, connection: Connection) -> None:
        """Insert what is new and update what is changed, rows with the same columns in one statement."""
        new: dict[Columns, list[Values]] = defaultdict(list)
        changed: dict[Columns, list[Values]] = defaultdict(list)
        for key, row in self._rows.items():
            if row.is_new:
                new[tuple(sorted(row.values))].append(row.values)
            elif row.changed:
                where = {f"key_{name}": part for name, part in zip(self._key, key, strict=True)}
                changed[tuple(sorted(row.changed))].append(where | {name: row[name] for name in row.changed})
        for values in new.values():
            connection.execute(_insert(self._table), values)
        for columns, values in changed.items():
            connection.execute(_update(self._table, columns), values)


class Batch:
    """All that one batch of entries reads and changes. Use it as: load, the steps, write, write_audit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.calls = Rows(CallRow, ("tenant_id", "ended_at", "merged_into", "remembered_at"))
        self.legs = Rows(LegRow, ("joined_at", "known_at"))
        self.media = Rows(MediaRow, ("state", "call_id", "intended_at", "closed_at", "erased_at"))
        self.gaps = Rows(GapRow, ())
        self._once: dict[Table, list[Values]] = {table_of(kind): [] for kind in _ONCE}
        self._tenants: dict[str, str] = {}
        self._evidence: set[str] = set()
        self._final_media: set[str] = set()
        self._audited: list[Audited] = []

    def load(self, *, calls: Iterable[str], legs_of: Iterable[str], media: Iterable[str], gaps: Iterable[str]) -> None:
        """Read what the database has of these."""
        for rows, ids in ((self.calls, calls), (self.legs, legs_of), (self.media, media), (self.gaps, gaps)):
            rows.load(self._connection, ids)

    def add_once(self, kind: type[Base], **values: Any) -> None:
        """Add a row that is never changed; one that is there already (its key, or another unique column) stays.

        Rows of one kind name the same columns.
        """
        self._once[table_of(kind)].append(values)

    def audit(self, entry: Audited) -> None:
        """Add an entry to the audit, unless it is there already."""
        self._audited.append(entry)

    def tenant_known(self, call_id: str, tenant_id: str) -> None:
        """Have the tenant filled in with all that came before the call's beginning."""
        self._tenants[call_id] = tenant_id

    def rests_on_consent(self, evidence_id: str) -> None:
        """Have the recordings that rest on this consent kept no longer than it says, whichever comes first."""
        if evidence_id:
            self._evidence.add(evidence_id)

    def media_final(self, media_id: str) -> None:
        """Have the recordings on this media found by what became of it."""
        self._final_media.add(media_id)

    def write(self) -> None:
        """Write everything but the audit; the caller commits."""
        for rows in (self.calls, self.legs, self.media, self.gaps):
            rows.write(self._connection)
        for table, values in self._once.items():
            if values:
                self._connection.execute(_insert_once(table, self._connection.dialect.name), values)
        for call_id, tenant_id in self._tenants.items():
            for kind in _OF_A_CALL:
                table = table_of(kind)
                statement = update(table).where(table.c.call_id == call_id, table.c.tenant_id == "")
                self._connection.execute(statement.values(tenant_id=tenant_id))
        follow_media(self._connection, self._final_media)
        if self._evidence:
            limit_to_what_was_told(self._connection, self._evidence)

    def write_audit(self) -> None:
        """Write what is audited, after everything else: from then on whoever audits for these companies waits."""
        if self._audited:
            audit_chain.write(self._connection, self._audited, told_again=True)


def channel_key(channel_id: str) -> str:
    """Return a channel's id as the database keeps it, which is what rows are found by."""
    return clean_text(channel_id)[:CHANNEL_LENGTH]


def table_of(kind: type[Base]) -> Table:
    """Return the table that the rows of this kind lie in."""
    table = kind.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{kind.__name__} is not a table's row")
    return table


@lru_cache(maxsize=32)
def _select(table: Table, columns: Columns) -> Select[Any]:
    first = next(iter(table.primary_key))
    return select(*(table.c[name] for name in columns)).where(first.in_(bindparam("ids", expanding=True)))


@lru_cache(maxsize=32)
def _insert(table: Table) -> Insert:
    return insert(table)


@lru_cache(maxsize=256)
def _update(table: Table, columns: Columns) -> Update:
    statement = update(table).where(*(column == bindparam(f"key_{column.name}") for column in table.primary_key))
    return statement.values({name: bindparam(name) for name in columns})


@lru_cache(maxsize=64)
def _insert_once(table: Table, dialect: str) -> Insert:
    """Return an insert that leaves a row alone which is there already, in the database's own words."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    # Not INSERT IGNORE, which would also cut and bend values that do not fit.
    key = next(iter(table.primary_key))
    return mysql.insert(table).on_duplicate_key_update({key.name: key})
