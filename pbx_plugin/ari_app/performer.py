"""Performs what the domain asks for: one ordered worker a call, so that a slow deed never delays another call.

Journal entries are durable before any later command of the same call is performed; a capture is not started unless its
intent is in the journal (and in the database, where that answers quickly). Stops alone wait for nothing: who must not
be recorded is not recorded while a disk or another capture is slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4, uuid5

import structlog

from pbx_plugin.ari_app.capturing import CaptureError, Capturing
from pbx_plugin.ari_app.finalising import Finalising
from pbx_plugin.asterisk import variables
from pbx_plugin.clock import now
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.beeping import TONE_BEEP, Beep, beep_heard
from pbx_plugin.domain.callstate import CallState
from pbx_plugin.domain.entries import CallRemembered, Entry, Gap, LegMoved, RecordingClosed, RecordingErased
from pbx_plugin.domain.happenings import Spoken
from pbx_plugin.domain.losses import UNWATCHED, Loss, losses
from pbx_plugin.domain.pacing import KEPT_TIME, Paces
from pbx_plugin.domain.settling import SETTLES_WITHIN
from pbx_plugin.prompts.library import PromptFile
from pbx_plugin.services.callmemory import remember
from pbx_plugin.services.ports import Journal, JournalError, OpenMedia

T = TypeVar("T")

log = structlog.get_logger(__name__)

FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0
"""Seconds before a deed that Asterisk or the disk refused, and that must be done, is tried again."""

ANNOUNCE = "announce"
"""Name of the prompt that says that a call is recorded."""

DATABASE_PATIENCE = 0.25
"""Seconds that a capture waits for its row to be in the database; the journal holds it in any case."""

PACES_PATIENCE = 2.0
"""Seconds that the end of a capture waits to learn how it was written; it takes a thousandth of that."""

Happen = Callable[[h.Happening], None]
Asked = tuple[CallState, list[c.Command]]
"""A call as it was after a happening, and what is to be done about it."""
FindSound = Callable[[str, str], PromptFile | None]
"""Finds a prompt: language, name → its file, None when there is none."""
FindPaces = Callable[[str], Awaitable[Paces]]
"""Tells how Asterisk wrote the files of a capture, which are closed."""


class Performer:
    """The only place where commands become deeds. Use :meth:`perform` from the event loop; it returns at once."""

    def __init__(
        self,
        capturing: Capturing,
        finalising: Finalising,
        journal: Journal,
        find_sound: FindSound,
        happen: Happen,
        paces: FindPaces | None = None,
    ) -> None:
        self._capturing = capturing
        self._finalising = finalising
        self._journal = journal
        self._find_sound = find_sound
        self._happen = happen
        self._paces = paces
        self._queues: dict[str, asyncio.Queue[Asked]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._announcing: dict[str, asyncio.Task[None]] = {}
        self._starting: dict[str, asyncio.Event] = {}
        self._preparing: dict[str, asyncio.Task[CaptureError | None]] = {}
        self._stopping: set[str] = set()
        self._threads = ThreadPoolExecutor(32, thread_name_prefix="journal")

    def perform(self, call: CallState, commands: list[c.Command]) -> None:
        """Queue the commands of one call behind its earlier ones."""
        for command in commands:
            if isinstance(command, c.StartCapture):
                self._starting[command.media] = asyncio.Event()
            elif isinstance(command, c.StopCapture):
                self.stop(command)
            elif isinstance(command, c.LookAgain):
                self._spawn(self._look_again(command))
        queue = self._queues.get(call.call_id)
        if queue is None:
            queue = self._queues[call.call_id] = asyncio.Queue()
            self._spawn(self._work(call.call_id, queue))
        queue.put_nowait((call, commands))

    def is_stopping(self, media: str) -> bool:
        """Tell whether the end of this capture was asked for by us."""
        return media in self._stopping

    async def paces(self, media: str) -> Paces:
        """Return how Asterisk wrote the files of a capture that has ended. Never raises."""
        if self._paces is None:
            return KEPT_TIME
        try:
            async with asyncio.timeout(PACES_PATIENCE):
                return await self._paces(media)
        except Exception:
            # Whatever it is, the recording is to be stored.
            log.exception("how a recording was written is not known", media=media)
            return KEPT_TIME

    def stop(self, wanted: c.StopCapture) -> None:
        """End a capture, at once; CaptureEnded follows. ``perform`` sees to it for calls of this run."""
        self._stopping.add(wanted.media)
        self._spawn(self._stop(wanted))

    def beep(self, call: CallState, beep: Beep) -> None:
        """Let one party hear that they are being recorded; whether they did, and what, is told in the time line."""
        self._spawn(self._remind(call, beep))

    async def report(self, entries: Sequence[Entry]) -> None:
        """Write down what is about no call. Raises JournalError."""
        await self._append(list(entries))

    def finish_orphan(self, media: OpenMedia, at: datetime) -> None:
        """End and finalise a segment whose call nobody remembers, from what the books say of it."""
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
        self._spawn(self._finish(wanted, media))

    async def settled(self, seconds: float | None = None) -> None:
        """Wait until all that was asked for is done; no longer than ``seconds`` (when the recorder is told to stop)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(tuple(self._tasks))

    def close(self) -> None:
        """Give the threads back. Call after :meth:`settled`."""
        self._threads.shutdown(wait=False)

    def _spawn(self, deed: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.create_task(deed)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a deed went wrong", exc_info=error)

    async def _work(self, call_id: str, queue: asyncio.Queue[Asked]) -> None:
        """Perform a call's commands in order, until nothing is queued; the next command starts a new worker.

        What came while the disk was busy is written in one go: a call that is answered says six things in ten
        milliseconds, and its first sound is not to wait for six syncs.
        """
        while not queue.empty():
            asked = [queue.get_nowait() for _ in range(queue.qsize())]
            for wanted in (command for _, commands in asked for command in commands):
                if isinstance(wanted, c.StartCapture):
                    self._preparing[wanted.media] = self._spawn(self._prepare(wanted))
            position = await self._write(asked)
            if position is not None or len(asked) == 1:
                self._deeds(asked, position)
                continue
            # What cannot be written is to take nothing with it.
            for one in asked:
                self._deeds([one], await self._write([one]))
        del self._queues[call_id]

    def _deeds(self, asked: list[Asked], position: int | None) -> None:
        for _, commands in asked:
            for command in commands:
                self._deed(command, position)

    async def _write(self, asked: list[Asked]) -> int | None:
        """Write what the commands say; None when that went wrong (then nothing may be recorded)."""
        try:
            return await self._append(_entries(asked))
        except JournalError as error:
            log.error("the journal cannot be written: nothing will be recorded", error=str(error))
        except Exception:
            log.exception("what is to be written cannot be said: nothing will be recorded", call=asked[-1][0].call_id)
        return None

    async def _append(self, entries: list[Entry]) -> int:
        """Write entries durably. Raises JournalError."""
        if not entries:
            return 0
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: self._journal.append(*entries))

    def _deed(self, command: c.Command, position: int | None) -> None:
        """Begin one deed. None is waited for: the next entries of the call are written meanwhile."""
        match command:
            case c.StartCapture():
                self._spawn(self._start(command, position))
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
            case c.EraseMedia():
                self._spawn(self._erase(command))
            case c.Complain():
                log.error("not recorded", call=command.call_id, users=command.user_ids, reason=command.reason)

    async def _look_again(self, wanted: c.LookAgain) -> None:
        await asyncio.sleep(SETTLES_WITHIN.total_seconds())
        self._happen(h.Settled(now(), wanted.linkedid, wanted.since))

    async def _start(self, wanted: c.StartCapture, position: int | None) -> None:
        try:
            in_at, out_at = await self._begin(wanted, position)
            self._happen(h.CaptureStarted(now(), wanted.media, in_at, out_at))
        except CaptureError as error:
            self._happen(h.CaptureFailed(now(), wanted.media, str(error)))
        except Exception as error:
            log.exception("a recording could not begin", media=wanted.media)
            self._happen(h.CaptureFailed(now(), wanted.media, f"it went wrong: {error!r}"))
        finally:
            self._starting.pop(wanted.media).set()

    async def _begin(self, wanted: c.StartCapture, position: int | None) -> tuple[datetime, datetime]:
        """Record; return when each side began. Raises CaptureError; then nothing is recorded and nothing is left."""
        prepared = self._preparing.pop(wanted.media)
        try:
            if position is None:
                raise CaptureError("the journal could not be written")
            row = asyncio.get_running_loop().run_in_executor(
                self._threads, self._journal.wait_applied, position, DATABASE_PATIENCE
            )
            if (trouble := await prepared) is not None:
                raise trouble
            await row
            self._still_wanted(wanted)
            return await self._capturing.start(wanted)
        except Exception:
            await asyncio.wait([prepared])
            await self._ended(c.StopCapture(wanted.media, wanted.spool_in, wanted.spool_out))
            await self._finalising.discard(wanted.spool_in, wanted.spool_out)
            raise

    async def _prepare(self, wanted: c.StartCapture) -> CaptureError | None:
        """Put the snoops in place while the intent is being written: they record nothing before they are told to."""
        try:
            self._still_wanted(wanted)
            await self._capturing.prepare(wanted)
        except CaptureError as error:
            return error
        except Exception as error:
            log.exception("snoops could not be set up", media=wanted.media)
            return CaptureError(f"it went wrong: {error!r}")
        return None

    def _still_wanted(self, wanted: c.StartCapture) -> None:
        if self.is_stopping(wanted.media):
            raise CaptureError("it was no longer wanted when recording was about to begin")

    async def _stop(self, wanted: c.StopCapture) -> None:
        starting = self._starting.get(wanted.media)
        if starting is not None:
            await starting.wait()
        await self._ended(wanted)
        paces = await self.paces(wanted.media)
        self._stopping.discard(wanted.media)
        self._happen(h.CaptureEnded(now(), wanted.media, paces))

    async def _ended(self, wanted: c.StopCapture) -> None:
        """Return when Asterisk records this no longer, however often it must be asked."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._capturing.stop(wanted)
            except CaptureError as error:
                log.error("a recording cannot be ended", media=wanted.media, error=str(error), again_in=pause)
            except Exception:
                log.exception("a recording cannot be ended", media=wanted.media, again_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)

    async def _announce(self, wanted: c.PlayAnnouncement) -> None:
        said = await asyncio.gather(*(self._say(hearer) for hearer in wanted.hearers))
        self._announcing.pop(wanted.media, None)
        spoken = {one.channel: what for one, what in zip(wanted.hearers, said, strict=True) if isinstance(what, Spoken)}
        unheard = {one.channel: why for one, why in zip(wanted.hearers, said, strict=True) if isinstance(why, str)}
        reason = "; ".join(dict.fromkeys(unheard.values()))
        self._happen(h.AnnouncementDone(now(), wanted.media, not unheard, reason, unheard, spoken))

    async def _say(self, hearer: c.Hearer) -> Spoken | str:
        """Play the announcement to one; return what they heard, or why they did not hear it whole."""
        sound = await asyncio.to_thread(self._find_sound, hearer.language, ANNOUNCE)
        for _ in range(2):
            if sound is None:
                return f"the prompt '{ANNOUNCE}' is missing: run 'pbx-plugin prompts build'"
            try:
                await self._tell(hearer.channel, sound, "tell")
            except CaptureError as error:
                return str(error) or "it went wrong"
            played, sound = sound, await asyncio.to_thread(self._find_sound, hearer.language, ANNOUNCE)
            if sound is not None and sound.sha256 == played.sha256:
                return Spoken(played.language, played.text_version, played.sha256)
            # It was built anew meanwhile: nobody knows which of the two was heard.
        return f"the prompt '{ANNOUNCE}' was replaced while it was heard"

    async def _tone(self, wanted: c.PlayTone) -> None:
        sound = await asyncio.to_thread(self._find_sound, "", wanted.tone)
        if sound is None:
            log.warning("a tone is missing", tone=wanted.tone)
            return
        try:
            await self._tell(wanted.channel, sound, "tone")
        except CaptureError as error:
            log.info("a tone was not heard", tone=wanted.tone, channel=wanted.channel, error=str(error))

    async def _remind(self, call: CallState, beep: Beep) -> None:
        began = now() - call.clock_off
        came = await self._beeped(beep)
        try:
            await self._append([LegMoved(call.call_id, beep.channel, began, TONE_BEEP, came)])
        except JournalError as error:
            log.warning("a beep is not in the books", call=call.call_id, beep=came, error=str(error))

    async def _beeped(self, beep: Beep) -> str:
        """Play the beep to one; return what came of it, for the time line."""
        sound = await asyncio.to_thread(self._find_sound, "", TONE_BEEP)
        if sound is None:
            return f"not heard: the tone '{TONE_BEEP}' is missing: run 'pbx-plugin prompts build'"
        try:
            await self._tell(beep.channel, sound, "tone")
        except CaptureError as error:
            return f"not heard: {error}"
        after = await asyncio.to_thread(self._find_sound, "", TONE_BEEP)
        if after is None or after.sha256 != sound.sha256:
            return f"heard: {beep.setting}, and which tone is not known: it was replaced meanwhile"
        return beep_heard(beep.setting, sound.text_version, sound.sha256)

    async def _tell(self, channel: str, sound: PromptFile, what: str) -> None:
        await self._capturing.whisper(channel, f"{variables.SNOOP_PREFIX}{uuid4()}-{what}", Path(sound.path))

    async def _finish(self, wanted: c.FinaliseMedia, media: OpenMedia) -> None:
        lost = []
        if media.closed_at is None:
            await self._book(RecordingClosed(wanted.media, wanted.closed_at, "nobody remembers its call"))
            if media.in_at is not None and wanted.closed_at < (at := now()):
                lost.append(Loss(wanted.closed_at, at, UNWATCHED))
        await self._ended(c.StopCapture(wanted.media, wanted.spool_in, wanted.spool_out))
        lost += await self._finalise(wanted)
        for one, user_id in ((one, user_id) for one in lost for user_id in media.user_ids):
            gap_id = str(uuid5(UUID(wanted.media), f"gap {user_id} {one.since.isoformat()}"))
            await self._book(Gap(gap_id, media.call_id, media.tenant_id, user_id, one.since, one.until, one.reason))

    async def _finalise(self, wanted: c.FinaliseMedia) -> tuple[Loss, ...]:
        became = await self._finalising.finalise(wanted)
        await self._book(became)
        await self._finalising.discard(wanted.spool_in, wanted.spool_out)
        lost = losses(wanted, became)
        self._happen(h.MediaSettled(now(), wanted.media, lost))
        return lost

    async def _erase(self, wanted: c.EraseMedia) -> None:
        await self._finalising.erase(wanted)
        await self._book(RecordingErased(wanted.media, now()))
        self._happen(h.MediaErased(now(), wanted.media))

    async def _book(self, entry: Entry) -> None:
        """Write what was done, however often the disk must be asked."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._append([entry])
                return
            except JournalError as error:
                log.error("what was done is not in the books", done=entry.kind, error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)


def _entries(asked: list[Asked]) -> list[Entry]:
    """Return what is to be written. Of a call's states the last one is enough: nobody goes on from an older one."""
    entries: list[Entry] = []
    latest = None
    for call, commands in asked:
        for command in commands:
            if isinstance(command, c.Write):
                entries.extend(command.entries)
            elif isinstance(command, c.Remember):
                latest = call
    if latest is not None:
        # By the call's own clock: the books keep the state with the latest time, whatever becomes of the machine's.
        entries.append(CallRemembered(latest.call_id, now() - latest.clock_off, remember(latest)))
    return entries
