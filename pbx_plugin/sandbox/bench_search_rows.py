"""A company's year of recordings, written in bulk: the same rows on every database, by each one's quickest way."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, insert, inspect, text

from pbx_plugin.db.apply_rows import table_of
from pbx_plugin.db.engine import WRITES, make_engine, writing
from pbx_plugin.db.migrate import upgrade
from pbx_plugin.db.models import (
    CallTagRow,
    ChoiceRow,
    DepartmentRow,
    MediaRow,
    MediaState,
    PersonRow,
    PersonUnitRow,
    PolicyVersionRow,
    RecordingGroupMemberRow,
    RecordingGroupRow,
    RecordingRow,
    RecordingTextRow,
    TenantRow,
    UnitRow,
)
from pbx_plugin.db.rulebook import policy_body
from pbx_plugin.domain.policy import PolicyVersion
from pbx_plugin.domain.schedule import Schedule, Span
from pbx_plugin.domain.working import ChoiceKind
from pbx_plugin.services.people_records import Role, UnitKind
from pbx_plugin.services.search_times import week_minute

TENANT: Final = str(uuid.UUID(int=1))
NOW: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
OLD_DAY: Final = "2025-12-03"
PEOPLE: Final = 500
NOTED: Final = 0.1
_MEDIA: Final = 1000
_AT_ONCE: Final = 10_000
_WORDS: Final = [
    "order",
    "late",
    "invoice",
    "delivery",
    "price",
    "call",
    "back",
    "customer",
    "angry",
    "happy",
    "refund",
    "contract",
    "renewal",
    "router",
]
_HOURS: Final = [8] * 3 + [9, 10, 11, 12, 13, 14, 15, 16] * 5 + [17, 18, 19, 23, 2]


def fill(url: str, recordings: int) -> None:
    """Make the schema and write everything; indices are made at the end, as one would after a large import."""
    upgrade(url)
    engine = make_engine(url, busy_ms=10_000)
    try:
        with writing(engine) as session:
            _company(session.connection())
        random_numbers = random.Random(7)  # noqa: S311  (the same rows every time, not secrets)
        with _without_indices(engine, table_of(RecordingRow)):
            _bulk(engine, table_of(RecordingRow), _recordings(recordings, random_numbers))
        _bulk(engine, table_of(RecordingTextRow), _texts(recordings))
        _bulk(engine, table_of(CallTagRow), _tags(recordings))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE TABLE recording" if engine.dialect.name in _MARIA else "ANALYZE"))
    finally:
        engine.dispose()


_MARIA: Final = ("mysql", "mariadb")


def _company(connection: Connection) -> None:
    def add(kind: Any, values: Sequence[dict[str, Any]]) -> None:
        connection.execute(insert(kind), values)

    add(TenantRow, [{"id": TENANT, "name": "Benchmark", "country": "DK", "language": "en"}])
    week = Schedule("Europe/Copenhagen", tuple(Span(day, 8 * 60, 17 * 60) for day in range(5)))
    policy = {"tenant_id": TENANT, "number": 1, "author": "", "at": NOW, "comment": ""}
    add(PolicyVersionRow, [policy | {"body": policy_body(PolicyVersion(TENANT, 1, schedule=week))}])
    departments = [{"id": f"department-{n}", "tenant_id": TENANT, "name": f"Department {n}"} for n in range(20)]
    add(DepartmentRow, departments)
    people = [
        {
            "id": f"person-{n}",
            "tenant_id": TENANT,
            "name": f"User {n} Benchmark",
            "extension": str(1000 + n),
            "department_id": f"department-{n % 20}",
        }
        for n in range(PEOPLE)
    ]
    add(PersonRow, people)
    units = [
        {"id": f"district-{n}", "tenant_id": TENANT, "kind": UnitKind.DISTRICT, "name": f"District {n}"}
        for n in range(8)
    ]
    add(UnitRow, units)
    of_unit = {"tenant_id": TENANT, "kind": UnitKind.DISTRICT}
    add(PersonUnitRow, [of_unit | {"person_id": f"person-{n}", "unit_id": f"district-{n % 8}"} for n in range(PEOPLE)])
    add(RecordingGroupRow, [{"id": "group-1", "tenant_id": TENANT, "name": "Group 1"}])
    member = {"tenant_id": TENANT, "group_id": "group-1", "role": Role.MEMBER}
    add(RecordingGroupMemberRow, [member | {"person_id": f"person-{n}"} for n in range(0, PEOPLE, 20)])
    for kind, many in ((ChoiceKind.OUTCOME, 8), (ChoiceKind.RESPONSE, 6)):
        lists = {"tenant_id": TENANT, "kind": kind}
        add(ChoiceRow, [lists | {"id": f"{kind} {n}", "text": f"{kind} {n}", "position": n} for n in range(many)])
    media = {"tenant_id": TENANT, "state": MediaState.STORED, "intended_at": NOW, "remarks": []}
    add(MediaRow, [media | {"id": f"media-{n}"} for n in range(_MEDIA)])


def _recordings(count: int, numbers: random.Random) -> Iterator[dict[str, Any]]:
    day, per_day, call = NOW.replace(hour=0), max(1, count // 366), 0
    for n in range(count):
        back, within = divmod(n, per_day)
        hour = numbers.choice(_HOURS) if back else numbers.randrange(15)
        at = day - timedelta(days=back) + timedelta(hours=hour, seconds=within % 3600, microseconds=n % 1_000_000)
        # Every tenth call has further segments.
        call += 1 if n % 13 not in (4, 5, 9) else 0
        person = numbers.randrange(PEOPLE)
        far = int(numbers.paretovariate(0.35)) % 50_000
        direction = numbers.choices(("incoming", "outgoing", "internal"), (55, 40, 5))[0]
        other = "" if direction == "internal" else f"+4531{far:06}"
        raw = str(1000 + far % PEOPLE) if direction == "internal" else f"31{far:06}"
        marked = numbers.random()
        yield {
            "id": str(uuid.UUID(int=numbers.getrandbits(128))),
            "media_id": f"media-{n % _MEDIA}",
            "call_id": str(uuid.UUID(int=call)),
            "tenant_id": TENANT,
            "person_id": f"person-{person}",
            "decision_id": f"decision-{n}",
            "segment": 1,
            "at": at,
            "user_side": "left",
            "direction": direction,
            "user_name": f"User {person} Benchmark",
            "extension": str(1000 + person),
            "other_raw": raw,
            "other_e164": other,
            "ddi": f"+457010{1000 + n % 200}" if direction == "incoming" else "",
            "group_id": "",
            "evidence_id": "",
            "rule": 9,
            "policy_version": 1,
            "deletable_by_hand": True,
            "retention_days": 365,
            "week_minute": week_minute(at),
            "other_number": other or raw,
            "state": numbers.choices(("stored", "failed", "erased"), (990, 7, 3))[0],
            "length_ms": int(numbers.lognormvariate(11.6, 1.1)),
            "flag": "red" if marked < 0.02 else "blue" if marked < 0.05 else "green" if marked < 0.1 else None,
            "tag": _tag(n, numbers),
            "outcome": f"outcome {int(marked * 1000) % 8}" if 0.1 <= marked < 0.4 else None,
            "response": f"response {int(marked * 1000) % 6}" if 0.2 <= marked < 0.4 else None,
            "evaluated": True if 0.01 <= marked < 0.04 else None,
        }


def _tag(n: int, numbers: random.Random) -> str | None:
    if n % 100_003 == 17:
        return "rare"
    if n % 17 == 0:
        return f"tag {int(numbers.paretovariate(0.8)) % 200}"
    return None


def _texts(count: int) -> Iterator[dict[str, Any]]:
    numbers, order = random.Random(7), random.Random(8)  # noqa: S311
    for n, row in enumerate(_recordings(count, numbers)):
        if n % 10 == 3:
            words = [*order.sample(_WORDS, order.randrange(3, 8)), f"no{order.randrange(5000)}"]
            words += ["zebra"] if n % 100_000 == 3 else []
            yield {"seq": n + 1, "tenant_id": TENANT, "recording_id": row["id"], "text": f" {' '.join(words)} "}


def _tags(count: int) -> Iterator[dict[str, Any]]:
    for call in range(1, count * 10 // 13, 20):
        name = "rare" if call % 100_000 == 1 else f"crm {call // 20 % 5}"
        tag = {"tenant_id": TENANT, "slot": 1, "author": "", "at": NOW}
        yield tag | {"name": str(uuid.UUID(int=call)), "text": name}


class _without_indices:  # noqa: N801  (used as a statement)
    """Drop a table's indices but for its keys, and make them again at the end."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self._engine, self._table = engine, table

    def __enter__(self) -> None:
        there = {index["name"] for index in inspect(self._engine).get_indexes(self._table.name)}
        self._dropped = [index for index in self._table.indexes if index.name in there]
        with self._engine.begin() as connection:
            for index in self._dropped:
                index.drop(connection)

    def __exit__(self, *_: object) -> None:
        for index in self._dropped:
            with self._engine.begin() as connection:
                index.create(connection)


def _bulk(engine: Engine, table: Table, values: Iterator[dict[str, Any]]) -> None:
    if engine.dialect.name == "postgresql":
        _copy(engine, table, values)
    elif engine.dialect.name in _MARIA:
        _load(engine, table, values)
    else:
        with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            for some in _batches(values):
                connection.execute(insert(table), some)


def _batches(values: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while some := [value for value, _ in zip(values, range(_AT_ONCE), strict=False)]:
        yield some


def _copy(engine: Engine, table: Table, values: Iterator[dict[str, Any]]) -> None:
    first = next(values)
    columns = ", ".join(f'"{name}"' for name in first)
    raw = engine.raw_connection()
    try:
        with raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:  # type: ignore[attr-defined]
            copy.write_row(tuple(first.values()))
            for value in values:
                copy.write_row(tuple(value.values()))
        raw.commit()
    finally:
        raw.close()


def _load(engine: Engine, table: Table, values: Iterator[dict[str, Any]]) -> None:
    for some in _batches(values):
        with engine.begin() as connection:
            connection.execute(insert(table), some)
