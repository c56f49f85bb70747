"""CSV files as tables, and tables as CSV files: what spreadsheets write is read, what they would run is made harmless.

Reading takes UTF-8 with or without a byte order mark, ``,`` ``;`` or tab between cells, and any line ends. Writing
follows RFC 4180. A cell that a spreadsheet would take for a formula gets a single quote in front, and reading takes
one away from such a cell again, so that what was exported comes back exactly (OWASP, *CSV Injection*).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pbx_plugin.services.directory import RefusedError

LARGEST = 64 * 1024 * 1024
"""Bytes; a larger file is refused unread."""
LONGEST_CELL = 65_536
MOST_ROWS = 200_000
LIST_SIGN = "|"
"""Stands between several values in one cell: devices, direct numbers, members."""

_FORMULA = re.compile(r"[\s']*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_QUOTED_FORMULA = re.compile(r"'[\s']*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of a table: where it stands, and its cells by column."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was read: from where (for complaints), which columns it has, and its rows."""

    source: str
    columns: frozenset[str]
    rows: Sequence[TableRow]

    def wrong(self, row: TableRow, column: str, why: str) -> RefusedError:
        """Return the complaint about a cell: file, line, column, value and why."""
        return RefusedError(
            f"{self.source}, line {row.line}, column {column!r}, value {shown(row.cells.get(column, ''))}: {why}"
        )


def read_table(data: bytes, source: str, columns: Sequence[str], needed: Iterable[str]) -> Table:
    """Return the table that a file holds. ``columns`` are those that it may have, in any order, ``needed`` it must.

    Raises RefusedError naming the file and the line for anything that is no such table.
    """
    text = _decoded(data, source)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=_delimiter(text), strict=True)
    try:
        header = _header(next(reader, []), source, columns, needed)
        rows: list[TableRow] = []
        while True:
            line = lines.read + 1
            cells = next(reader, None)
            if cells is None:
                return Table(source, frozenset(header), rows)
            if any(cell.strip() for cell in cells):
                rows.append(_row(source, line, header, cells))
            if len(rows) > MOST_ROWS:
                raise RefusedError(f"{source} has more than {MOST_ROWS} rows: split it")
    except csv.Error as error:
        raise RefusedError(f"{source}, line {lines.read}: this is not CSV: {error}") from error


def write_table(columns: Sequence[str], rows: Iterable[Mapping[str, str]], *, spreadsheet: bool = False) -> str:
    """Return a table as CSV. ``spreadsheet`` adds what Excel needs to open it by a click: a mark, ``;`` and CRLF."""
    delimiter, end = (";", "\r\n") if spreadsheet else (",", "\n")
    lines = [delimiter.join(_written(cell) for cell in columns)]
    lines += [delimiter.join(_written(guarded(row.get(column, ""))) for column in columns) for row in rows]
    return ("\ufeff" if spreadsheet else "") + end.join(lines) + end


def guarded(cell: str) -> str:
    """Return a cell as it may stand in a file that somebody opens in a spreadsheet."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return what :func:`guarded` was given."""
    return cell[1:] if _QUOTED_FORMULA.match(cell) else cell


def several(cell: str) -> list[str]:
    """Return the values in a cell that may hold several."""
    return [value.strip() for value in cell.split(LIST_SIGN) if value.strip()]


def joined(values: Iterable[str]) -> str:
    """Return several values as one cell."""
    return LIST_SIGN.join(values)


def shown(text: str) -> str:
    """Return a value as it may stand in a complaint: quoted, escaped, of bounded length."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def checked(table: Table, row: TableRow, column: str, read: Callable[[str], str]) -> str:
    """Return what ``read`` makes of a cell; its RefusedError is told with file, line, column and value."""
    try:
        return read(row.cells[column])
    except RefusedError as error:
        raise table.wrong(row, column, str(error)) from error


class _Lines:
    """The text's lines with their ends, counted; only line ends that CSV knows end a line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.read = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._at >= len(self._text):
            raise StopIteration
        end = self._text.find("\n", self._at) + 1 or len(self._text)
        line, self._at = self._text[self._at : end], end
        self.read += 1
        return line


def _decoded(data: bytes, source: str) -> str:
    if len(data) > LARGEST:
        raise RefusedError(f"{source} has {len(data)} bytes: at most {LARGEST} are read")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RefusedError(f"{source} is UTF-16: save it as 'CSV UTF-8'")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RefusedError(
            f"{source}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8 (perhaps the file is Latin-1 or "
            "Windows-1252): save it as 'CSV UTF-8'"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise RefusedError(f"{source}, line {line}: there is a NUL character: this is no text file")
    return text if "\n" in text else text.replace("\r", "\n")


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _header(cells: Sequence[str], source: str, columns: Sequence[str], needed: Iterable[str]) -> list[str]:
    header = [cell.strip().casefold().replace(" ", "_") for cell in cells]
    if not any(header):
        raise RefusedError(f"{source}, line 1: there is no heading: its columns are {', '.join(columns)}")
    for position, name in enumerate(header):
        if name not in columns:
            raise RefusedError(
                f"{source}, line 1: column {shown(cells[position])} is not known: the columns are {', '.join(columns)}"
            )
        if name in header[:position]:
            raise RefusedError(f"{source}, line 1: column {name!r} stands twice")
    missing = [name for name in needed if name not in header]
    if missing:
        raise RefusedError(f"{source}, line 1: column {missing[0]!r} is missing")
    return header


def _row(source: str, line: int, header: Sequence[str], cells: Sequence[str]) -> TableRow:
    if len(cells) != len(header):
        raise RefusedError(f"{source}, line {line}: there are {len(cells)} cells, the heading has {len(header)}")
    for column, cell in zip(header, cells, strict=True):
        if len(cell) > LONGEST_CELL:
            raise RefusedError(
                f"{source}, line {line}, column {column!r}, value {shown(cell)}: {len(cell)} characters are too many"
            )
    return TableRow(line, {column: unguarded(cell) for column, cell in zip(header, cells, strict=True)})


def _written(cell: str) -> str:
    if any(sign in cell for sign in ',;\t"\r\n') or cell != cell.strip():
        return '"' + cell.replace('"', '""') + '"'
    return cell
