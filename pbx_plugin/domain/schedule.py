"""The weekly schedule in which recording is on, by the wall clock of a time zone (product row D6).

The zone itself is given in, as ``tzinfo``: whoever reads the rulebook looks it up. A call is judged once, at its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of every week: from ``begins`` to before ``ends``, minutes of the wall clock since the ``day`` began.

    ``day`` is 0 for Monday. One that ends later than 1440 goes on into the next day, at most to the same time of it.
    """

    day: int
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """When recording is on. ``time_zone`` is a name of the IANA database; spans that begin on a holiday fall away."""

    time_zone: str
    spans: tuple[Span, ...] = ()
    holidays: frozenset[date] = frozenset()

    def covers(self, local: datetime) -> bool:
        """Tell whether recording is on at this moment of the zone's wall clock.

        The clock on the wall decides: where it is set back, the hour that comes twice is judged alike both times; where
        it is set forward, what lies in the hour that is left out does not happen that day. A span that goes past
        midnight belongs to the day on which it began, as to holidays.
        """
        today = local.date()
        minute = local.hour * 60 + local.minute
        return self._on(today, minute) or self._on(today - timedelta(days=1), minute + DAY_MINUTES)

    def _on(self, day: date, minute: int) -> bool:
        if day in self.holidays:
            return False
        weekday = day.weekday()
        return any(span.day == weekday and span.begins <= minute < span.ends for span in self.spans)


@dataclass(frozen=True, slots=True)
class Standing:
    """How recording stands when a call begins: ``off``, and why in plain words (empty where nobody set anything)."""

    off: bool
    why: str = ""


def standing(*, recording_off: bool, schedule: Schedule | None, at: datetime, zone: tzinfo | None) -> Standing:
    """Judge recording at the moment ``at`` (aware). ``zone`` is the schedule's, None where this machine has none.

    Without its zone a schedule cannot be read: recording is then off, for nobody is to be recorded by mistake.
    """
    if recording_off:
        return Standing(True, "recording was switched off")
    if schedule is None:
        return Standing(False)
    if zone is None:
        return Standing(True, f"the schedule's time zone {schedule.time_zone} is not known on this machine")
    local = at.astimezone(zone)
    holiday = ", a holiday" if local.date() in schedule.holidays else ""
    clock = f"{DAYS[local.weekday()].capitalize()} {local:%Y-%m-%d %H:%M}{holiday} ({schedule.time_zone})"
    on = schedule.covers(local)
    return Standing(not on, f"{clock} is {'in' if on else 'outside'} the schedule")
