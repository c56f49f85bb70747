"""CSV files come in all sorts; whatever goes out comes back, and nothing in it is run by a spreadsheet."""

from __future__ import annotations

import csv

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pbx_plugin.services import csv_table
from pbx_plugin.services.csv_table import Table, guarded, read_table, unguarded, write_table
from pbx_plugin.services.directory import RefusedError

COLUMNS = ("extension", "name", "note")
CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.text(
    alphabet="'=+-@ \t\r\n\",;|＝", max_size=6
)


def read(data: bytes | str) -> Table:
    return read_table(data.encode() if isinstance(data, str) else data, "people.csv", COLUMNS, ("extension",))


def cells(data: bytes | str) -> list[dict[str, str]]:
    return [dict(row.cells) for row in read(data).rows]


@given(st.lists(st.fixed_dictionaries({"extension": st.just("101"), "name": CELLS, "note": CELLS}), max_size=4))
@example([{"extension": "101", "name": "'=cmd|' /C calc'!A0", "note": "' '="}])
@pytest.mark.parametrize("spreadsheet", [False, True])
def test_what_is_written_is_read_back_exactly(spreadsheet: bool, rows: list[dict[str, str]]) -> None:
    assert cells(write_table(COLUMNS, rows, spreadsheet=spreadsheet)) == rows


@given(CELLS)
def test_no_written_cell_begins_as_a_formula(cell: str) -> None:
    shown = guarded(cell)
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
    assert not shown.startswith(("\t", "\r", "\n")) or not shown.strip()
    assert unguarded(shown) == cell


def test_other_programs_read_what_is_written() -> None:
    text = write_table(COLUMNS, [{"extension": "101", "name": 'Ann "A"; B,C', "note": "two\nlines"}])
    assert list(csv.reader(text.splitlines(keepends=True))) == [
        list(COLUMNS),
        ["101", 'Ann "A"; B,C', "two\nlines"],
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"extension,name\n101,\xc3\x86r\xc3\xb8\n",
        "\ufeffextension;name\r\n101;Ærø\r\n",
        "name\textension\nÆrø\t101",
        "Extension , NAME\n\n101,Ærø\n,\n",
        "extension,name\r101,Ærø\r",
        'extension,name\n"101","Ærø"\n',
    ],
)
def test_what_spreadsheets_save_is_read(data: bytes | str) -> None:
    assert cells(data) == [{"extension": "101", "name": "Ærø"}]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("extension,name\n101,Ærø\n".encode("latin-1"), "line 2: byte 0xc6 is not UTF-8"),
        ("extension,name\n101,A\n".encode("utf-16"), "UTF-16: save it as 'CSV UTF-8'"),
        ("extension,name\n101,A\0B\n", "line 2: there is a NUL"),
        ("extension,nmae\n", "line 1: column 'nmae' is not known: the columns are extension, name, note"),
        ("extension,name,name\n", "'name' stands twice"),
        ("name\nA\n", "column 'extension' is missing"),
        ("", "there is no heading"),
        ("extension,name\n101\n", "line 2: there are 1 cells, the heading has 2"),
        ('extension,name\n101,"A\n', "not CSV"),
        ('extension,name\n101,"A"B\n', "line 2: this is not CSV"),
        ("extension,name\n101,A\n102," + "x" * 70_000 + "\n", "line 3, column 'name', value 'xxxxx"),
        ("extension,name\n101," + "x" * 200_000 + "\n", "line 2"),
    ],
)
def test_what_is_no_table_is_refused_with_file_and_line(data: bytes | str, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read(data)
    assert "people.csv" in str(refused.value)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 400


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    table = read('extension,name\n101,"two\nlines"\n\n102,B\n')
    assert [row.line for row in table.rows] == [2, 5]


def test_signs_that_only_look_like_line_ends_stay_in_the_cell() -> None:
    assert cells('extension,name\n101,"a\u2028b\x0bc\x85d"\n')[0]["name"] == "a\u2028b\x0bc\x85d"


def test_too_many_rows_and_too_large_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "MOST_ROWS", 2)
    with pytest.raises(RefusedError, match="more than 2 rows"):
        read("extension\n1\n2\n3\n")
    monkeypatch.setattr(csv_table, "LARGEST", 5)
    with pytest.raises(RefusedError, match="at most 5"):
        read("extension\n1\n")
