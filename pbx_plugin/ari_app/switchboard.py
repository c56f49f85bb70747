"""Holds the running calls and brings every happening to the right one. Synchronous: no happening waits for another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.book import Book
from pbx_plugin.domain.callstate import CallState, Phase
from pbx_plugin.domain.capacity import UNLIMITED, Capacity, Room
from pbx_plugin.domain.commands import Command, PlayTone
from pbx_plugin.domain.lifecycle import advance, begin, call_id_of, merge
from pbx_plugin.domain.mixing import Mixable, mixings
from pbx_plugin.domain.pausing import is_over
from pbx_plugin.domain.withdrawal import erases_all

log = structlog.get_logger(__name__)

Perform = Callable[[CallState, list[Command]], None]
"""Takes a call as it is after a happening, with the commands to perform, in order."""


LATEST = 5000
"""How many calls are remembered as being over: more than can end while a connection is lost and found again."""


class Switchboard:
    """All calls that this recorder knows. ``perform`` is called for each happening that asks for something.

    ``most`` is how many recordings a company may have at once (0: any number); ``room`` is what the disks have left.
    ``over`` are the calls that ended last. ``away`` while things are told that happened when nobody listened: no
    recording begins then and no tone is played.
    """

    def __init__(self, asterisk_id: str, book: Book, perform: Perform, most: int = 0) -> None:
        self.asterisk_id = asterisk_id
        self.book = book
        self.room = Room.ENOUGH
        self.away = False
        self.over: deque[str] = deque(maxlen=LATEST)
        self._most = most
        self.calls: dict[str, CallState] = {}
        self._perform = perform
        self._by_channel: dict[str, str] = {}
        self._by_linkedid: dict[str, str] = {}
        self._by_media: dict[str, str] = {}
        self._by_bridge: dict[str, str] = {}
        self._mixable = Mixable()
        self._withdrawn: set[str] = set()

    def adopt(self, call: CallState) -> None:
        """Take in a call that an earlier run of the recorder remembered."""
        self._keep(call, [])

    def happen(self, happening: h.Happening) -> None:
        """Let one thing happen. Whatever goes wrong in one call is logged and never reaches another."""
        with _logged(happening):
            if isinstance(happening, h.LegJoined | h.LegHeld):
                # Told before it happens: nothing may be recorded for a moment that another call's mark forbids.
                self._mix(happening.at, happening)
            self._happen(happening)
            self._mix(happening.at)
            self._take_voices_back(happening.at)

    def rules_changed(self, book: Book, at: datetime) -> None:
        """Put a new rulebook in force: new calls by it, running ones as far as its exclusions go."""
        self.book = book
        for call_id in tuple(self.calls):
            with _logged(h.RulesChanged(at)):
                self._advance(call_id, h.RulesChanged(at))
        with _logged(h.RulesChanged(at)):
            self._mix(at)

    def knows(self, media: str) -> bool:
        """Tell whether a running call has that capture."""
        return media in self._by_media

    def time_passed(self, at: datetime) -> None:
        """Let the time be told to calls that wait for it: with a pause that is over, or refused for want of room."""
        for call_id, call in tuple(self.calls.items()):
            refused = any(capture.phase is Phase.REFUSED for capture in call.captures.values())
            if refused or is_over(call, at - call.clock_off):
                self.happen(h.TimePassed(at, call_id))

    def clock_moved(self, at: datetime, by: timedelta) -> None:
        """Let every call know that it is ``at`` now by a clock that was just set forward ``by`` so much."""
        for call_id in tuple(self.calls):
            self.happen(h.ClockMoved(at, call_id, by))

    def call_of(self, channel: str) -> CallState | None:
        """Return the call that a channel belongs to."""
        return self.calls.get(self._by_channel.get(channel, ""))

    def _happen(self, happening: h.Happening) -> None:
        match happening:
            case h.LegAppeared():
                self._appear(happening)
            case h.LegJoined():
                self._join(happening)
            case h.RulesChanged():
                self.rules_changed(self.book, happening.at)
            case h.Asked() | h.TimePassed() | h.ClockMoved() | h.Mixed() | h.VoiceTakenBack():
                self._advance(happening.call_id, happening)
            case (
                h.LegDialled()
                | h.LegLeft()
                | h.LegHeld()
                | h.LegGone()
                | h.MarksSeen()
                | h.TogglePressed()
                | h.PausePressed()
                | h.WithdrawPressed()
            ):
                self._advance(self._by_channel.get(happening.channel, ""), happening)
            case h.Settled():
                self._advance(self._by_linkedid.get(happening.linkedid, ""), happening)
            case _:
                self._advance(self._by_media.get(happening.media, ""), happening)

    def _appear(self, seen: h.LegAppeared) -> None:
        if seen.channel in self._by_channel:
            return
        call_id = self._by_linkedid.get(seen.linkedid)
        if call_id is not None:
            self._advance(call_id, seen)
            return
        call_id = call_id_of(self.asterisk_id, seen.linkedid)
        if call_id in self.calls:
            self._advance(call_id, seen)
            return
        call, commands = begin(self.asterisk_id, seen, self.book, self._capacity())
        self._keep(call, commands)

    def _join(self, seen: h.LegJoined) -> None:
        """A leg that enters the bridge of another call makes the two calls one."""
        mine = self._by_channel.get(seen.channel, "")
        theirs = self._by_bridge.get(seen.bridge, "")
        if mine in self.calls and theirs in self.calls and mine != theirs and self._occupied(theirs, seen.bridge):
            pair = sorted((self.calls[mine], self.calls[theirs]), key=_age)
            older, younger = pair
            merged, commands = merge(older, younger, seen.at, self.book, self._capacity(older, younger))
            del self.calls[younger.call_id]
            self._mixable.forget(younger.call_id)
            self._by_bridge = {
                bridge: older.call_id if call_id == younger.call_id else call_id
                for bridge, call_id in self._by_bridge.items()
            }
            self._keep(merged, commands)
            mine = older.call_id
        if mine:
            self._by_bridge[seen.bridge] = mine
        self._advance(mine, seen)

    def _mix(self, at: datetime, coming: h.LegJoined | h.LegHeld | None = None) -> None:
        """Let each call know what the calls bring that a phone mixes it with.

        What ends is not told ahead of time, nor before a leg that was moved has arrived: who hands a refuser over is
        out of both calls for a moment, and then the refuser is in the other.
        """
        calls = [self.calls[call_id] for call_id in self._mixable.calls()]
        for call_id, mixing in mixings(calls, coming).items():
            call = self.calls[call_id]
            over = mixing is None and coming is None and call.unsettled is None
            if mixing != call.mixing and (mixing or over):
                self._advance(call_id, h.Mixed(at, call_id, mixing))

    def _occupied(self, call_id: str, bridge: str) -> bool:
        return any(leg.bridge == bridge for leg in self.calls[call_id].legs.values())

    def _advance(self, call_id: str, happening: h.Happening) -> None:
        call = self.calls.get(call_id)
        if call is None:
            return
        after, commands = advance(call, happening, self.book, self._capacity(call))
        self._keep(after, commands, call)
        if after.lent and erases_all(after):
            self._withdrawn.add(call_id)

    def _take_voices_back(self, at: datetime) -> None:
        """Have erased what other calls recorded of withdrawn ones: by those while they are known, else by these."""
        while self._withdrawn:
            call_id = self._withdrawn.pop()
            for media in self.calls[call_id].lent if call_id in self.calls else ():
                owner = self._by_media.get(media, "")
                seen_to = owner in self.calls and owner != call_id
                if seen_to:
                    self._advance(owner, h.VoiceTakenBack(at, owner, media))
                self._advance(call_id, h.VoiceTakenBack(at, call_id, media, seen_to))
            self._withdrawn.discard(call_id)

    def _capacity(self, *calls: CallState) -> Capacity:
        """Return what these calls may take, whose own recordings are left out. A new call's first leg needs none."""
        if not calls or not (self._most or self.room is not Room.ENOUGH or self.away):
            return UNLIMITED
        tenant, own = calls[0].tenant_id, {call.call_id for call in calls}
        others = [call for call in self.calls.values() if call.tenant_id == tenant and call.call_id not in own]
        taken = sum(capture.takes_a_place for call in others for capture in call.captures.values())
        return Capacity(taken, self._most, self.room, self.away)

    def _keep(self, call: CallState, commands: list[Command], before: CallState | None = None) -> None:
        if before is not None and before.legs.keys() != call.legs.keys():
            for channel in before.legs.keys() - call.legs.keys():
                self._by_channel.pop(channel, None)
        for channel in call.legs:
            self._by_channel[channel] = call.call_id
        for linkedid in call.linkedids:
            self._by_linkedid[linkedid] = call.call_id
        known = call.captures.keys() | call.made.keys()
        for media in known:
            self._by_media[media] = call.call_id
        for media in (before.captures.keys() | before.made.keys()) - known if before else ():
            self._by_media.pop(media, None)
        if call.over:
            self._forget(call)
        else:
            self.calls[call.call_id] = call
            self._mixable.keep(call)
        if self.away:
            commands = [command for command in commands if not isinstance(command, PlayTone)]
        if commands:
            self._perform(call, commands)

    def _forget(self, call: CallState) -> None:
        if self.calls.pop(call.call_id, None) is not None:
            self.over.append(call.call_id)
            self._mixable.forget(call.call_id)
        for linkedid in call.linkedids:
            self._by_linkedid.pop(linkedid, None)
        for media in call.captures.keys() | call.made.keys():
            self._by_media.pop(media, None)
        for bridge in [bridge for bridge, call_id in self._by_bridge.items() if call_id == call.call_id]:
            del self._by_bridge[bridge]


def _age(call: CallState) -> tuple[datetime, str]:
    return call.began_at + call.clock_off, call.call_id


@contextmanager
def _logged(happening: h.Happening) -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("a happening could not be taken", happening=repr(happening)[:400])
