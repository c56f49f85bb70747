"""Notices that a clock was set, the machine's own or Asterisk's: no second may be lost or kept because of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

NOTICED = timedelta(seconds=0.3)
"""A smaller step than this between two looks is a clock that is being drawn right, and is followed."""

AT_ONCE_S = 0.05
"""Seconds that reading both clocks may take; held up for longer, they cannot be compared, and are read again."""

READINGS = 5

EARLY, LATE = timedelta(seconds=1), timedelta(seconds=60)
"""How far before or behind our clock Asterisk's word of a moment may be. It may have waited while the network was cut;
what is further off was told by another clock."""


class ClockWatch:
    """Compares clocks: ``wall`` tells the time of day, and ``steady`` the seconds since some moment, set by nobody."""

    def __init__(self, wall: Callable[[], datetime], steady: Callable[[], float]) -> None:
        self._wall = wall
        self._steady = steady
        self._start = self._started() or wall()
        self._behind = timedelta()
        self._last_step = timedelta()
        self.moved = timedelta()
        """By how much our clock was set forward since we began to watch it (back: negative)."""

    def look(self) -> timedelta:
        """Return by how much our clock was set forward since the last look (back: negative); zero when it was not."""
        start = self._started()
        if start is None:
            return timedelta()
        step, self._start = start - self._start, start
        if abs(step) < NOTICED:
            return timedelta()
        self._last_step = step
        self.moved += step
        return step

    def ours(self, at: datetime) -> datetime:
        """Return a moment that Asterisk told just now by our clock.

        Usually the two are one clock. When ours was set, Asterisk's may have been set with it, or not, or what it says
        may be from before: what makes its word the freshest is believed.
        """
        heard = self._wall()
        behind = min((self._behind, timedelta(), self._behind + self._last_step), key=lambda off: abs(heard - at - off))
        if not -EARLY <= heard - at - behind <= LATE:
            behind = heard - at
        self._behind = behind
        return at + behind

    def _started(self) -> datetime | None:
        """Return the time of day at the moment from which ``steady`` counts; None where the machine is too busy."""
        for _ in range(READINGS):
            before = self._steady()
            wall, after = self._wall(), self._steady()
            if after - before < AT_ONCE_S:
                return wall - timedelta(seconds=after)
        return None
