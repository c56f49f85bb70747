"""Every filter, alone and in pairs, finds what a plain reading of it finds; and nobody finds more than they see."""

from __future__ import annotations

import os
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from company import policy
from hostile_words import NO_TEXT, TEXTS
from sqlalchemy import Engine, insert

from pbx_plugin.db import search_plan
from pbx_plugin.db.engine import make_engine, writing
from pbx_plugin.db.migrate import current, downgrade, upgrade
from pbx_plugin.db.models import (
    CallAliasRow,
    CallTagRow,
    ChoiceRow,
    DepartmentRow,
    MediaRow,
    MediaState,
    PersonRow,
    PersonUnitRow,
    RecordingGroupMemberRow,
    RecordingGroupRow,
    RecordingNoteRow,
    RecordingRow,
    TenantRow,
    UnitRow,
)
from pbx_plugin.db.search import DatabaseSearch
from pbx_plugin.db.search_copies import follow_notes
from pbx_plugin.domain.access import Scope
from pbx_plugin.domain.schedule import Schedule, Span
from pbx_plugin.domain.working import ChoiceKind
from pbx_plugin.services.people_records import Role, UnitKind
from pbx_plugin.services.search_cursor import read as read_cursor
from pbx_plugin.services.search_cursor import tell
from pbx_plugin.services.searching import Search, SearchError, Sort, read

pytestmark = pytest.mark.wide

SQLITE = "sqlite"
DATABASES = [SQLITE, *os.environ.get("PBX_PLUGIN_TEST_DATABASES", "").split()]
"""See conftest.py."""
TENANT, OTHER = "tenant-1", "tenant-2"
ZONE = ZoneInfo("Europe/Copenhagen")
NOW = datetime(2026, 10, 27, 15, 0, tzinfo=UTC)
"""Two days after the clocks were set back."""
WEEK = Schedule("Europe/Copenhagen", (*(Span(day, 480, 1020) for day in range(5)), Span(4, 1320, 1560)))
ALL = ("period", "all")
Case = tuple[tuple[tuple[str, str], ...], Callable[["Fact"], bool]]


@dataclass(frozen=True)
class Fact:
    """A recording as people would tell of it."""

    id: str
    call_id: str
    at: datetime
    person: int
    direction: str
    other_raw: str
    other_e164: str
    ddi: str
    seconds: int
    flag: str
    tag: str
    outcome: str
    response: str
    evaluated: bool
    state: str
    notes: tuple[str, ...]
    api_tag: str
    deleted: bool

    @property
    def local(self) -> datetime:
        return self.at.astimezone(ZONE)


def facts() -> list[Fact]:
    dice = random.Random(3)
    found = []
    for n in range(240):
        spread = timedelta(minutes=dice.randrange(40 * 24 * 60)) if n % 3 else timedelta(minutes=dice.randrange(4000))
        far = dice.choice(("31200118", "31200119", "31209999", "anonymous", "", "102"))
        found.append(
            Fact(
                id=f"recording-{dice.getrandbits(40):010x}",
                call_id=f"call-{n // 2 if n % 5 else n}",
                at=NOW - spread + timedelta(microseconds=n),
                person=dice.randrange(6),
                direction=dice.choice(("incoming", "outgoing", "internal")),
                other_raw=far,
                other_e164=f"+45{far}" if len(far) == 8 else "",
                ddi=dice.choice(("+4570101010", "+4570101011", "")),
                seconds=dice.choice((0, 1, 59, 60, 61, 600, 4000)),
                flag=dice.choice(("none", "none", "green", "red", "blue")),
                tag=dice.choice(("", "", "vip", "VIP", "%_")),
                outcome=dice.choice(("", "Sold", "Lost")),
                response=dice.choice(("", "Happy")),
                evaluated=dice.random() < 0.2,
                state=dice.choice(("stored", "stored", "live", "failed", "erased")),
                notes=dice.choice(((), (), ("The Order is LATE",), ("Ærø café", "x refund-no. 12"), ("order",))),
                api_tag=dice.choice(("", "", "crm")),
                deleted=dice.random() < 0.05,
            )
        )
    return found


FACTS = facts()
TAGGED = {fact.call_id for fact in FACTS if fact.api_tag}
DEPARTMENTS = (0, 0, 1, 1, None, 0)
NAMES = ("Anna Ørsted", "Bo 50%", "Cilla", "Dan_", "Eva", "Finn")
DAY = NOW.astimezone(ZONE).date()


def minutes(fact: Fact) -> int:
    return fact.local.hour * 60 + fact.local.minute


def words(fact: Fact) -> set[str]:
    plain = " ".join(fact.notes).lower().replace("é", "e").replace("-", " ").replace(".", " ")
    return set(plain.split())


CASES: dict[str, Case] = {
    "today": ((("period", "today"),), lambda f: f.local.date() == DAY),
    "yesterday": ((("period", "yesterday"),), lambda f: f.local.date() == DAY - timedelta(days=1)),
    "the day that has 25 hours": (
        (("period", "custom"), ("from", "2026-10-25"), ("to", "2026-10-25")),
        lambda f: f.local.date().isoformat() == "2026-10-25",
    ),
    "last week": ((("period", "last-week"),), lambda f: "2026-10-19" <= f.local.date().isoformat() <= "2026-10-25"),
    "this month": ((("period", "this-month"),), lambda f: f.local.month == 10),
    "last month": ((("period", "last-month"),), lambda f: f.local.month == 9),
    "morning": ((ALL, ("time", "08:00-09:30")), lambda f: 480 <= minutes(f) < 570),
    "night": ((ALL, ("time", "22:00-03:00")), lambda f: minutes(f) >= 1320 or minutes(f) < 180),
    "office": ((ALL, ("hours", "office")), lambda f: WEEK.covers(f.local)),
    "outside": ((ALL, ("hours", "outside")), lambda f: not WEEK.covers(f.local)),
    "extension": ((ALL, ("user", "101")), lambda f: f.person == 1),
    "user": ((ALL, ("user", "anna")), lambda f: f.person == 0),
    "percent": ((ALL, ("user", "50%")), lambda f: f.person == 1),
    "two users": ((ALL, ("user", "102"), ("user", "Anna")), lambda f: f.person in (0, 2)),
    "department": ((ALL, ("department", "Sales")), lambda f: DEPARTMENTS[f.person] == 0),
    "undefined": ((ALL, ("department", "Undefined")), lambda f: DEPARTMENTS[f.person] is None),
    "district": ((ALL, ("district", "North")), lambda f: f.person in (0, 3)),
    "cost centre": ((ALL, ("cost_centre", "North")), lambda f: f.person == 4),
    "own extension": ((ALL, ("own", "103")), lambda f: f.person == 3),
    "own DDI": ((ALL, ("own", "70 10 10 10")), lambda f: f.ddi == "+4570101010" or f.person == 5),
    "number": ((ALL, ("number", "+45 31 20 01 18")), lambda f: f.other_raw == "31200118"),
    "national": ((ALL, ("number", "31200118")), lambda f: f.other_raw == "31200118"),
    "abroad": ((ALL, ("number", "0045 3120 0119")), lambda f: f.other_raw == "31200119"),
    "beginning": ((ALL, ("number", "312001*")), lambda f: f.other_raw in ("31200118", "31200119")),
    "internal number": ((ALL, ("number", "102")), lambda f: f.other_raw == "102"),
    "anonymous": ((ALL, ("number", "Anonymous")), lambda f: f.other_raw == "anonymous"),
    "ddi": ((ALL, ("ddi", "70101011")), lambda f: f.ddi == "+4570101011"),
    "incoming": ((ALL, ("direction", "incoming")), lambda f: f.direction == "incoming"),
    "not internal": (
        (ALL, ("direction", "incoming"), ("direction", "outgoing")),
        lambda f: f.direction != "internal",
    ),
    "a minute": ((ALL, ("longer", "60"), ("shorter", "1:00")), lambda f: f.seconds == 60),
    "short": ((ALL, ("shorter", "0")), lambda f: f.seconds == 0),
    "red": ((ALL, ("flag", "red")), lambda f: f.flag == "red"),
    "red or none": ((ALL, ("flag", "red"), ("flag", "none")), lambda f: f.flag in ("red", "none")),
    "no flag": ((ALL, ("flag", "none")), lambda f: f.flag == "none"),
    "tag": ((ALL, ("tag", "vip")), lambda f: f.tag == "vip"),
    "tag of signs": ((ALL, ("tag", "%_")), lambda f: f.tag == "%_"),
    "api tag": ((ALL, ("api_tag", "crm")), lambda f: f.call_id in TAGGED),
    "outcome": ((ALL, ("outcome", "Sold")), lambda f: f.outcome == "Sold"),
    "outcomes": ((ALL, ("outcome", "Sold"), ("outcome", "Lost")), lambda f: bool(f.outcome)),
    "response": ((ALL, ("response", "Happy")), lambda f: bool(f.response)),
    "evaluated": ((ALL, ("evaluated", "yes")), lambda f: f.evaluated),
    "not evaluated": ((ALL, ("evaluated", "no")), lambda f: not f.evaluated),
    "failed": ((ALL, ("state", "failed")), lambda f: f.state == "failed"),
    "a word": ((ALL, ("text", "order")), lambda f: "order" in words(f)),
    "two words": ((ALL, ("text", "late order")), lambda f: {"late", "order"} <= words(f)),
    "accents": ((ALL, ("text", "cafe")), lambda f: "cafe" in words(f)),
    "small words": ((ALL, ("text", "the is x")), lambda f: {"the", "is", "x"} <= words(f)),
    "a beginning": ((ALL, ("text", "ref* 12")), lambda f: "refund" in words(f)),
    "only signs": ((ALL, ("text", "!?")), lambda f: False),
}


HOSTILE = [
    *TEXTS.values(),
    *NO_TEXT.values(),
    "'",
    "' OR 1=1 --",
    '" OR *',
    "%",
    "_",
    "NEAR(",
    "a AND",
    "-x",
    "\\",
    "🙂",
]


def fill(engine: Engine) -> None:
    with writing(engine) as session:
        session.add_all([TenantRow(id=TENANT, name="One"), TenantRow(id=OTHER, name="Two")])
        session.flush()
        session.add(policy(1, schedule=WEEK))
        session.add_all(
            [DepartmentRow(id=f"d{n}", tenant_id=TENANT, name=name) for n, name in enumerate(("Sales", "Legal"))]
        )
        session.add_all([UnitRow(id=f"u-{kind}", tenant_id=TENANT, kind=kind, name="North") for kind in UnitKind])
        session.add(RecordingGroupRow(id="g", tenant_id=TENANT, name="Night"))
        session.add_all(
            [
                ChoiceRow(id=f"c-{text}", tenant_id=TENANT, kind=kind, text=text, position=n)
                for n, (kind, text) in enumerate(
                    ((ChoiceKind.OUTCOME, "Sold"), (ChoiceKind.OUTCOME, "Lost"), (ChoiceKind.RESPONSE, "Happy"))
                )
            ]
        )
        session.flush()
        for n, name in enumerate(NAMES):
            department = DEPARTMENTS[n]
            session.add(
                PersonRow(
                    id=f"p{n}",
                    tenant_id=TENANT,
                    name=name,
                    extension=f"10{n}",
                    department_id=None if department is None else f"d{department}",
                    ddi="+4570101010" if n == 5 else "",
                )
            )
        session.flush()
        for person, kind in ((0, UnitKind.DISTRICT), (3, UnitKind.DISTRICT), (4, UnitKind.COST_CENTRE)):
            session.add(PersonUnitRow(person_id=f"p{person}", kind=kind, tenant_id=TENANT, unit_id=f"u-{kind}"))
        for n in (2, 4):
            session.add(RecordingGroupMemberRow(group_id="g", person_id=f"p{n}", role=Role.MEMBER, tenant_id=TENANT))
        for n, call in enumerate(sorted(TAGGED)):
            # Every other call was tagged by a linkedid before it was known.
            session.add(CallAliasRow(call_id=call, linkedid=f"{n}.1", tenant_id=TENANT))
            name = f"{n}.1" if n % 2 else call
            session.add(CallTagRow(tenant_id=TENANT, name=name, slot=1, text="crm", author="", at=NOW))
    for tenant, made in ((TENANT, FACTS), (OTHER, [replace(f, id=f"x{f.id[1:]}") for f in FACTS[:40]])):
        write(engine, tenant, made)


def write(engine: Engine, tenant: str, made: list[Fact]) -> None:
    with writing(engine) as session:
        media = [
            {"id": f"m-{f.id}", "tenant_id": tenant, "state": MediaState.STORED, "intended_at": f.at} for f in made
        ]
        session.execute(insert(MediaRow), media)
        session.execute(insert(RecordingRow), [row(tenant, fact) for fact in made])
        for fact in made:
            for n, text in enumerate(fact.notes):
                note = {"id": f"n{n}{fact.id}", "tenant_id": tenant, "recording_id": fact.id, "author": "", "at": NOW}
                session.add(RecordingNoteRow(**note, text=text))
            session.flush()
            follow_notes(session, fact.id)


def row(tenant: str, fact: Fact) -> dict[str, Any]:
    return {
        "id": fact.id,
        "media_id": f"m-{fact.id}",
        "call_id": fact.call_id,
        "tenant_id": tenant,
        "person_id": f"p{fact.person}",
        "decision_id": "",
        "segment": 1,
        "at": fact.at,
        "user_side": "left",
        "direction": fact.direction,
        "user_name": NAMES[fact.person],
        "extension": f"10{fact.person}",
        "other_raw": fact.other_raw,
        "other_e164": fact.other_e164,
        "ddi": fact.ddi,
        "state": fact.state,
        "length_ms": fact.seconds * 1000 + 400,
        "flag": None if fact.flag == "none" else fact.flag,
        "tag": fact.tag or None,
        "outcome": f"c-{fact.outcome}" if fact.outcome else None,
        "response": f"c-{fact.response}" if fact.response else None,
        "evaluated": True if fact.evaluated else None,
        "deleted_at": NOW if fact.deleted else None,
    }


@pytest.fixture(scope="module", params=DATABASES, ids=lambda url: url.partition(":")[0])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path
) -> Iterator[Engine]:
    """The facts in every database that is here; nothing is written to them afterwards."""
    url: str = request.param
    if url == SQLITE:
        path = tmp_path_factory.mktemp("search") / "pbx.sqlite"
        path.write_bytes(migrated_file.read_bytes())
        url = f"sqlite:///{path}"
    else:
        if current(url) is not None:
            downgrade(url)
        upgrade(url)
    engine = make_engine(url)
    fill(engine)
    yield engine
    engine.dispose()


EVERYTHING = Scope(TENANT, everything=True)


def there(*asked: Callable[[Fact], bool]) -> set[str]:
    return {fact.id for fact in FACTS if not fact.deleted and all(one(fact) for one in asked)}


def found(engine: Engine, search: Search, scope: Scope = EVERYTHING) -> list[str]:
    return list(DatabaseSearch(engine).ids(scope, search, NOW, most=1000))


def unlimited(*pairs: tuple[str, str]) -> Search:
    return read([*pairs, ("limit", "0")])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("many", [0, 10_000], ids=["walked", "led"])
def test_a_filter_finds_what_it_says(filled: Engine, name: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Both ways of looking: as if every filter had too many rows to be led by, and as if each had few.
    monkeypatch.setattr(search_plan, "MANY", many)
    pairs, asked = CASES[name]
    search = unlimited(*pairs)
    assert set(found(filled, search)) == there(asked)
    assert DatabaseSearch(filled).count(EVERYTHING, search, NOW).number == len(there(asked))


@pytest.mark.wide
@pytest.mark.parametrize("many", [60, 10_000])
def test_any_two_filters_find_what_both_say(filled: Engine, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_plan, "MANY", many)
    for (one, (first, wanted)), (other, (second, asked)) in combinations(CASES.items(), 2):
        names = {name for name, _ in first} & {name for name, _ in second}
        if names - {"period"} or len({pair for pair in (*first, *second) if pair[0] == "period"}) > 1:
            continue
        search = unlimited(*dict.fromkeys((*first, *second)))
        assert set(found(filled, search)) == there(wanted, asked), (one, other)


@pytest.mark.parametrize("sort", Sort)
def test_a_list_read_page_by_page_is_the_list_in_its_order(filled: Engine, sort: Sort) -> None:
    search = unlimited(ALL, ("sort", sort.value))
    keys = {
        "date": lambda f: (f.at, f.id),
        "length": lambda f: (f.seconds, f.at, f.id),
        "user": lambda f: (NAMES[f.person], f.at, f.id),
        "number": lambda f: (f.other_e164 or f.other_raw, f.at, f.id),
    }
    wanted = sorted((f for f in FACTS if not f.deleted), key=keys[sort.by], reverse=sort.down)
    database, after, calls, seen = DatabaseSearch(filled), None, [], []
    for _ in range(100):
        page = database.page(EVERYTHING, search, NOW, after=after, size=7)
        calls += [journey.lead.recording.call_id for journey in page.journeys]
        seen += [part.recording.recording_id for journey in page.journeys for part in journey.segments]
        if page.after is None:
            break
        after = read_cursor(tell(page.after), search)
    assert found(filled, search) == [fact.id for fact in wanted]
    assert calls == list(dict.fromkeys(fact.call_id for fact in wanted))
    assert sorted(seen) == sorted(fact.id for fact in wanted)


@pytest.mark.parametrize(
    ("scope", "people"),
    [
        (Scope(TENANT), ()),
        (Scope(TENANT, person_id="p3"), (3,)),
        (Scope(TENANT, department_ids=frozenset({"d0"})), (0, 1, 5)),
        (Scope(TENANT, department_ids=frozenset({""})), (4,)),
        (Scope(TENANT, person_id="p0", recording_group_ids=frozenset({"g"})), (0, 2, 4)),
        (Scope(OTHER), ()),
        (Scope("nobody", everything=True), ()),
    ],
)
@pytest.mark.parametrize(
    "pairs", [(ALL,), (ALL, ("flag", "red")), (ALL, ("text", "order")), (ALL, ("sort", "-length"))]
)
def test_nobody_finds_more_than_they_see(
    filled: Engine, scope: Scope, people: tuple[int, ...], pairs: tuple[tuple[str, str], ...]
) -> None:
    search = unlimited(*pairs)
    wanted = there(lambda f: f.person in people, *(asked for given, asked in CASES.values() if given == pairs))
    assert set(found(filled, search, scope)) == wanted
    page = DatabaseSearch(filled).page(scope, search, NOW, size=500)
    assert {part.recording.recording_id for one in page.journeys for part in one.segments} == wanted
    assert DatabaseSearch(filled).count(scope, search, NOW).number == len(wanted)


def test_a_list_ends_at_its_limit_whatever_its_pages(filled: Engine) -> None:
    search = read([ALL, ("limit", "10")])
    database = DatabaseSearch(filled)
    first = database.page(EVERYTHING, search, NOW, size=7)
    assert first.after is not None
    second = database.page(EVERYTHING, search, NOW, size=7, after=first.after)
    assert second.after is None
    assert len(found(filled, search)) == 10


def test_a_count_ends_at_what_it_was_told(filled: Engine) -> None:
    counted = DatabaseSearch(filled).count(EVERYTHING, unlimited(ALL), NOW, most=20)
    assert (counted.number, counted.more) == (20, True)


def test_what_was_deleted_is_found_by_those_who_ask_for_it(filled: Engine) -> None:
    wanted = {fact.id for fact in FACTS if fact.deleted or fact.state == "erased"}
    assert set(found(filled, unlimited(ALL, ("state", "erased")))) == wanted


def test_office_hours_of_a_company_without_hours_are_refused_in_words(engine: Engine) -> None:
    with pytest.raises(SearchError, match="no schedule"):
        DatabaseSearch(engine).page(Scope(OTHER, everything=True), read([ALL, ("hours", "office")]), NOW)


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("name", ["user", "department", "own", "number", "ddi", "tag", "api_tag", "outcome", "text"])
def test_hostile_words_find_nothing_and_break_nothing(filled: Engine, name: str, word: str) -> None:
    try:
        search = unlimited(ALL, (name, word))
    except SearchError:
        return
    if any(sign in string.ascii_letters + string.digits for sign in word) or not word.strip():
        DatabaseSearch(filled).page(EVERYTHING, search, NOW)
    elif name not in ("user", "tag"):
        assert found(filled, search) == []
