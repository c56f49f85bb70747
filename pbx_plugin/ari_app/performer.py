"""Performs what the domain asks for: one ordered worker a call, so that a slow deed never delays another call.

Journal entries are durable before any later command of the same call is performed; a capture is not started unless its
intent is in the journal (and in the database, where that answers quickly).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import structlog

from pbx_plugin.ari_app.capturing import CaptureError, Capturing
from pbx_plugin.ari_app.finalising import Finalising
from pbx_plugin.asterisk import variables
from pbx_plugin.clock import now
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import CallState
from pbx_plugin.domain.entries import CallRemembered, Entry
from pbx_plugin.services.callmemory import remember
from pbx_plugin.services.ports import Journal, JournalError, OpenMedia

log = structlog.get_logger(__name__)

DATABASE_PATIENCE = 0.25
"""Seconds that a capture waits for its row to be in the database; the journal holds it in any case."""

Happen = Callable[[h.Happening], None]
FindSound = Callable[[str, str], Path | None]
"""Finds a prompt: language, name → path without extension, None when there is none."""


class Performer:
    """The only place where commands become deeds. Use :meth:`perform` from the event loop; it returns at once."""

    def __init__(
        self, capturing: Capturing, finalising: Finalising, journal: Journal, find_sound: FindSound, happen: Happen
    ) -> None:
        self._capturing = capturing
        self._finalising = finalising
        self._journal = journal
        self._find_sound = find_sound
        self._happen = happen
        self._queues: dict[str, asyncio.Queue[tuple[CallState, list[c.Command]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._announcing: dict[str, asyncio.Task[None]] = {}
        self._stopping: set[str] = set()
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="journal")

    def perform(self, call: CallState, commands: list[c.Command]) -> None:
        """Queue the commands of one call behind its earlier ones."""
        for command in commands:
            if isinstance(command, c.StopCapture):
                self._stopping.add(command.media)
        queue = self._queues.get(call.call_id)
        if queue is None:
            queue = self._queues[call.call_id] = asyncio.Queue()
            self._spawn(self._work(call.call_id, queue))
        queue.put_nowait((call, commands))

    def is_stopping(self, media: str) -> bool:
        """Tell whether the end of this capture was asked for by us."""
        return media in self._stopping

    def finish_orphan(self, media: OpenMedia, at: datetime) -> None:
        """Finalise a segment whose call nobody remembers, from what the books say of it."""
        wanted = c.FinaliseMedia(
            media=media.media_id,
            tenant_id=media.tenant_id,
            spool_in=media.spool_in,
            spool_out=media.spool_out,
            in_side=media.in_side,
            intended_at=media.intended_at,
            in_at=media.in_at,
            out_at=media.out_at,
            closed_at=media.closed_at or at,
        )
        self._spawn(self._finalise(wanted))

    async def settled(self) -> None:
        """Wait until all that was asked for is done (used when the recorder is told to stop)."""
        while self._tasks:
            await asyncio.gather(*tuple(self._tasks), return_exceptions=True)

    def close(self) -> None:
        """Give the threads back. Call after :meth:`settled`."""
        self._threads.shutdown(wait=False)

    def _spawn(self, deed: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(deed)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, call_id: str, queue: asyncio.Queue[tuple[CallState, list[c.Command]]]) -> None:
        """Perform a call's commands in order, until nothing is queued; the next command starts a new worker."""
        while not queue.empty():
            call, commands = queue.get_nowait()
            try:
                await self._batch(call, commands)
            except Exception:
                log.exception("a deed went wrong", call=call_id)
        del self._queues[call_id]

    async def _batch(self, call: CallState, commands: list[c.Command]) -> None:
        entries: list[Entry] = []
        for command in commands:
            if isinstance(command, c.Write):
                entries.extend(command.entries)
            elif isinstance(command, c.Remember):
                entries.append(CallRemembered(call.call_id, now(), remember(call)))
        position = await self._write(entries)
        for command in commands:
            await self._deed(command, position)

    async def _write(self, entries: list[Entry]) -> int | None:
        """Write entries durably; None when the journal refused (then nothing may be recorded)."""
        if not entries:
            return 0
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: self._journal.append(*entries))
        except JournalError as error:
            log.error("the journal cannot be written: nothing will be recorded", error=str(error))
            return None

    async def _deed(self, command: c.Command, position: int | None) -> None:
        match command:
            case c.StartCapture():
                await self._start(command, position)
            case c.StopCapture():
                await self._capturing.stop(command)
                self._stopping.discard(command.media)
                self._happen(h.CaptureEnded(now(), command.media))
            case c.PlayAnnouncement():
                self._announcing[command.media] = self._spawn(self._announce(command))
            case c.StopAnnouncement():
                task = self._announcing.pop(command.media, None)
                if task is not None:
                    task.cancel()
            case c.PlayTone():
                self._spawn(self._tone(command))
            case c.FinaliseMedia():
                self._spawn(self._finalise(command))

    async def _start(self, wanted: c.StartCapture, position: int | None) -> None:
        if position is None:
            self._happen(h.CaptureFailed(now(), wanted.media, "the journal could not be written"))
            return
        if self.is_stopping(wanted.media):
            self._happen(h.CaptureFailed(now(), wanted.media, "the conversation ended before recording began"))
            return
        loop = asyncio.get_running_loop()
        row = loop.run_in_executor(self._threads, self._journal.wait_applied, position, DATABASE_PATIENCE)
        try:
            await self._capturing.prepare(wanted)
            await row
            in_at, out_at = await self._capturing.start(wanted)
        except CaptureError as error:
            await self._finalising.discard(wanted.spool_in, wanted.spool_out)
            self._happen(h.CaptureFailed(now(), wanted.media, str(error)))
            return
        self._happen(h.CaptureStarted(now(), wanted.media, in_at, out_at))

    async def _announce(self, wanted: c.PlayAnnouncement) -> None:
        sound = self._find_sound(wanted.language, "announce")
        ok, reason = False, "the prompt 'announce' is missing: run 'pbx-plugin prompts build'"
        if sound is not None:
            try:
                await self._capturing.whisper(wanted.channel, f"{variables.SNOOP_PREFIX}{uuid4()}-tell", sound)
                ok, reason = True, ""
            except CaptureError as error:
                reason = str(error)
        self._announcing.pop(wanted.media, None)
        self._happen(h.AnnouncementDone(now(), wanted.media, ok, reason))

    async def _tone(self, wanted: c.PlayTone) -> None:
        sound = self._find_sound("", wanted.tone)
        if sound is None:
            log.warning("a tone is missing", tone=wanted.tone)
            return
        try:
            await self._capturing.whisper(wanted.channel, f"{variables.SNOOP_PREFIX}{uuid4()}-tone", sound)
        except CaptureError as error:
            log.info("a tone was not heard", tone=wanted.tone, channel=wanted.channel, error=str(error))

    async def _finalise(self, wanted: c.FinaliseMedia) -> None:
        entry = await self._finalising.finalise(wanted)
        if entry is None:
            return
        if await self._write([entry]) is None:
            return  # the spool keeps both sides; the next start finds them
        await self._finalising.discard(wanted.spool_in, wanted.spool_out)
        self._happen(h.MediaSettled(now(), wanted.media))
