"""What finding recordings costs among very many of them, on each database that is here: every filter, the worst pairs.

What is measured is what a page of the portal asks for: choosing what leads, the rows, their calls' other segments,
media, names; and the count, which the page fetches by itself. From a client on the same machine, one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, select

from pbx_plugin.db.engine import make_engine, reading
from pbx_plugin.db.models import RecordingRow
from pbx_plugin.db.search import DatabaseSearch
from pbx_plugin.db.search_plan import key_of
from pbx_plugin.domain.access import Scope
from pbx_plugin.sandbox import bench_search_rows as rows
from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, Table, number
from pbx_plugin.sandbox.bench_search_servers import SERVERS, Server
from pbx_plugin.services.search_cursor import Cursor
from pbx_plugin.services.searching import Search, read

Say = Callable[[str], None]

JUDGED = 100_000
"""Of fewer recordings a page says nothing of many."""
AIM_MS = 50.0
PAGE = 50
DEEP = 999 * PAGE
"""Rows before the thousandth page."""

ALL = ("period", "all")
ALONE: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("nothing but today", ()),
    ("everything", (ALL,)),
    ("last 7 days", (("period", "last-7-days"),)),
    ("last month", (("period", "last-month"),)),
    ("a day a year ago", (("period", "custom"), ("from", rows.OLD_DAY), ("to", rows.OLD_DAY))),
    ("extension", (ALL, ("user", "1017"))),
    ("five extensions", (ALL, *(("user", str(1100 + n)) for n in range(5)))),
    ("user by name", (ALL, ("user", "User 17 "))),
    ("department", (ALL, ("department", "Department 3"))),
    ("district", (ALL, ("district", "District 2"))),
    ("own number", (ALL, ("own", "1017"))),
    ("other number", (ALL, ("number", "31 00 00 17"))),
    ("other number, its beginning", (ALL, ("number", "3100*"))),
    ("DDI", (ALL, ("ddi", "70101017"))),
    ("incoming", (ALL, ("direction", "incoming"))),
    ("internal", (ALL, ("direction", "internal"))),
    ("1 to 2 minutes", (ALL, ("longer", "60"), ("shorter", "120"))),
    ("longer than an hour", (ALL, ("longer", "3600"))),
    ("red", (ALL, ("flag", "red"))),
    ("no flag", (ALL, ("flag", "none"))),
    ("a common tag", (ALL, ("tag", "tag 1"))),
    ("a rare tag", (ALL, ("tag", "rare"))),
    ("API tag", (ALL, ("api_tag", "crm 1"))),
    ("a rare API tag", (ALL, ("api_tag", "rare"))),
    ("outcome", (ALL, ("outcome", "outcome 3"))),
    ("response", (ALL, ("response", "response 2"))),
    ("evaluated", (ALL, ("evaluated", "yes"))),
    ("not evaluated", (ALL, ("evaluated", "no"))),
    ("failed", (ALL, ("state", "failed"))),
    ("a common word", (ALL, ("text", "order"))),
    ("two common words", (ALL, ("text", "order late"))),
    ("a rare word", (ALL, ("text", "zebra"))),
    ("the beginning of a word", (ALL, ("text", "inv*"))),
    ("time of day", (ALL, ("time", "08:00-09:00"))),
    ("time of day at night", (ALL, ("time", "23:00-04:00"))),
    ("office hours", (ALL, ("hours", "office"))),
    ("outside office hours", (ALL, ("hours", "outside"))),
)
PAIRS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("red, evaluated", (ALL, ("flag", "red"), ("evaluated", "yes"))),
    ("internal, longer than 30 minutes", (ALL, ("direction", "internal"), ("longer", "1800"))),
    ("outcome, response", (ALL, ("outcome", "outcome 3"), ("response", "response 2"))),
    ("outcome, tag: nothing has both", (ALL, ("outcome", "outcome 1"), ("tag", "never 1"))),
    ("incoming, DDI", (ALL, ("direction", "incoming"), ("ddi", "70101017"))),
    ("a common word, red", (ALL, ("text", "order"), ("flag", "red"))),
    ("a common word, a user", (ALL, ("text", "order"), ("user", "1017"))),
    ("a common word, failed", (ALL, ("text", "order"), ("state", "failed"))),
    ("API tag, outcome", (ALL, ("api_tag", "crm 1"), ("outcome", "outcome 3"))),
    ("number's beginning, department", (ALL, ("number", "3100*"), ("department", "Department 3"))),
    ("department, evaluated", (ALL, ("department", "Department 3"), ("evaluated", "yes"))),
    ("at night, blue", (ALL, ("time", "23:00-04:00"), ("flag", "blue"))),
    ("outside office hours, longer than 30 minutes", (ALL, ("hours", "outside"), ("longer", "1800"))),
    ("longest first", (ALL, ("sort", "-length"))),
    ("longest first, last month, red", (("period", "last-month"), ("sort", "-length"), ("flag", "red"))),
    ("longest first, a common word", (ALL, ("sort", "-length"), ("text", "order"))),
    ("by user, incoming", (ALL, ("sort", "user"), ("direction", "incoming"))),
    ("by number, outcome", (ALL, ("sort", "number"), ("outcome", "outcome 3"))),
    ("oldest first, red", (ALL, ("sort", "date"), ("flag", "red"))),
)
SCOPES: tuple[tuple[str, Scope], ...] = (
    ("own recordings only", Scope(rows.TENANT, person_id="person-17")),
    ("one department", Scope(rows.TENANT, department_ids=frozenset({"department-3"}))),
    ("ten departments", Scope(rows.TENANT, department_ids=frozenset(f"department-{n}" for n in range(10)))),
    ("a recording group", Scope(rows.TENANT, recording_group_ids=frozenset({"group-1"}))),
)
EVERYTHING = Scope(rows.TENANT, everything=True)


@dataclass(frozen=True, slots=True)
class Measured:
    """One search on one database, in milliseconds: the first page, the thousandth (None where there is none)."""

    name: str
    first: Spread
    deep: Spread | None
    count: Spread
    found: str


def measure(folder: Path, recordings: int, rounds: int, say: Say) -> Result:
    """Measure on every database that is here."""
    began = time.monotonic()
    folder.mkdir(mode=0o755)
    found: dict[str, list[Measured]] = {}
    missing: list[str] = []
    for kind in SERVERS:
        server = kind(folder / kind.name)
        if not server.there():
            missing.append(f"{kind.title} is not here ({kind.package}): not measured.")
            continue
        with _filled(server, recordings, say) as engine:
            found[kind.title] = list(_searched(engine, rounds, partial(_say_of, say, kind.title)))
    return _result(found, recordings, rounds, missing, time.monotonic() - began)


def _say_of(say: Say, title: str, what: str) -> None:
    say(f"{title}: {what}")


@contextmanager
def _filled(server: Server, recordings: int, say: Say) -> Iterator[Engine]:
    try:
        say(f"{server.title}: starting")
        url = server.start()
        say(f"{server.title}: {recordings:,} recordings are written")
        rows.fill(url, recordings)
        engine = make_engine(url, busy_ms=10_000)
        try:
            yield engine
        finally:
            engine.dispose()
    finally:
        server.stop()


def _searched(engine: Engine, rounds: int, say: Say) -> Iterator[Measured]:
    cases = [(name, EVERYTHING, pairs) for name, pairs in (*ALONE, *PAIRS)]
    cases += [(f"{name}, {what}", scope, pairs) for name, scope in SCOPES for what, pairs in _SEEN]
    for name, scope, pairs in cases:
        say(name)
        yield _one(engine, name, scope, read([*pairs, ("limit", "0")]), rounds)


_SEEN = (
    ("everything", (ALL,)),
    ("red", (ALL, ("flag", "red"))),
    ("a common word", (ALL, ("text", "order"))),
)


def _one(engine: Engine, name: str, scope: Scope, search: Search, rounds: int) -> Measured:
    database = DatabaseSearch(engine)
    first = _timed(lambda: database.page(scope, search, rows.NOW, size=PAGE), rounds)
    counted = database.count(scope, search, rows.NOW)
    deep = None
    if counted.more or counted.number > PAGE:
        last = database.ids(scope, search, rows.NOW, most=min(DEEP, counted.number - 1) if not counted.more else DEEP)[
            -1
        ]
        cursor = _cursor(engine, search, last)
        deep = _timed(lambda: database.page(scope, search, rows.NOW, size=PAGE, after=cursor), rounds)
    count = _timed(lambda: database.count(scope, search, rows.NOW), max(3, rounds // 3))
    return Measured(name, first, deep, count, f"{counted.number:,}{'+' if counted.more else ''}")


def _cursor(engine: Engine, search: Search, row_id: str) -> Cursor:
    with reading(engine) as session:
        row = session.scalars(select(RecordingRow).where(RecordingRow.id == row_id)).one()
    key = key_of(search.sort)
    return Cursor(search.sort, None if key is None else getattr(row, key.key), row.at, row.id, 0)


def _timed(work: Callable[[], object], rounds: int) -> Spread:
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return Spread.of(taken)


def _result(
    found: dict[str, list[Measured]], recordings: int, rounds: int, missing: Sequence[str], seconds: float
) -> Result:
    tables, aims, figures = [], [], {}
    for title, measured in found.items():
        head = (title, "found", "first page p50 ms", "p95", "1000th or last page p50 ms", "p95", "count p50 ms")
        lines = [_line(one) for one in measured]
        tables.append(Table(head, tuple(lines)))
        slow = [one for one in measured if max(_pages(one)) > AIM_MS]
        worst = max(max(_pages(one)) for one in measured)
        reached = f"{len(measured) - len(slow)} of {len(measured)}; the slowest {number(worst)} ms"
        wanted = f"{title}: a page of any search among {recordings:,} within {AIM_MS:g} ms (p95)"
        if recordings >= JUDGED:
            aims.append(Aim(wanted, reached, not slow))
        figures[f"{title}: slowest page, p95 ms"] = worst
        figures[f"{title}: searches over {AIM_MS:g} ms"] = len(slow)
    return Result(
        name="search",
        title="Finding recordings",
        method=(
            f"{recordings:,} recordings of a year and {rows.PEOPLE} users in one company, {rows.NOTED:.0%} with "
            f"notes. A page is {PAGE} recordings with their calls' other segments, as the portal asks for it; the "
            "thousandth page begins behind 49,950 rows (where fewer are found, the last one is asked for). A count "
            "ends at 10,000 and is fetched by the page afterwards."
        ),
        runs=f"{rounds} times each, after one that is not counted; the database's own settings as installed.",
        tables=tuple(tables),
        aims=tuple(aims),
        remarks=tuple(missing),
        figures=figures,
        seconds=seconds,
    )


def _pages(one: Measured) -> list[float]:
    return [spread.percentile(95) for spread in (one.first, one.deep) if spread is not None]


def _line(one: Measured) -> tuple[str, ...]:
    deep = (number(one.deep.median), number(one.deep.percentile(95))) if one.deep else ("-", "-")
    first = (number(one.first.median), number(one.first.percentile(95)))
    return (one.name, one.found, *first, *deep, number(one.count.median))
