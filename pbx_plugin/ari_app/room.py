"""Watches how much room is left where recordings are written and kept, and says so before it is too late."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from pbx_plugin.domain.capacity import Room
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


class RoomWatch:
    """Tells ``tell`` how much room there is. A folder that cannot be looked at does not stop recording: it may work."""

    def __init__(self, folders: tuple[Path, ...], limits: Recorder, tell: Callable[[Room], None]) -> None:
        self._folders = folders
        self._limits = limits
        self._tell = tell
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

    def _say(self, room: Room, free: int, folder: Path) -> None:
        told = {"folder": str(folder), "free_mb": free}
        if room is Room.NONE:
            log.error("a disk is nearly full: recordings of rules 10 to 12 are refused", **told)
        elif room is Room.LITTLE:
            log.warning("a disk is getting full", **told)
        elif self._looks == 0 and self._last is not room:
            log.info("there is room again", **told)
