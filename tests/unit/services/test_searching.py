"""Filters in an address: read, checked, written back the same; periods and hours right over daylight saving."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.schedule import Schedule, Span
from pbx_plugin.domain.working import Flag
from pbx_plugin.services import search_cursor
from pbx_plugin.services.search_cursor import Cursor
from pbx_plugin.services.search_times import Stretch, Weekly, days, span_of, times, week_minute
from pbx_plugin.services.search_words import number_asked, words_asked, words_kept
from pbx_plugin.services.searching import (
    Condition,
    Period,
    Search,
    SearchError,
    Sort,
    read,
    read_data,
    to_data,
    to_pairs,
)

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
text = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)
several = st.lists(text, max_size=3).map(lambda found: tuple(sorted(set(found))))
seconds = st.none() | st.integers(0, 600_000)


def members(kind: type[StrEnum]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.sets(st.sampled_from(kind)).map(lambda found: tuple(one for one in kind if one in found))


@st.composite
def searches(draw: st.DrawFn) -> Search:
    names = ("user", "department", "district", "cost_centre", "office", "outcome", "response")
    values: dict[str, Any] = {name: draw(several) for name in names}
    for name in ("own", "number", "ddi", "tag", "api_tag", "text"):
        values[name] = draw(text) if draw(st.booleans()) else ""
    longer, shorter = draw(seconds), draw(seconds)
    if longer is not None and shorter is not None and longer > shorter:
        longer, shorter = shorter, longer
    clock = draw(st.none() | st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda t: t[0] != t[1]))
    if clock is not None and clock[1] == 1440 and clock[0] == 0:
        clock = None
    period = draw(st.sampled_from(Period))
    day = draw(st.dates(date(1970, 1, 2), date(2100, 1, 1)))
    custom = period is Period.CUSTOM
    return Search(
        period=period,
        since=day if custom else None,
        until=day if custom and draw(st.booleans()) else None,
        time=clock,
        direction=draw(members(Direction)),
        flag=draw(members(Flag)),
        state=draw(members(Condition)),
        longer=longer,
        shorter=shorter,
        evaluated=draw(st.none() | st.booleans()),
        sort=draw(st.sampled_from(Sort)),
        limit=draw(st.integers(0, 1_000_000)),
        **values,
    )


@given(searches())
def test_a_search_written_as_an_address_is_read_back_as_itself(search: Search) -> None:
    query = urlencode(to_pairs(search))
    again = read(parse_qsl(query, keep_blank_values=True))
    assert again == search
    assert urlencode(to_pairs(again)) == query
    assert read_data(to_data(search)) == search


def test_nothing_asked_for_is_today_newest_first() -> None:
    assert to_pairs(Search()) == ()
    assert read([]) == read([("user", " "), ("period", "")]) == Search()
    assert not Search().narrowed
    assert read([("flag", "red")]).narrowed


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("colour", "red", "no such filter"),
        ("period", "never", "give one of today"),
        ("period", "custom", "a first or a last day"),
        ("from", "2026-11-22", "add period=custom"),
        ("flag", "pink", "give one of none, green, red, blue"),
        ("time", "8-17", "write it as 08:00-17:00"),
        ("time", "08:00-08:00", "has no minute in it"),
        ("longer", "x", "no length"),
        ("longer", "999999", "longer than any call"),
        ("evaluated", "maybe", "give yes or no"),
        ("limit", "-1", "no number of rows"),
        ("sort", "colour", "give one of"),
        ("user", "x" * 201, "at most 200"),
        ("text", "a\x00b", "cannot be printed"),
        ("tag", "a\u202eb", "cannot be printed"),
    ],
)
def test_what_cannot_be_is_named_with_its_field(name: str, value: str, words: str) -> None:
    with pytest.raises(SearchError) as caught:
        read([(name, value)])
    assert words in caught.value.problems[name]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SearchError) as caught:
        read([("longer", "x"), ("flag", "pink"), ("user", "101")])
    assert set(caught.value.problems) == {"longer", "flag"}
    with pytest.raises(SearchError, match="exchange them"):
        read([("period", "custom"), ("from", "2026-11-22"), ("to", "2026-11-21")])
    with pytest.raises(SearchError, match="as long and as short"):
        read([("longer", "2:00"), ("shorter", "1:00")])


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=30)), max_size=8))
def test_any_address_is_a_search_or_told_why_not(pairs: list[tuple[str, str]]) -> None:
    with suppress(SearchError):
        assert read(to_pairs(read(pairs))) == read(pairs)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (Period.TODAY, "2026-11-22", "2026-11-22"),
        (Period.YESTERDAY, "2026-11-21", "2026-11-21"),
        (Period.THIS_WEEK, "2026-11-16", "2026-11-22"),
        (Period.LAST_WEEK, "2026-11-09", "2026-11-15"),
        (Period.LAST_7_DAYS, "2026-11-16", "2026-11-22"),
        (Period.THIS_MONTH, "2026-11-01", "2026-11-30"),
        (Period.LAST_MONTH, "2026-10-01", "2026-10-31"),
    ],
)
def test_a_period_is_whole_days(period: Period, first: str, last: str) -> None:
    found = days(Search(period), date(2026, 11, 22))
    assert [str(day) for day in found] == [first, last]


def test_last_month_in_january_and_this_month_in_december() -> None:
    assert days(Search(Period.LAST_MONTH), date(2026, 1, 31)) == (date(2025, 12, 1), date(2025, 12, 31))
    assert days(Search(Period.THIS_MONTH), date(2026, 12, 31)) == (date(2026, 12, 1), date(2026, 12, 31))


def test_the_day_on_which_the_clock_is_set_has_its_own_length() -> None:
    back = span_of(Search(), datetime(2026, 10, 25, 12, tzinfo=UTC), COPENHAGEN)
    on = span_of(Search(), datetime(2026, 3, 29, 12, tzinfo=UTC), COPENHAGEN)
    assert back.since is not None
    assert back.until is not None
    assert on.since is not None
    assert on.until is not None
    assert back.until - back.since == timedelta(hours=25)
    assert on.until - on.since == timedelta(hours=23)


WEEK = Schedule(
    "Europe/Copenhagen",
    (*(Span(day, 480, 1020) for day in range(5)), Span(6, 1320, 1560)),
    frozenset({date(2026, 5, 14), date(2026, 3, 29)}),
)


def holds(stretches: tuple[Stretch, ...], at: datetime) -> bool:
    """Judge as the database does: by the minute of the week in UTC."""
    return any(
        stretch.span.holds(at) and any(_happens(part, stretch.ahead, at) for part in stretch.weekly)
        for stretch in stretches
    )


def _happens(part: Weekly, ahead: int, at: datetime) -> bool:
    minute = (week_minute(at) + ahead) % part.cycle
    inside = part.begins <= minute < part.ends or minute < part.ends - part.cycle
    return inside and not any(span.holds(at) for span in part.except_in)


@given(st.datetimes(datetime(2025, 12, 1), datetime(2026, 11, 22), timezones=st.just(UTC)))
def test_office_hours_are_those_of_the_clock_on_the_wall(at: datetime) -> None:
    asked = times(
        replace(Search(Period.ALL, time=(540, 600)), hours=read([("hours", "office")]).hours),
        *(NOW, COPENHAGEN, WEEK, datetime(2025, 12, 1, tzinfo=UTC)),
    )
    assert asked.hours is not None
    assert asked.daily is not None
    local = at.astimezone(COPENHAGEN)
    assert holds(asked.hours, at) == WEEK.covers(local)
    assert holds(asked.daily, at) == (local.hour == 9)


def test_numbers_are_asked_for_in_any_spelling() -> None:
    for typed in ("31200118", "31 20 01 18", "+45 31200118", "004531200118", "(+45) 3120-0118"):
        assert "+4531200118" in number_asked(typed, "DK").keys
    assert number_asked("0170 123*", "DE").beginnings == ("0170123", "+49170123")
    assert number_asked("+453120*", "DK").beginnings == ("+453120",)
    assert number_asked("*", "DK").beginnings == ()


def test_words_are_kept_and_asked_for_without_case_accents_and_signs() -> None:
    assert words_kept("Ærø café, NO-12!") == " ærø cafe no 12 "
    assert [(word.text, word.open) for word in words_asked('Café ref* "x" NEAR(')] == [
        ("cafe", False),
        ("ref", True),
        ("x", False),
        ("near", False),
    ]
    assert words_kept("!?") == ""


def test_a_cursor_is_read_back_and_a_forged_one_refused() -> None:
    search = Search(sort=Sort.LONGEST)
    cursor = Cursor(Sort.LONGEST, 1500, NOW, "recording-1", 50)
    assert search_cursor.read(search_cursor.tell(cursor), search) == cursor
    for forged in (
        "",
        "x",
        "!!",
        search_cursor.tell(cursor)[:-4],
        "W10",
        search_cursor.tell(replace(cursor, key=2**70)),
    ):
        with pytest.raises(SearchError, match="begin at the first"):
            search_cursor.read(forged, search)
    with pytest.raises(SearchError):
        search_cursor.read(search_cursor.tell(cursor), Search())


@given(st.text(max_size=80))
def test_no_text_breaks_a_cursor(forged: str) -> None:
    with pytest.raises(SearchError):
        search_cursor.read(forged, Search())
