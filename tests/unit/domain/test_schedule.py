"""Recording by the clock on the wall: in the morning of the week that daylight saving begins, and of that it ends."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.schedule import DAYS, Schedule, Span, standing
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.policy_schedule import read_schedule, schedule_words

COPENHAGEN = ZoneInfo("Europe/Copenhagen")


def weekly(*holidays: str, **days: list[str]) -> Schedule:
    words = {"time_zone": "Europe/Copenhagen", "holidays": list(holidays), **days}
    schedule = read_schedule(words, lambda _: True)
    assert schedule is not None
    return schedule


def is_on(schedule: Schedule, utc: str, zone: ZoneInfo = COPENHAGEN) -> bool:
    at = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    return not standing(recording_off=False, schedule=schedule, at=at, zone=zone).off


WEEKDAYS = {day: ["08:00-17:00"] for day in DAYS[:5]}


@pytest.mark.parametrize(
    ("utc", "on"),
    [
        # Friday before daylight saving begins: 08:00 is 07:00 UTC.
        ("2025-03-28T06:59:59.999999", False),
        ("2025-03-28T07:00", True),
        ("2025-03-28T15:59:59", True),
        ("2025-03-28T16:00", False),
        # Monday after: 08:00 is 06:00 UTC.
        ("2025-03-31T05:59:59", False),
        ("2025-03-31T06:00", True),
        ("2025-03-31T14:59:59", True),
        ("2025-03-31T15:00", False),
        # Friday before it ends, and the Monday after.
        ("2025-10-24T05:59:59", False),
        ("2025-10-24T06:00", True),
        ("2025-10-24T15:00", False),
        ("2025-10-27T06:59:59", False),
        ("2025-10-27T07:00", True),
        ("2025-10-27T15:59:59", True),
        ("2025-10-27T16:00", False),
        # Saturday noon.
        ("2025-03-29T11:00", False),
    ],
)
def test_office_hours_stay_office_hours_when_the_clocks_change(utc: str, on: bool) -> None:
    assert is_on(weekly(**WEEKDAYS), utc) is on


@pytest.mark.parametrize(
    ("utc", "on"),
    [
        ("2025-10-25T23:59:59", False),  # 01:59:59 in summer
        ("2025-10-26T00:00", True),  # 02:00 in summer
        ("2025-10-26T00:29:59", True),
        ("2025-10-26T00:30", False),
        ("2025-10-26T00:59:59", False),  # 02:59:59 in summer
        ("2025-10-26T01:00", True),  # 02:00 in winter: the hour comes again
        ("2025-10-26T01:29:59", True),
        ("2025-10-26T01:30", False),
        ("2025-10-26T02:00", False),
    ],
)
def test_an_hour_that_comes_twice_is_judged_alike_both_times(utc: str, on: bool) -> None:
    assert is_on(weekly(sunday=["02:00-02:30"]), utc) is on


def test_an_hour_that_is_left_out_does_not_happen() -> None:
    left_out = weekly(sunday=["02:00-03:00"])
    minutes = [f"2025-03-30T{hour:02}:{minute:02}" for hour in range(4) for minute in range(60)]
    assert not any(is_on(left_out, at) for at in minutes)
    assert is_on(left_out, "2025-03-23T01:30")
    across = weekly(sunday=["01:30-03:30"])
    assert [is_on(across, f"2025-03-30T{at}") for at in ("00:29", "00:30", "00:59", "01:00", "01:29", "01:30")] == [
        False, True, True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("utc", "on"),
    [
        ("2025-03-28T20:59", False),  # Friday 21:59
        ("2025-03-28T21:00", True),
        ("2025-03-28T23:30", True),  # Saturday 00:30
        ("2025-03-29T04:59", True),  # Saturday 05:59
        ("2025-03-29T05:00", False),
        ("2025-03-29T21:30", False),  # Saturday evening
        ("2025-03-27T23:30", False),  # Friday 00:30 belongs to Thursday
    ],
)
def test_a_night_belongs_to_the_evening_on_which_it_began(utc: str, on: bool) -> None:
    assert is_on(weekly(friday=["22:00-06:00"]), utc) is on


def test_a_night_across_the_change_of_clocks_is_as_long_as_it_is() -> None:
    night = weekly(saturday=["22:00-06:00"])
    spring = [is_on(night, f"2025-03-{29 + hour // 24:02}T{hour % 24:02}:30") for hour in range(20, 32)]
    autumn = [is_on(night, f"2025-10-{25 + hour // 24:02}T{hour % 24:02}:30") for hour in range(18, 32)]
    assert (spring.count(True), autumn.count(True)) == (7, 9)


def test_sunday_night_goes_on_into_monday_and_a_year_into_the_next() -> None:
    assert is_on(weekly(sunday=["23:00-02:00"]), "2025-03-24T00:30")
    assert is_on(weekly(wednesday=["23:00-02:00"]), "2026-01-01T00:30")


@pytest.mark.parametrize(
    ("utc", "on"),
    [
        ("2025-12-24T21:30", True),  # the evening before, 22:30
        ("2025-12-25T00:30", True),  # 01:30: that evening's night
        ("2025-12-25T21:30", False),  # the holiday's evening
        ("2025-12-26T00:30", False),  # and its night
        ("2025-12-26T21:30", True),
    ],
)
def test_what_begins_on_a_holiday_falls_away_with_its_night(utc: str, on: bool) -> None:
    nights = weekly("2025-12-25", **{day: ["22:00-02:00"] for day in DAYS})
    assert is_on(nights, utc) is on


def test_midnight_to_midnight_is_the_whole_day() -> None:
    sunday = weekly(sunday=["00:00-24:00"])
    assert [is_on(sunday, at) for at in ("2025-03-29T22:59", "2025-03-29T23:00", "2025-03-30T21:59")] == [
        False, True, True,
    ]  # fmt: skip
    assert not is_on(sunday, "2025-03-30T22:00")


def test_a_zone_whose_clocks_never_change_and_one_at_half_an_hour() -> None:
    words = {"time_zone": "Asia/Kolkata", "monday": ["09:00-10:00"]}
    schedule = read_schedule(words, lambda _: True)
    assert schedule is not None
    assert is_on(schedule, "2025-03-31T03:30", ZoneInfo("Asia/Kolkata"))
    assert not is_on(schedule, "2025-03-31T03:29", ZoneInfo("Asia/Kolkata"))


def test_why_is_said_with_the_time_on_the_wall() -> None:
    at = datetime(2025, 3, 31, 15, 2, tzinfo=UTC)
    schedule = weekly(**WEEKDAYS)
    assert standing(recording_off=False, schedule=schedule, at=at, zone=COPENHAGEN).why == (
        "Monday 2025-03-31 17:02 (Europe/Copenhagen) is outside the schedule"
    )
    holiday = weekly("2025-03-31", **WEEKDAYS)
    assert "17:02, a holiday (" in standing(recording_off=False, schedule=holiday, at=at, zone=COPENHAGEN).why
    assert standing(recording_off=True, schedule=schedule, at=at, zone=COPENHAGEN).why == "recording was switched off"
    assert not standing(recording_off=False, schedule=None, at=at, zone=None).off


def test_without_its_time_zone_nothing_is_recorded() -> None:
    at = datetime(2025, 3, 31, 10, 0, tzinfo=UTC)
    stands = standing(recording_off=False, schedule=weekly(**WEEKDAYS), at=at, zone=None)
    assert stands.off
    assert "Europe/Copenhagen is not known on this machine" in stands.why


spans = st.tuples(st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440)).map(
    lambda s: Span(s[0], s[1], s[1] + s[2] if s[2] < 1440 or s[1] == 0 else s[1] + 1439)
)


@given(st.frozensets(spans, min_size=1, max_size=6), st.frozensets(st.dates(), max_size=3))
def test_a_schedule_comes_back_whole_from_its_words(chosen: frozenset[Span], holidays: frozenset[date]) -> None:
    ordered = tuple(sorted(chosen, key=lambda span: (span.day, span.begins, span.ends)))
    schedule = Schedule("Europe/Copenhagen", ordered, holidays)
    assert read_schedule(schedule_words(schedule), lambda _: True) == schedule


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"time_zone": "Mars/Olympus", "monday": ["08:00-17:00"]}, "'Mars/Olympus'"),
        ({"monday": ["08:00-17:00"]}, "schedule.time_zone"),
        ({"time_zone": "UTC"}, "no hours"),
        ({"time_zone": "UTC", "monday": []}, "no hours"),
        ({"time_zone": "UTC", "monday": ["8-17"]}, "'8-17'"),
        ({"time_zone": "UTC", "monday": ["08:00-24:30"]}, "'08:00-24:30'"),
        ({"time_zone": "UTC", "monday": ["24:00-08:00"]}, "'24:00-08:00'"),
        ({"time_zone": "UTC", "monday": ["\u0668\u0669:00-10:00"]}, "monday"),
        ({"time_zone": "UTC", "monday": ["08:00-08:00"]}, "whole day"),
        ({"time_zone": "UTC", "monday": "08:00-17:00"}, "list of texts"),
        ({"time_zone": "UTC", "Monday": ["08:00-17:00"]}, "'Monday'"),
        ({"time_zone": "UTC", "monday": ["08:00-17:00"], "holidays": ["2025-02-30"]}, "'2025-02-30'"),
        ({"time_zone": "UTC", "monday": ["08:00-17:00"], "holidays": ["20250225"]}, "'20250225'"),
        ({"time_zone": "UTC", "monday": ["08:00-17:00"], "holidays": [datetime(2025, 1, 1, tzinfo=UTC)]}, "holidays"),
        ({"time_zone": "UTC", "monday": ["08:00-17:00"], "holidays": "2025-02-25"}, "list of dates"),
        ("always", "table of settings"),
    ],
)
def test_a_schedule_that_cannot_be_is_named(words: object, complaint: str) -> None:
    with pytest.raises(RefusedError, match=complaint.replace("(", r"\(")):
        read_schedule(words, lambda zone: zone == "UTC")


def test_dates_may_be_toml_dates() -> None:
    words = {"time_zone": "UTC", "monday": ["08:00-17:00"], "holidays": [date(2025, 12, 25)]}
    schedule = read_schedule(words, lambda _: True)
    assert schedule is not None
    assert schedule.holidays == {date(2025, 12, 25)}
