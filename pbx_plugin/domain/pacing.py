"""How far a side's file fell behind the clock while it was written, and what is missing of it therefore.

Why a file falls behind. For each snoop Asterisk wakes every 20 ms, takes 20 ms of sound out of a queue and writes them.
When it comes too late (the machine has no time for it), the wakings that it slept through count as one: it writes 20 ms
and the rest stays in the queue. The file is then complete but late. It never catches up: the queue gets longer with
each waking that is missed, until it holds half a second. Then Asterisk empties it, and all of that sound is lost at
once: what follows in the file is half a second nearer to its beginning than it should be. What the queue holds at the
end is lost, too.

So the lag of a file tells how much was lost (all but what is in the queue), and where it grew tells about where.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTICED_MS = 40
"""A smaller lag is none: frames of 20 ms, and a waking that comes a little late without being missed."""

EMPTIED_MS = 480
"""A queue that holds this much is emptied when the next 20 ms come: Asterisk lets it get no longer than 500 ms."""

WATCHED_MS = 6_000
"""Two looks at a file that is written in steps of about two seconds, with a late look in between. Of a longer stretch
nobody knows where in it something was lost."""

TOLD_MS = 250
"""A shorter loss is not worth a line in a report; it is mended all the same."""


@dataclass(frozen=True, slots=True)
class Lag:
    """When the file held ``at_ms`` of sound, it lay ``ms`` behind the clock (milliseconds since its beginning)."""

    at_ms: int
    ms: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Behind ``at_ms`` of a file's sound, ``ms`` of what was said are missing. ``known`` tells if it is that place."""

    at_ms: int
    ms: int
    known: bool = True


Pace = tuple[Lag, ...]
"""The lags of one side, in the order of its file; none of them smaller than the one before. Empty: it kept time."""

Paces = tuple[Pace, Pace]
"""Those of the sound from the leg's party, and of the sound to it."""

KEPT_TIME: Paces = ((), ())


def pace(seen: tuple[Lag, ...]) -> Pace:
    """Return what is to be believed of the lags that were seen of one file, in the order of seeing.

    Lost time is never made good, so that a smaller lag seen later disproves every larger one seen before it: that was
    a single late writing, or two looks at once at a file being written.
    """
    believed: list[Lag] = []
    least = None
    for lag in reversed(seen):
        least = lag.ms if least is None else min(least, lag.ms)
        believed.append(Lag(lag.at_ms, max(0, least)))
    believed.reverse()
    if not believed or believed[-1].ms < NOTICED_MS:
        return ()
    # Of a stretch in which nothing changed its two ends tell all.
    ends = zip((None, *believed), believed, (*believed[1:], None), strict=False)
    kept = (lag for one, lag, other in ends if one is None or other is None or not one.ms == lag.ms == other.ms)
    return tuple(dict.fromkeys(kept))


def holes(lags: Pace) -> tuple[Hole, ...]:
    """Return where a queue was emptied, in the order of the file.

    The truth is never farther from it than one queue: an error in one place is none of the next.
    """
    found: list[Hole] = []
    gone, before = 0, Lag(0, 0)
    for lag in lags:
        times = (lag.ms - gone) // EMPTIED_MS
        if times > 0:
            middle = gone + EMPTIED_MS * (times + 1) // 2
            found.append(_hole(before, lag, middle, times * EMPTIED_MS))
            gone += times * EMPTIED_MS
        before = lag
    return tuple(found)


def behind(lags: Pace, elapsed_ms: int) -> int:
    """Return how far, at the most, the file lay behind so many milliseconds after its beginning.

    What it held then, at the least, is ``elapsed_ms`` less this. Nothing of that was said any later: what is written
    was heard before.
    """
    held = 0
    for lag in lags:
        if lag.at_ms + lag.ms > elapsed_ms:
            return elapsed_ms - max(held, elapsed_ms - lag.ms)
        held = lag.at_ms
    return lags[-1].ms if lags else 0


def holes_until(lags: Pace, elapsed_ms: int) -> tuple[tuple[Hole, ...], int]:
    """Return the holes in what a side held so long after its beginning, and how much is missing behind that."""
    late = behind(lags, elapsed_ms)
    inside = tuple(hole for hole in holes(lags) if hole.at_ms < elapsed_ms - late)
    return inside, late - sum(hole.ms for hole in inside)


def _hole(before: Lag, lag: Lag, reached: int, length_ms: int) -> Hole:
    """Place a hole where the lag, growing from one look to the next, reached that much."""
    stretch = lag.at_ms - before.at_ms
    if stretch > WATCHED_MS:
        # From here on the sides are together again.
        return Hole(lag.at_ms, length_ms, known=False)
    part = (reached - before.ms) / (lag.ms - before.ms)
    return Hole(before.at_ms + round(stretch * min(max(part, 0.0), 1.0)), length_ms)
