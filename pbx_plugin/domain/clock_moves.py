"""The machine's clock is set while calls run: each call goes on by the clock it began under.

A recording's begin and end, a pause's end, the order of a call's steps: all would be an hour wrong, or the wrong way
round, if half of a call were told by one clock and half by another. New calls are told by the new clock.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import CallState, Capture

H = TypeVar("H", bound=h.Happening)


def on_the_calls_clock(call: CallState, happening: H) -> H:
    """Return a happening that the machine's clock tells, with all its times by the call's own."""
    off = call.clock_off
    if isinstance(happening, h.ClockMoved):
        off += happening.by
    if not off:
        return happening
    # When a leg was moved is the call's own word, which only comes back to it.
    own = {"since"} if isinstance(happening, h.Settled) else set()
    told = {one.name: getattr(happening, one.name) for one in fields(happening) if one.name not in own}
    times: dict[str, Any] = {name: at - off for name, at in told.items() if isinstance(at, datetime)}
    return replace(happening, **times)


def on_the_clock_of(other: CallState, call: CallState) -> CallState:
    """Return a call that is to become one with ``other``, with what still counts told by the other's clock.

    A capture's ``intended_at`` stays: it is part of the names of its files.
    """
    by = call.clock_off - other.clock_off
    if not by:
        return call
    return replace(
        call,
        captures={media: _moved(capture, by) for media, capture in call.captures.items()},
        pauses={user: replace(one, since=one.since + by, until=one.until + by) for user, one in call.pauses.items()},
        pressed={channel: at + by for channel, at in call.pressed.items()},
        unsettled=call.unsettled and call.unsettled + by,
        clock_off=other.clock_off,
    )


def _moved(capture: Capture, by: timedelta) -> Capture:
    names = ("since", "in_at", "out_at", "closed_at", "doubtful_since", "unheard_since")
    times = {name: getattr(capture, name) for name in names}
    return replace(capture, **{name: at + by for name, at in times.items() if at is not None})
