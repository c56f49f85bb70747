"""What was recorded and is lost all the same: a segment that could not be stored, or that ends before it should."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pbx_plugin.domain.commands import FinaliseMedia
from pbx_plugin.domain.entries import RecordingFailed, RecordingStored

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

LATE = "the recording began late"

NO_SOUND = "no sound from either side: it may be that Asterisk cannot decode the codec"


@dataclass(frozen=True, slots=True)
class Loss:
    """A stretch of a segment that is in no file."""

    since: datetime
    until: datetime
    reason: str


def loss(wanted: FinaliseMedia, became: RecordingStored | RecordingFailed) -> Loss | None:
    """Return what is missing of a segment once the finaliser is through with it, None when nothing is.

    A recording without a sound on either side is kept, and missing all the same: an Asterisk that passes a codec
    through which it cannot decode writes such ones.
    """
    began = min((at for at in (wanted.in_at, wanted.out_at) if at is not None), default=wanted.intended_at)
    if isinstance(became, RecordingFailed):
        whole = wanted.closed_at - began
        return Loss(began, wanted.closed_at, f"nothing could be kept: {became.reason}") if whole >= UNNOTICED else None
    if became.left_silent and became.right_silent and timedelta(milliseconds=became.length_ms) >= HEARABLE:
        return Loss(began, wanted.closed_at, NO_SOUND)
    end = began + timedelta(milliseconds=became.length_ms)
    return Loss(end, wanted.closed_at, "the recording ended too early") if wanted.closed_at - end > ENDS_EARLY else None
