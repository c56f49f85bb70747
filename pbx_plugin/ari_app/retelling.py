"""Tells the switchboard what the witness saw while nobody listened: at the true times, by the same way as live events.

Nothing begins in retrospect (:attr:`Switchboard.away`): what should have been recorded becomes a gap, which ends where
the conversation ended, or where recording begins once all is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from pbx_plugin.ari_app.switchboard import Switchboard
from pbx_plugin.asterisk.cel import CelEvent, happenings_in
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import CallState, Phase
from pbx_plugin.domain.lifecycle import call_id_of
from pbx_plugin.domain.settling import SETTLES_WITHIN

MARGIN = timedelta(seconds=5)
"""How much earlier than the moment last heard telling begins: what was heard then may not have been taken yet. What
was is not told again."""

SAME_PRESS = timedelta(milliseconds=50)
"""A press's own event, and what the log says of it, are not further apart."""

AT_A_TIME = 50
"""Events that are told in one go."""


class Retelling:
    """One look back over the log. ``deaf_since`` is the moment last heard."""

    def __init__(self, board: Switchboard, deaf_since: datetime) -> None:
        self._board = board
        self._deaf_since = deaf_since
        self._told = 0
        self._seen = {channel for call in board.calls.values() for channel in call.legs}
        self.doubtful: set[str] = set()
        """Calls on which somebody spoke of whose beginning there is no word."""
        self._known: dict[str, datetime] = {}
        for call in board.calls.values():
            if call.told_at is not None:
                for name in (*call.legs, *call.linkedids):
                    self._known[name] = call.told_at + call.clock_off

    def begin(self) -> None:
        """Let what was being announced, or had failed, be missing from the moment last heard on."""
        for call in tuple(self._board.calls.values()):
            for media, capture in call.captures.items():
                if capture.phase in (Phase.ANNOUNCING, Phase.FAILED):
                    self._board.happen(h.TryAgain(self._deaf_since, media))

    def tell(self, events: Iterable[CelEvent], over: Collection[str], until: datetime) -> None:
        """Tell what is new in ``events``, which begin where they did before. ``over`` are calls that ended long ago."""
        for _ in self.steps(events, over, until):
            pass

    def steps(self, events: Iterable[CelEvent], over: Collection[str], until: datetime) -> Iterator[None]:
        """Tell as :meth:`tell` does, and stop now and then: an hour of many calls takes seconds, and others wait."""
        listed = [event for event in events if event.at <= until]
        for number, event in enumerate(listed[self._told :], 1):
            self._let_time_pass(event.at)
            heard = self._was_heard(event, over)
            if heard or event.kind == "CHAN_START":
                self._seen.add(event.channel)
            if not heard:
                self._happen(event)
            if number % AT_A_TIME == 0:
                yield
        self._told = len(listed)
        self._let_time_pass(until)

    def _happen(self, event: CelEvent) -> None:
        if event.channel not in self._seen and not event.ours:
            joined = (one.call_id for one in self._board.calls.values() if event.linkedid in one.linkedids)
            self.doubtful.update(joined)
        call = self._board.call_of(event.channel)
        leg = call.legs.get(event.channel) if call else None
        for happening in happenings_in(event, leg.carried if leg else h.Carried()):
            if not (call and _pressed_before(call, happening)):
                self._board.happen(happening)

    def _was_heard(self, event: CelEvent, over: Collection[str]) -> bool:
        known = self._known.get(event.channel) or self._known.get(event.linkedid)
        if known is not None:
            # Asterisk's events tell whole milliseconds, the log more.
            return event.at.replace(microsecond=event.at.microsecond // 1000 * 1000) < known
        return call_id_of(self._board.asterisk_id, event.linkedid) in over

    def _let_time_pass(self, until: datetime) -> None:
        """Say what comes of itself before ``until``: that a move is over, or a pause."""
        calls = self._board.calls.items()
        waiting = [(call_id, call) for call_id, call in calls if call.unsettled is not None or call.pauses]
        for call_id, call in waiting:
            for happening in tuple(_due(call, until)):
                if call_id in self._board.calls:
                    self._board.happen(happening)


def linkedids_of_new(events: Iterable[CelEvent]) -> Iterator[str]:
    """Yield the names of calls that begin in these events, or that a channel joins."""
    yield from dict.fromkeys(event.linkedid for event in events if event.kind == "CHAN_START" and not event.ours)


def _due(call: CallState, until: datetime) -> Iterator[h.Happening]:
    off = call.clock_off
    if call.unsettled is not None and call.unsettled + SETTLES_WITHIN + off <= until:
        yield h.Settled(call.unsettled + SETTLES_WITHIN + off, call.linkedids[0], call.unsettled)
    for ends in sorted(pause.until for pause in call.pauses.values()):
        if ends + off <= until:
            yield h.TimePassed(ends + off, call.call_id)


def _pressed_before(call: CallState, happening: h.Happening) -> bool:
    if not isinstance(happening, h.TogglePressed | h.PausePressed | h.WithdrawPressed):
        return False
    pressed = call.pressed.get(happening.channel)
    return pressed is not None and happening.at <= pressed + call.clock_off + SAME_PRESS
