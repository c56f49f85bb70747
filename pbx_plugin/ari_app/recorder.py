"""The recorder of one Asterisk: wires stream, switchboard and performer together, and takes up where it left off."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import structlog

from pbx_plugin.ari_app.beeping import Beeper
from pbx_plugin.ari_app.capturing import Capturing, media_of_snoop
from pbx_plugin.ari_app.catching_up import CatchingUp, started_at
from pbx_plugin.ari_app.clock_watch import ClockWatch
from pbx_plugin.ari_app.finalising import Finalising
from pbx_plugin.ari_app.heard import Heard
from pbx_plugin.ari_app.leftovers import clear_spool, finish_orphans
from pbx_plugin.ari_app.pace import PaceLog, Written
from pbx_plugin.ari_app.performer import FindSound, Performer
from pbx_plugin.ari_app.questions import ask_holds, ask_marks
from pbx_plugin.ari_app.resync import changed_unheard, missed
from pbx_plugin.ari_app.room import RoomWatch
from pbx_plugin.ari_app.rules_watch import RulesWatch
from pbx_plugin.ari_app.signals import Signals
from pbx_plugin.ari_app.switchboard import Switchboard
from pbx_plugin.ari_app.watch import CaptureWatch
from pbx_plugin.ari_app.witness import Witness
from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriClient, AriError, AriUnreachableError
from pbx_plugin.asterisk.ari_events import WANTED_EVENTS, channels_in, happenings_in, is_ours, time_of
from pbx_plugin.asterisk.connection import Connection
from pbx_plugin.asterisk.post import listener_name
from pbx_plugin.clock import now
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.book import Book
from pbx_plugin.domain.callstate import CallState, Capture, Phase
from pbx_plugin.domain.capacity import Room
from pbx_plugin.domain.commands import StopCapture
from pbx_plugin.domain.mixing import unheld_unheard
from pbx_plugin.services.callmemory import UnreadableMemoryError, recall
from pbx_plugin.services.ports import Journal, Recall, RulebookSource, StoreUnavailableError
from pbx_plugin.settings import Settings

log = structlog.get_logger(__name__)

Json = dict[str, Any]


TICK = 0.25
"""Seconds between two looks at the time."""

CLOCK = "pbxrec clock"
"""Where an event keeps how far our clock had been set when it was heard."""

LAST_WORDS = 3.0
"""Seconds that a recorder told to stop takes for deeds under way: who must not be recorded is not recorded on."""


class RecorderApp:
    """One running recorder. :meth:`run` returns only when it is cancelled."""

    def __init__(
        self,
        settings: Settings,
        ari: AriClient,
        journal: Journal,
        rulebooks: RulebookSource,
        memory: Recall,
        finalising: Finalising,
        find_sound: FindSound,
    ) -> None:
        self._settings = settings
        self._ari = ari
        self._rules = RulesWatch(rulebooks, settings.recorder.rulebook_refresh, now)
        self._memory = memory
        self._signals = Signals()
        self._capturing = Capturing(ari, settings.ari.app, self._signals)
        self._pace = PaceLog(settings.paths.spool, self._written, now, time.monotonic)
        self._performer = Performer(self._capturing, finalising, journal, find_sound, self._happen, self._pace.paces)
        self._beeper = Beeper(self._performer.beep)
        self._switchboard: Switchboard | None = None
        self._watch: CaptureWatch | None = None
        self._resumed = False
        self._heard = Heard(settings.paths.heard)
        self._clock = ClockWatch(now, time.monotonic)
        folders = (settings.paths.spool, settings.paths.archive)
        self._witness = Witness(settings.paths.witness)
        self._catching_up = CatchingUp(self._witness, memory)
        self._caught_up = False
        self._room = RoomWatch(folders, settings.recorder, self._on_room, self._performer.report)
        self._unsure: set[str] = set()
        """Captures that were starting when the connection was lost: Asterisk's word about them may be lost, too."""

    async def run(self) -> None:
        """Load the rules, connect and record. A database that is away is waited for; calls go on meanwhile."""
        book = await self._rules.first()
        calls = await self._remembered()
        info = await self._asterisk_id()
        self._begin(info, book, calls)
        connection = Connection(
            self._ari,
            self._settings.ari.app,
            self._settings.recorder,
            WANTED_EVENTS,
            who=listener_name(self._settings.paths.state),
            on_connect=self._resync,
            on_heard=self._on_heard,
            on_event=self._on_event,
            on_lost=self._on_lost,
        )
        watches = (self._rules.run(self._rules_changed), self._room.run(), self._witness.run(), self._pace.run())
        deeds = (self._tick(), *watches)
        beside = [asyncio.create_task(deed) for deed in deeds]
        try:
            await connection.run()
        finally:
            for task in beside:
                task.cancel()
            await self._performer.settled(LAST_WORDS)
            self._performer.close()

    def _begin(self, asterisk_id: str, book: Book, calls: list[CallState]) -> None:
        self._switchboard = Switchboard(
            asterisk_id, book, self._performer.perform, self._settings.recorder.most_at_once
        )
        self._watch = CaptureWatch(self._switchboard, self._performer)
        for call in calls:
            self._switchboard.adopt(call)
        # Nothing is heard in the future: the clock was set back while no recorder ran, by so much at least.
        if self._heard.last is not None and self._heard.last > now():
            self._clock_moved(now() - self._heard.last)

    def _happen(self, happening: h.Happening) -> None:
        if self._switchboard is None:
            return
        # What we tell ourselves is told by a clock that may have been set since anything was heard.
        self._look_at_clock()
        self._switchboard.happen(happening)
        match happening:
            case h.CaptureFailed() if happening.media in self._unsure:
                self._unsure.discard(happening.media)
                self._switchboard.happen(h.TryAgain(now(), happening.media))
            case h.CaptureStarted():
                self._unsure.discard(happening.media)

    def _on_heard(self, event: Json) -> None:
        self._look_at_clock()
        at = self._clock.ours(time_of(event))
        # Set between the two, our clock would have Asterisk's word an hour off, and the calls not know of it.
        while self._look_at_clock():
            at = self._clock.ours(time_of(event))
        self._tell_by_our_clock(event, at)
        event[CLOCK] = self._clock.moved
        if self._caught_up:  # until then what was missed is not known, whatever is heard
            self._heard.note(now())
        self._signals.feed(event)

    def _on_lost(self) -> None:
        self._heard.lost = now()

    async def _tick(self) -> None:
        """Tell the calls the time: pauses end by themselves, and what was refused is tried when there is room."""
        while True:
            await asyncio.sleep(TICK)
            self._look_at_clock()
            if self._switchboard is not None:
                self._switchboard.time_passed(now())
                self._remind()

    def _remind(self) -> None:
        if self._switchboard is None or self._switchboard.away:
            return
        try:
            self._beeper.look(tuple(self._switchboard.calls.values()), now())
        except Exception:
            log.exception("beeps could not be told")

    def _look_at_clock(self) -> bool:
        """Tell the calls when the clock was set, and whether it was."""
        by = self._clock.look()
        if by:
            self._clock_moved(by)
        return bool(by)

    def _clock_moved(self, by: timedelta) -> None:
        log.error("the machine's clock was set: running calls go on by the old one", seconds=by.total_seconds())
        self._heard.clock_moved(by)
        if self._switchboard is not None:
            self._switchboard.clock_moved(now(), by)

    def _tell_by_our_clock(self, event: Json, at: datetime) -> None:
        if at != time_of(event):
            event["timestamp"] = at.isoformat()

    def _rules_changed(self, book: Book, at: datetime) -> None:
        if self._switchboard is not None:
            self._switchboard.rules_changed(book, at)

    def _on_room(self, room: Room) -> None:
        if self._switchboard is not None:
            self._switchboard.room = room

    async def _remembered(self) -> list[CallState]:
        while True:
            try:
                rows = await asyncio.to_thread(self._memory.running_calls)
                break
            except StoreUnavailableError:
                await asyncio.sleep(self._settings.recorder.rulebook_refresh)
        calls = []
        for row in rows:
            try:
                calls.append(recall(row.state))
            except UnreadableMemoryError as error:
                log.error("a remembered call cannot be read: it is seen anew", call=row.call_id, error=str(error))
        return calls

    async def _asterisk_id(self) -> str:
        """Return what keeps two PBXs' linkedids apart. The entity id is stable across Asterisk's restarts."""
        while True:
            try:
                info = await self._ari.info()
                return str(info["system"]["entity_id"])
            except (AriError, AriUnreachableError) as error:
                log.warning("Asterisk does not answer", error=str(error))
                await asyncio.sleep(1.0)

    async def _on_event(self, event: Json) -> None:
        """Take an event. One that cannot be read is logged: it must not make us deaf to the next."""
        try:
            await self._hear(event)
        except Exception:
            log.exception("an event could not be taken", kind=event.get("type"))

    async def _hear(self, event: Json) -> None:
        if self._switchboard is None or self._watch is None:
            return
        # While it waited for its turn the clock may have been set again.
        self._tell_by_our_clock(event, time_of(event) + self._clock.moved - event.get(CLOCK, self._clock.moved))
        if event["type"] in ("RecordingFinished", "RecordingFailed"):
            self._watch.feed(event)
        if event["type"] != "ChannelDestroyed":
            await ask_marks(self._ari, channels_in(event))
        for happening in happenings_in(event):
            self._switchboard.happen(happening)

    async def _resync(self) -> None:
        """Compare with Asterisk: what was missed happens now; lost recordings end, stray snoops go."""
        if self._switchboard is None:
            return
        self._caught_up = False
        deaf_since, listed_at = self._heard.last, now()
        channels, bridges = await asyncio.gather(self._ari.list_channels(), self._ari.list_bridges())
        theirs = [channel for channel in channels if not is_ours(channel)]
        await ask_marks(self._ari, theirs)
        await ask_holds(self._ari, theirs)
        before = {media: capture.phase for _, media, capture in self._captures()}
        proven: frozenset[str] = frozenset()
        gone_at = None
        if deaf_since is not None:
            for unheld in tuple(unheld_unheard(self._switchboard.calls.values(), deaf_since)):
                self._switchboard.happen(unheld)
            board, restarted = self._switchboard, started_at(await self._ari.info())
            # What begins in the future began before the clock was set back.
            if restarted is not None and not deaf_since < restarted <= listed_at:
                restarted = None
            # The connection broke with the Asterisk that calls ended with.
            gone_at = restarted and (self._heard.lost or restarted)
            proven = await self._catching_up.tell(board, deaf_since, listed_at, channels, bridges, restarted)
        told = {media: capture.phase for _, media, capture in self._captures()}
        # Who hung up comes first: what nobody needs any more must not be recorded anew.
        calls = tuple(self._switchboard.calls.values())
        for happening in missed(calls, channels, bridges, now(), deaf_since, proven, gone_at):
            self._switchboard.happen(happening)
        for happening in tuple(changed_unheard(tuple(self._switchboard.calls.values()), told, deaf_since, proven)):
            self._switchboard.happen(happening)
        for _, media, capture in self._captures():
            if before.get(media) is capture.phase:
                await self._resume(capture)
        if not self._resumed:
            self._erase_what_is_left()
            await finish_orphans(self._memory, self._ours(), self._performer.finish_orphan, deaf_since or now())
            await clear_spool(self._memory, self._settings.paths.spool, self._ours())
        self._resumed = True
        self._caught_up = True
        self._heard.note(listed_at)
        phases = (Phase.STARTING, Phase.RECORDING, Phase.CLOSING)
        ours = {media for _, media, capture in self._captures() if capture.phase in phases}
        for channel in channels:
            if channel["id"].startswith(variables.SNOOP_PREFIX) and media_of_snoop(channel["id"]) not in ours:
                await self._ari.hangup(channel["id"])

    def _erase_what_is_left(self) -> None:
        """Go on erasing what was withdrawn when the last run ended."""
        for call in tuple(self._switchboard.calls.values()) if self._switchboard else ():
            for media in call.erasing:
                self._happen(h.EraserLost(now(), media))

    def _ours(self) -> frozenset[str]:
        calls = self._switchboard.calls.values() if self._switchboard else ()
        return frozenset(media for call in calls for media in (*call.captures, *call.erasing))

    def _captures(self) -> list[tuple[CallState, str, Capture]]:
        calls = tuple(self._switchboard.calls.values()) if self._switchboard else ()
        return [(call, media, capture) for call in calls for media, capture in call.captures.items()]

    def _written(self) -> list[Written]:
        return [
            Written(media, one.spool_in, one.spool_out, one.in_at + call.clock_off, one.out_at + call.clock_off)
            for call, media, one in self._captures()
            if one.phase in (Phase.RECORDING, Phase.CLOSING) and one.in_at and one.out_at
        ]

    async def _resume(self, capture: Capture) -> None:
        """Go on with a capture: one that lives goes on; one whose worker died with the last run is ended.

        After a mere reconnection the workers are alive and see to their captures themselves, but what Asterisk said
        meanwhile is lost: what failed, or may fail for it, is tried again.
        """
        media, ending = capture.media, StopCapture(capture.media, capture.spool_in, capture.spool_out)
        match capture.phase:
            case Phase.RECORDING:
                if not await self._lives(capture):
                    self._performer.stop(ending)
            case Phase.FAILED | Phase.ANNOUNCING:
                self._happen(h.TryAgain(now(), media))
            case Phase.STARTING if self._resumed:
                self._unsure.add(media)
            case Phase.FINALISING if not self._resumed:
                self._happen(h.FinaliserLost(now(), media))
            case Phase.STARTING | Phase.CLOSING if not self._resumed:
                self._performer.stop(ending)

    async def _lives(self, capture: Capture) -> bool:
        names = (capture.spool_in, capture.spool_out)
        return all([await self._capturing.is_live(name) for name in names])
