"""The weekly schedule as people write it: hours of each day by the wall clock of a time zone, and holidays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pbx_plugin.domain.schedule import DAY_MINUTES, DAYS, Schedule, Span
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.policy_words import table, text, texts

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))", re.ASCII)
_MOST_HOLIDAYS = 1000


def schedule_words(schedule: Schedule | None) -> dict[str, Any]:
    """Return the schedule as :func:`read_schedule` takes it, empty where there is none."""
    if schedule is None:
        return {}
    days = {name: [_hours(span) for span in schedule.spans if span.day == day] for day, name in enumerate(DAYS)}
    return {
        "time_zone": schedule.time_zone,
        **{name: hours for name, hours in days.items() if hours},
        "holidays": [day.isoformat() for day in sorted(schedule.holidays)],
    }


def read_schedule(value: object, knows_zone: Callable[[str], bool]) -> Schedule | None:
    """Return the schedule of a document, None for an empty one. Raises RefusedError naming what cannot be."""
    words = table(value, "schedule")
    if not words:
        return None
    for key in words:
        if key not in (*DAYS, "time_zone", "holidays"):
            raise RefusedError(f"policy: schedule knows no {key!r}: time_zone, holidays and {', '.join(DAYS)}")
    zone = text(words.get("time_zone", ""), "schedule.time_zone")
    if not knows_zone(zone):
        raise RefusedError(f"policy: schedule.time_zone knows no {zone!r}: give a name such as 'Europe/Copenhagen'")
    spans = [span for day, name in enumerate(DAYS) for span in _spans(words, day, name)]
    if not spans:
        raise RefusedError(
            "policy: schedule has no hours: give some, such as monday = ['08:00-17:00'], or leave it empty"
        )
    return Schedule(zone, tuple(sorted(set(spans), key=_order)), _holidays(words.get("holidays", [])))


def _order(span: Span) -> tuple[int, int, int]:
    return span.day, span.begins, span.ends


def _hours(span: Span) -> str:
    # A whole day ends at 24:00; every other end is a time of some day.
    ends = span.ends if span.ends == DAY_MINUTES else span.ends % DAY_MINUTES
    return f"{_clock(span.begins)}-{_clock(ends)}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _spans(words: Mapping[str, Any], day: int, name: str) -> list[Span]:
    return [_span(day, name, hours) for hours in texts(words.get(name, []), f"schedule.{name}")]


def _span(day: int, name: str, hours: str) -> Span:
    found = _HOURS.fullmatch(hours)
    if found is None:
        raise RefusedError(f"policy: schedule.{name} knows no {hours!r}: give hours such as '08:00-17:00'")
    numbers = [int(part) for part in found.groups() if part is not None]
    begins, ends = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if begins == ends:
        raise RefusedError(f"policy: schedule.{name} {hours!r} is no time: a whole day is '00:00-24:00'")
    return Span(day, begins, ends if ends > begins else ends + DAY_MINUTES)


def _holidays(value: object) -> frozenset[date]:
    if not isinstance(value, list | tuple):
        raise RefusedError(f"policy: schedule.holidays is {value!r}: give a list of dates such as '2030-12-25'")
    if len(value) > _MOST_HOLIDAYS:
        raise RefusedError(f"policy: schedule.holidays are too many: at most {_MOST_HOLIDAYS}")
    return frozenset(_holiday(day) for day in value)


def _holiday(day: object) -> date:
    # TOML has dates of its own; JSON has texts.
    if type(day) is date:
        return day
    try:
        if isinstance(day, str) and len(day) == len("2030-12-25"):
            return date.fromisoformat(day)
    except ValueError:
        pass
    raise RefusedError(f"policy: schedule.holidays knows no {day!r}: give dates such as '2030-12-25'")
