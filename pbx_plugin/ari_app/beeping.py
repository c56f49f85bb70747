"""Lets the periodic beep be heard at its seconds, and has each playing written down.

It keeps nothing that a restart would need: how many beeps a segment should have had follows from when it began. One
that was due while nobody looked is left out, so that nobody hears two at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from pbx_plugin.domain.beeping import Beep, beeps_at_all, beeps_due, beeps_of
from pbx_plugin.domain.callstate import CallState

Play = Callable[[CallState, Beep], None]
"""Lets one channel of a call hear the beep; returns at once."""


class Beeper:
    """Looks at the calls several times a second."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._done: dict[str, int] = {}

    def look(self, calls: Iterable[CallState], at: datetime) -> None:
        """Play what is due now. ``at`` is by the machine's clock."""
        done = {}
        for call in calls:
            if not beeps_at_all(call.policy):
                continue
            for media, capture in call.captures.items():
                due = done[media] = beeps_due(call, capture, at - call.clock_off)
                if due > self._done.get(media, due):
                    for beep in beeps_of(call, capture):
                        self._play(call, beep)
        self._done = done
