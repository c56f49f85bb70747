"""A machine short of CPU: what is missing of a file is worked out of how far it fell behind while it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_plugin.domain.pacing import EMPTIED_MS, NOTICED_MS, Hole, Lag, behind, holes, holes_until, pace

TICK_MS = 20
LONGEST_QUEUE_MS = 500


@dataclass
class Writer:
    """One snoop of an Asterisk that misses wakings: what it writes, and what it throws away. ``step_ms`` a buffer."""

    step_ms: int
    queue_ms: int = 0
    clock_ms: int = 0
    file_ms: int = 0
    seen: list[Lag] = field(default_factory=list)
    thrown: list[tuple[int, int]] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    """When each 20 ms of the file were said."""

    def go(self, wakings: list[bool]) -> Writer:
        """Let 20 ms pass for each; it wakes or is late."""
        for woken in wakings:
            self.clock_ms += TICK_MS
            if self.queue_ms + TICK_MS > LONGEST_QUEUE_MS:
                self.thrown.append((self.file_ms, self.queue_ms))
                self.queue_ms = 0
            self.queue_ms += TICK_MS
            if woken:
                self.moments.append(self.clock_ms - self.queue_ms)
                self.queue_ms -= TICK_MS
                self.file_ms += TICK_MS
                if self.file_ms % self.step_ms < TICK_MS:
                    self.look()
        return self

    def look(self) -> None:
        self.seen.append(Lag(self.file_ms, self.clock_ms - self.file_ms))

    def closed(self) -> tuple[Lag, ...]:
        self.look()
        return pace(tuple(self.seen))


def misses(every: int, seconds: int) -> list[bool]:
    """Every so-manieth waking is missed, for so long."""
    return [number % every != 0 for number in range(1, seconds * 1000 // TICK_MS + 1)]


ON_TIME = [True] * 500

NARROW, WIDE = 2048, 1024


@pytest.mark.parametrize("step_ms", [NARROW, WIDE])
def test_who_is_woken_in_time_has_no_holes_and_nothing_to_remember(step_ms: int) -> None:
    assert Writer(step_ms).go(ON_TIME).closed() == ()


@pytest.mark.parametrize("step_ms", [NARROW, WIDE])
@pytest.mark.parametrize("every", [5, 17, 100])
def test_twenty_minutes_of_missed_wakings_never_parts_a_side_from_the_clock_by_more_than_a_queue(
    step_ms: int, every: int
) -> None:
    writer = Writer(step_ms).go(misses(every, 1200))
    lags = writer.closed()
    found = holes(lags)
    assert abs(sum(hole.ms for hole in found) - sum(ms for _, ms in writer.thrown)) <= LONGEST_QUEUE_MS
    assert len(found) == pytest.approx(len(writer.thrown), rel=0.1)
    assert writer.thrown, "this was to be a bad time"
    worst, shift, ahead = 0, 0, list(found)
    for place, said in enumerate(writer.moments):
        while ahead and ahead[0].at_ms <= place * TICK_MS:
            shift += ahead.pop(0).ms
        worst = max(worst, abs(place * TICK_MS + shift - said))
    assert worst <= 2 * LONGEST_QUEUE_MS, "one queue in time, and one more within a step of the file"


def test_a_hole_is_in_the_step_of_the_file_in_which_the_queue_was_emptied() -> None:
    writer = Writer(NARROW).go([*ON_TIME, *misses(4, 3), *ON_TIME])
    (found,) = holes(writer.closed())
    ((place, length),) = writer.thrown
    assert abs(found.at_ms - place) <= NARROW
    assert abs(found.ms - length) <= TICK_MS
    assert found.known


def test_an_asterisk_that_stood_still_leaves_one_hole_not_a_dozen() -> None:
    (found,) = holes(pace((Lag(8192, 0), Lag(10240, 6000), Lag(30720, 6010))))
    assert found == Hole(found.at_ms, 12 * EMPTIED_MS)
    assert 8192 < found.at_ms < 10240


def test_a_late_writing_or_a_look_in_the_middle_of_one_is_disproved_by_the_next() -> None:
    assert pace((Lag(2048, 0), Lag(4096, 2048), Lag(6144, 10))) == ()
    assert holes(pace((Lag(2048, 0), Lag(4096, 900), Lag(6144, 500), Lag(8192, 505)))) == (
        Hole(pytest.approx(4014, abs=2), EMPTIED_MS),  # type: ignore[arg-type]
    )


def test_of_time_that_nobody_watched_the_sides_are_together_again_behind_it() -> None:
    """The recorder was restarted: what was seen before is lost."""
    lags = pace((Lag(61_440, 1300), Lag(63_488, 1310), Lag(90_000, 1310)))
    assert holes(lags) == (Hole(61_440, 2 * EMPTIED_MS, known=False),)
    alone = pace((Lag(60_000, 1300),))
    assert holes_until(alone, 61_300) == ((), 1300), "seen at the end only: all of it is missing there"


@pytest.mark.parametrize(
    ("elapsed_ms", "late_ms"),
    [(0, 0), (1000, 30), (4096, 30), (9000, 808), (10_000, 900), (11_139, 900), (11_150, 910), (50_000, 910)],
)
def test_what_was_written_by_a_moment_is_never_overrated(elapsed_ms: int, late_ms: int) -> None:
    lags = (Lag(8192, 30), Lag(10_240, 900), Lag(30_000, 910))
    assert behind(lags, elapsed_ms) == min(late_ms, elapsed_ms)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    share=st.floats(0.3, 1.0),
    ticks=st.integers(50, 800),
    step_ms=st.sampled_from([NARROW, WIDE]),
    part=st.floats(0, 1),
    more=st.integers(0, 300),
)
def test_nothing_that_was_said_after_the_close_is_counted_as_written_by_then(
    seed: int, share: float, ticks: int, step_ms: int, part: float, more: int
) -> None:
    chance = Random(seed)
    wakings = [chance.random() < share for _ in range(ticks)]
    writer = Writer(step_ms).go([*wakings, *[chance.random() < share for _ in range(more)]])
    lags = writer.closed()
    closed_ms = round(part * len(wakings)) * TICK_MS
    inside, rest_ms = holes_until(lags, closed_ms)
    held_ms = closed_ms - behind(lags, closed_ms)
    kept = [said for place, said in enumerate(writer.moments) if (place + 1) * TICK_MS <= held_ms - NOTICED_MS]
    assert all(said < closed_ms for said in kept)
    assert held_ms + sum(hole.ms for hole in inside) + rest_ms == closed_ms
    assert rest_ms >= 0


def test_the_lags_of_a_bad_moment_in_a_long_call_are_few() -> None:
    steady = Writer(NARROW).go([*misses(3, 2), *[True] * 30_000]).closed()
    assert len(steady) < 6
