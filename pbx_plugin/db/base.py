"""What all tables share: the declarative base, column types that behave alike on every database, table options."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, Integer, MetaData, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine

from pbx_plugin.domain.numbers import LONGEST_RECEIVED, as_received

_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

_MYSQL_OPTIONS = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
TABLE_OPTIONS: dict[str, str] = {
    f"{dialect}_{name}": value for dialect in ("mysql", "mariadb") for name, value in _MYSQL_OPTIONS.items()
}
"""Table options for MariaDB: binary collation, so that equal means equal there as on the other databases."""

ID_LENGTH = 36
NUMBER_LENGTH = 64


class Base(DeclarativeBase):
    """Base of all rows; constraint names are fixed so that migrations can name them on every database."""

    metadata = MetaData(naming_convention=_CONVENTION)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC with microseconds: takes and returns aware datetimes on every database.

    A naive datetime is refused with ValueError: nobody could know what it means.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MariaDB for microseconds, which it drops by default, and PostgreSQL for its own notion of an instant."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any aware datetime into UTC; databases without time zones get it without one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone cannot be stored: {value!r}")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant as aware UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class WireText(TypeDecorator[str]):
    """Text of at most ``length`` characters that came from a phone or a trunk, so may hold anything.

    What a database cannot hold (NUL, lone surrogates) becomes U+FFFD, and what is too long is cut: a hostile caller
    id must never keep a call's evidence out of the database.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Clean and cut."""
        del dialect
        return None if value is None else clean_text(value)[: self.length]


class LongText(TypeDecorator[str]):
    """Text without a useful upper limit, cleaned as :class:`WireText` is. Not for indexes."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """MariaDB's plain TEXT ends at 64 KiB."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.LONGTEXT())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Clean."""
        del dialect
        return None if value is None else clean_text(value)


_SUBSTITUTE = "\x1a"
_WRITTEN = {_SUBSTITUTE: f"{_SUBSTITUTE}1", "\0": f"{_SUBSTITUTE}0"}
_MEANT = {written: sign for sign, written in _WRITTEN.items()}
_TO_WRITE = re.compile("[\0\x1a]")
_TO_READ = re.compile("\x1a[01]")


class ReceivedText(TypeDecorator[str]):
    """A number or a name as somebody outside sent it, as :func:`pbx_plugin.domain.numbers.as_received` keeps it.

    The one sign that a database cannot hold, NUL, stands there as SUBSTITUTE and ``0``, and comes back as it was.
    """

    impl = String
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(2 * LONGEST_RECEIVED)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Cut, and write NUL in other words."""
        del dialect
        if value is None:
            return None
        return _TO_WRITE.sub(lambda found: _WRITTEN[found[0]], as_received(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text as it was sent."""
        del dialect
        return None if value is None else _TO_READ.sub(lambda found: _MEANT[found[0]], value)


class ReceivedJson(TypeDecorator[dict[str, Any]]):
    """A JSON object with texts that somebody outside sent: written as :class:`ReceivedText` does, with a mark that says
    so where there was something to write, and read back as it was. Halves of surrogate pairs become U+FFFD.
    """

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> dict[str, Any] | None:
        """Write NUL in other words."""
        del dialect
        if value is None:
            return None
        there = False

        def written(text: str) -> str:
            nonlocal there
            there = there or _TO_WRITE.search(text) is not None
            return clean_text(_TO_WRITE.sub(lambda found: _WRITTEN[found[0]], text))

        plain: dict[str, Any] = _each_text(value, written)
        return {**plain, _SUBSTITUTE: True} if there else plain

    def process_result_value(self, value: dict[str, Any] | None, dialect: Dialect) -> dict[str, Any] | None:
        """Return the object as it was."""
        del dialect
        if value is None or _SUBSTITUTE not in value:
            return value
        rest = {key: item for key, item in value.items() if key != _SUBSTITUTE}
        read: dict[str, Any] = _each_text(rest, lambda text: _TO_READ.sub(lambda found: _MEANT[found[0]], text))
        return read


def clean_text(value: str) -> str:
    """Return the text with everything that a database refuses (NUL, lone surrogates) replaced by U+FFFD."""
    if value.isascii():
        return value.replace("\x00", "\ufffd")
    return "".join("\ufffd" if char == "\x00" or "\ud800" <= char <= "\udfff" else char for char in value)


def clean_json(value: Any) -> Any:
    """Return JSON-able data with :func:`clean_text` done to every text in it, keys included."""
    return _each_text(value, clean_text)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(str(key)): _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return value


def choice(kind: type[StrEnum]) -> Enum:
    """Return the column type of an enumeration: its value as text, so that a new member needs no migration."""
    return Enum(
        kind, native_enum=False, create_constraint=False, length=40, values_callable=lambda e: [m.value for m in e]
    )


BigId = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up itself (SQLite does so only for INTEGER)."""
