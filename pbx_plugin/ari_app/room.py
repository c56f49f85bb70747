"""Watches how much room is left where recordings are written and kept, and says so before it is too late."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from pbx_plugin.clock import now
from pbx_plugin.domain.capacity import Room
from pbx_plugin.domain.entries import Trouble
from pbx_plugin.services.ports import JournalError
from pbx_plugin.settings import Recorder

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two looks."""

AGAIN = 60
"""Looks after which an alarm that holds is raised again."""

MEGABYTE = 1_000_000


def free_mb(folders: Iterable[Path]) -> tuple[int, Path]:
    """Return the megabytes (of 10^6 bytes) that are free where there is least, and that folder. Raises OSError."""
    return min((shutil.disk_usage(folder).free // MEGABYTE, folder) for folder in folders)


def room_of(free: int, limits: Recorder) -> Room:
    """Judge the free megabytes by the two watermarks of the settings."""
    if free < limits.disk_stop_mb:
        return Room.NONE
    return Room.LITTLE if free < limits.disk_warn_mb else Room.ENOUGH


CAUSES = {Room.LITTLE: "a disk is getting full", Room.NONE: "a disk is nearly full"}
"""What the two watermarks are called where somebody is told that they were crossed."""

_BELOW = {Room.ENOUGH: (), Room.LITTLE: (Room.LITTLE,), Room.NONE: (Room.LITTLE, Room.NONE)}
"""Which of the watermarks lie above what is free."""

Report = Callable[[list[Trouble]], Awaitable[None]]
"""Writes down what is to be told. Raises JournalError."""


class RoomWatch:
    """Tells ``tell`` how much room there is. A folder that cannot be looked at does not stop recording: it may work.

    ``report`` is given what changed about the two watermarks, and at the first look how things stand, for nobody knows
    what a recorder that ended had said. What it cannot write down it is given again at the next look.
    """

    def __init__(
        self, folders: tuple[Path, ...], limits: Recorder, tell: Callable[[Room], None], report: Report
    ) -> None:
        self._folders = folders
        self._limits = limits
        self._tell = tell
        self._report = report
        self._reported: Room | None = None
        self._last = Room.ENOUGH
        self._looks = 0

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once; an alarm is raised when things have changed, and again while they stay bad."""
        try:
            free, folder = await asyncio.to_thread(free_mb, self._folders)
        except OSError as error:
            log.error("free room cannot be seen", error=str(error))
            return
        room = room_of(free, self._limits)
        self._looks = 0 if room is not self._last else self._looks + 1
        if self._looks % AGAIN == 0:
            self._say(room, free, folder)
        self._last = room
        self._tell(room)
        await self._report_change(room, free)

    async def _report_change(self, room: Room, free: int) -> None:
        if room is self._reported:
            return
        at, before = now(), self._reported
        news = [
            Trouble(cause, at, over=mark not in _BELOW[room], detail={"free_mb": free})
            for mark, cause in CAUSES.items()
            if before is None or (mark in _BELOW[before]) != (mark in _BELOW[room])
        ]
        try:
            await self._report(news)
        except JournalError as error:
            log.error("that a disk is full or has room again cannot be written down", error=str(error))
            return
        self._reported = room

    def _say(self, room: Room, free: int, folder: Path) -> None:
        told = {"folder": str(folder), "free_mb": free}
        if room is Room.NONE:
            log.error("a disk is nearly full: recordings of rules 10 to 12 are refused", **told)
        elif room is Room.LITTLE:
            log.warning("a disk is getting full", **told)
        elif self._looks == 0 and self._last is not room:
            log.info("there is room again", **told)
