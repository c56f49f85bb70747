"""When the recorder last heard Asterisk, kept on disk: what a call became after that moment, nobody can tell."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=1)
"""How often the moment is put on disk, at most; the heartbeat sees to it that there is one."""


class Heard:
    """The moment is the file's own time stamp, so that writing it costs next to nothing. Lost, it is unknown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: datetime | None = None
        self.last = self._read()
        self.lost: datetime | None = None
        """When this run of the recorder lost its connection to Asterisk; None when it has not had one."""

    def note(self, at: datetime) -> None:
        """Asterisk was heard ``at`` (aware UTC). From the event loop; the disk is not waited for."""
        self.last = at
        if self._kept is None or abs(at - self._kept) >= EVERY:  # back in time as well: the clock may be set
            self._kept = at
            asyncio.get_running_loop().run_in_executor(None, self._write, at)

    def clock_moved(self, by: timedelta) -> None:
        """Tell the moment by a clock that was just set forward ``by`` so much."""
        self.last = self.last and self.last + by
        self.lost = self.lost and self.lost + by

    def _read(self) -> datetime | None:
        try:
            return datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except OSError:
            return None

    def _write(self, at: datetime) -> None:
        try:
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o640))
            os.utime(self._path, (at.timestamp(), at.timestamp()))
        except OSError as error:
            log.warning("the moment of last hearing Asterisk cannot be kept", path=str(self._path), error=str(error))
