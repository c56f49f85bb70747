"""What was recorded and is lost all the same: a segment that could not be stored, that ends before it should, or that
Asterisk had no time to write whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pbx_plugin.domain.commands import FinaliseMedia
from pbx_plugin.domain.entries import RecordingFailed, RecordingStored, Side
from pbx_plugin.domain.pacing import TOLD_MS, Pace, holes, holes_until

UNWATCHED = "thrown away: nobody watched who was on the call"
"""Reason of the gap behind the moment last heard, where what was recorded then may hold somebody who must not be."""

UNNOTICED = timedelta(milliseconds=200)
"""A segment shorter than this is none: two presses in a row, a call that ends as it begins."""

ENDS_EARLY = timedelta(seconds=1)
"""How much of a segment's end may be missing: Asterisk stops a little sooner or later than it says."""

BEGINS_LATE = timedelta(seconds=0.5)
"""How long a recording may take to begin after it was asked for; it usually takes a tenth of that."""

HEARABLE = timedelta(seconds=3)
"""In a recording this long somebody says something. Shorter ones may be silent for good reasons."""

STARVED = "Asterisk was short of CPU"
"""How the reason begins of a stretch that a recording holds as silence on one side or both, so that what follows is
where it belongs."""

ENDED_EARLY = "the recording ended too early"

LATE = "the recording began late"

NO_SOUND = "no sound from either side: it may be that Asterisk cannot decode the codec"


_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Loss:
    """A stretch of a segment that is in no file."""

    since: datetime
    until: datetime
    reason: str


def losses(wanted: FinaliseMedia, became: RecordingStored | RecordingFailed) -> tuple[Loss, ...]:
    """Return what is missing of a segment once the finaliser is through with it, in order; no two overlap.

    A recording without a sound on either side is kept, and missing all the same: an Asterisk that passes a codec
    through which it cannot decode writes such ones.
    """
    began = min((at for at in (wanted.in_at, wanted.out_at) if at is not None), default=wanted.intended_at)
    if isinstance(became, RecordingFailed):
        whole = wanted.closed_at - began
        why = f"nothing could be kept: {became.reason}"
        return (Loss(began, wanted.closed_at, why),) if whole >= UNNOTICED else ()
    if became.left_silent and became.right_silent and timedelta(milliseconds=became.length_ms) >= HEARABLE:
        return (Loss(began, wanted.closed_at, NO_SOUND),)
    end = began + timedelta(milliseconds=became.length_ms)
    early = wanted.closed_at - end > ENDS_EARLY
    inside = _starved(wanted, end if early else wanted.closed_at)
    unseen = any(not hole.known for pace in wanted.paces for hole in holes(pace))
    why = f"{STARVED}: nobody saw where in the recording" if unseen else ENDED_EARLY
    return (*inside, Loss(end, wanted.closed_at, why)) if early else inside


def _starved(wanted: FinaliseMedia, until: datetime) -> tuple[Loss, ...]:
    """Return the stretches up to then that Asterisk threw away, of one side or both."""
    out_side = Side.LEFT if Side(wanted.in_side) is Side.RIGHT else Side.RIGHT
    ways = ((wanted.in_side, wanted.in_at, wanted.paces[0]), (out_side.value, wanted.out_at, wanted.paces[1]))
    gone = sorted(
        (since, min(end, until), side)
        for side, began, pace in ways
        if began is not None
        for since, end in _gone(pace, began, wanted.closed_at)
        if since < until
    )
    joined: list[tuple[datetime, datetime, set[str]]] = []
    for since, end, side in gone:
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]), joined[-1][2] | {side})
        else:
            joined.append((since, end, {side}))
    return tuple(
        Loss(since, end, f"{STARVED}: {f'the {min(sides)} side' if len(sides) == 1 else 'both sides'}")
        for since, end, sides in joined
        if end - since >= timedelta(milliseconds=TOLD_MS)
    )


def _gone(pace: Pace, began: datetime, closed_at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield when what was thrown away of one side was said."""
    if not pace:
        return
    found, rest_ms = holes_until(pace, (closed_at - began) // _MILLISECOND)
    earlier = timedelta()
    for hole in found:
        since = began + hole.at_ms * _MILLISECOND + earlier
        earlier += hole.ms * _MILLISECOND
        yield since, since + hole.ms * _MILLISECOND
    if rest_ms >= TOLD_MS:
        yield closed_at - rest_ms * _MILLISECOND, closed_at
