"""When the recordings looked for began: days, times of day and office hours as instants, right over daylight saving.

The wall clock of the company's time zone decides. What a database is asked is put in plain numbers that mean the same
on every one: instants, and the minute of the week in UTC, which is kept with each recording. Between two changes of
the clock the wall clock's minute of the week is that plus a constant, so each stretch between changes is a
:class:`Stretch` of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as clock

from pbx_plugin.domain.schedule import DAY_MINUTES, Schedule
from pbx_plugin.services.searching import Hours, Period, Search, SearchError

WEEK_MINUTES = 7 * DAY_MINUTES
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)

ZONES = {
    "DK": "Europe/Copenhagen",
    "SE": "Europe/Stockholm",
    "NO": "Europe/Oslo",
    "FI": "Europe/Helsinki",
    "NL": "Europe/Amsterdam",
    "BE": "Europe/Brussels",
    "DE": "Europe/Berlin",
    "AT": "Europe/Vienna",
    "CH": "Europe/Zurich",
    "GB": "Europe/London",
    "IE": "Europe/Dublin",
}
"""The wall clock of a company without a schedule, by its country; of any other country it is UTC."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``since`` on and before ``until``, aware, in UTC; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant is in it."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Minutes of the wall clock's week, from ``begins`` to before ``ends`` (which may lie in the next week).

    ``cycle`` is after how many minutes it comes again: a week, or a day. It does not happen within ``except_in``.
    """

    begins: int
    ends: int
    cycle: int
    except_in: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch in which the wall clock is ``ahead`` minutes of UTC, and what is wanted in it."""

    span: Span
    ahead: int
    weekly: tuple[Weekly, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """What is asked of a recording's beginning: within ``span``, in a stretch of ``daily`` and in one of ``hours``.

    None asks for nothing. ``daily`` is the time of day, ``hours`` the office hours, which ``outside`` turns round.
    """

    span: Span
    daily: tuple[Stretch, ...] | None = None
    hours: tuple[Stretch, ...] | None = None
    outside: bool = False


def week_minute(at: datetime) -> int:
    """Return the minute of the week in UTC, 0 for Monday 00:00: what is kept with each recording."""
    utc = at.astimezone(UTC)
    return utc.weekday() * DAY_MINUTES + utc.hour * 60 + utc.minute


def company_zone(schedule: Schedule | None, country: str) -> str:
    """Return the name of the time zone that a company's days are told by: its schedule's, else its country's."""
    return schedule.time_zone if schedule else ZONES.get(country.upper(), "UTC")


def days(search: Search, today: date) -> tuple[date | None, date | None]:
    """Return the first and the last day of the search's period, None where it is open. ``today`` is the company's."""
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    match search.period:
        case Period.TODAY:
            return today, today
        case Period.YESTERDAY:
            return today - _DAY, today - _DAY
        case Period.THIS_WEEK:
            return monday, monday + 6 * _DAY
        case Period.LAST_WEEK:
            return monday - 7 * _DAY, monday - _DAY
        case Period.LAST_7_DAYS:
            return today - 6 * _DAY, today
        case Period.THIS_MONTH:
            return first, (first + 31 * _DAY).replace(day=1) - _DAY
        case Period.LAST_MONTH:
            return (first - _DAY).replace(day=1), first - _DAY
        case Period.CUSTOM:
            return search.since, search.until
        case _:
            return None, None


def span_of(search: Search, now: datetime, zone: tzinfo) -> Span:
    """Return the instants of the search's period: a day lasts from midnight to midnight of the wall clock."""
    first, last = days(search, now.astimezone(zone).date())
    try:
        return Span(
            _midnight(first, zone) if first else None,
            _midnight(last + _DAY, zone) if last else None,
        )
    except OverflowError:
        raise SearchError({"to": f"{last} is beyond the calendar: give an earlier day"}) from None


def times(search: Search, now: datetime, zone: tzinfo, schedule: Schedule | None, oldest: datetime | None) -> Times:
    """Return what the search asks of the time. ``oldest`` is when the first recording began, None where there is none.

    Raises SearchError when office hours are asked for and the company has no schedule.
    """
    span = span_of(search, now, zone)
    if search.hours and schedule is None:
        raise SearchError({"hours": "the company has no schedule: set its hours in the policy, or ask by time of day"})
    if not search.hours and search.time is None:
        return Times(span)
    stretches = list(_stretches(_bounded(span, now, oldest), zone))
    daily = None
    if search.time is not None:
        begins, ends = search.time
        wanted = (Weekly(begins, ends if ends > begins else ends + DAY_MINUTES, DAY_MINUTES),)
        daily = tuple(Stretch(piece, ahead, wanted) for piece, ahead in stretches)
    hours = None
    if search.hours and schedule is not None:
        hours = tuple(Stretch(piece, ahead, _office(schedule, piece, ahead)) for piece, ahead in stretches)
    return Times(span, daily, hours, search.hours is Hours.OUTSIDE)


def _office(schedule: Schedule, piece: Span, ahead: int) -> tuple[Weekly, ...]:
    found = []
    for part in schedule.spans:
        begins = part.day * DAY_MINUTES + part.begins
        off = (
            _holiday(day, part.begins, part.ends, ahead)
            for day in sorted(schedule.holidays)
            if day.weekday() == part.day
        )
        gone = tuple(span for span in off if _meet(span, piece))
        found.append(Weekly(begins, begins + part.ends - part.begins, WEEK_MINUTES, gone))
    return tuple(found)


def _holiday(day: date, begins: int, ends: int, ahead: int) -> Span:
    midnight = datetime.combine(day, clock(), UTC) - ahead * _MINUTE
    return Span(midnight + begins * _MINUTE, midnight + ends * _MINUTE)


def _meet(one: Span, other: Span) -> bool:
    return (one.since is None or other.until is None or one.since < other.until) and (
        one.until is None or other.since is None or other.since < one.until
    )


def _bounded(span: Span, now: datetime, oldest: datetime | None) -> Span:
    """Close an open period by what there can be: nothing before the first recording, nothing after tomorrow."""
    floor, ceiling = (oldest or now).astimezone(UTC), now.astimezone(UTC) + _DAY
    since = max(span.since, floor) if span.since else floor
    until = min(span.until, ceiling) if span.until else ceiling
    return Span(since, max(since, until))


def _stretches(span: Span, zone: tzinfo) -> Iterator[tuple[Span, int]]:
    """Yield the stretches in which the clock stands still, as whole minutes ahead of UTC. Both ends are closed."""
    at, end = span.since, span.until
    if at is None or end is None:
        raise ValueError("an open span has no end to its clock changes")
    while at < end:
        change = _next_change(at, end, zone)
        yield Span(at, change), _ahead(at, zone)
        at = change


def _next_change(at: datetime, end: datetime, zone: tzinfo) -> datetime:
    """Return when the wall clock is next set, at most ``end``; looked for a day at a time, then by halves."""
    ahead, day = _ahead(at, zone), at
    while _ahead(min(day + _DAY, end), zone) == ahead:
        day += _DAY
        if day >= end:
            return end
    low, high = day, min(day + _DAY, end)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if _ahead(middle, zone) == ahead else (low, middle)
    # The clock is set at a whole second; what is left of one is the search's own.
    return high.replace(microsecond=0)


def _ahead(at: datetime, zone: tzinfo) -> int:
    offset = at.astimezone(zone).utcoffset()
    return int(offset.total_seconds() // 60) if offset is not None else 0


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, clock(), zone).astimezone(UTC)
