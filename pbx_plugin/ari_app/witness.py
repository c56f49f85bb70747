"""The witness: the file into which Asterisk itself writes what happens to calls, read when the recorder was away.

Asterisk opens it anew for every line, so that it may be moved away at any moment and no line is lost or torn.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from pbx_plugin.asterisk.cel import CelEvent, events_in

log = structlog.get_logger(__name__)

LARGEST = 16_000_000
"""Bytes after which the file is set aside; one earlier file is kept. About 5 kB are written for a call."""

EVERY = 60.0
"""Seconds between two looks at its size."""

READ_FIRST = 1_000_000
"""Bytes of the end that are read first; more, until what is asked for is among it."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What the witness says. ``whole`` tells whether it was there all the time; if not, ``why`` says what lacks."""

    events: tuple[CelEvent, ...] = ()
    whole: bool = False
    why: str = ""


class Witness:
    """Reads the file at ``path`` and keeps it small. Nothing here raises: without a witness there is no testimony."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._earlier = path.with_name(f"{path.name}.1")

    async def run(self) -> None:
        """Keep the file small until cancelled."""
        await asyncio.to_thread(self.prepare)
        while True:
            await asyncio.to_thread(self.keep_small)
            await asyncio.sleep(EVERY)

    def prepare(self) -> None:
        """Make the folder that Asterisk writes into."""
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            log.warning("the witness has no folder", path=str(self._path), error=str(error))

    def since(self, at: datetime, margin: timedelta = timedelta()) -> Testimony:
        """Return all events from ``margin`` before ``at`` (aware UTC) on, in the order of the file."""
        try:
            found = self._reaching_back(at - margin)
        except OSError as error:
            return Testimony(why=f"{self._path} cannot be read: {error}")
        if not found:
            return Testimony(why=f"{self._path} holds nothing")
        later = tuple(event for event in found if event.at >= at - margin)
        if min(event.at for event in found) > at:
            return Testimony(later, why=f"{self._path} does not reach back to {at.isoformat()}")
        return Testimony(later, whole=True)

    def keep_small(self, largest: int = LARGEST) -> None:
        """Set the file aside when it has grown too large, in place of the one before, and see to its mode."""
        with suppress(FileNotFoundError):
            try:
                found = self._path.stat()
                if found.st_uid == os.geteuid() and found.st_mode & 0o137:
                    self._path.chmod(0o640)
                if found.st_size >= largest:
                    self._path.replace(self._earlier)
            except FileNotFoundError:
                raise
            except OSError as error:
                log.warning("the witness's file cannot be set aside", path=str(self._path), error=str(error))

    def _reaching_back(self, at: datetime) -> list[CelEvent]:
        """Return events up to the end, among them one that is older than ``at`` if there is any."""
        size, most = READ_FIRST, 2 * LARGEST
        while True:
            text, whole = _end_of(self._path, size)
            events = list(events_in(text))
            if events and events[0].at <= at:
                return events
            if whole:
                break
            if size >= most:
                return events  # it grew while no recorder ran to keep it small; all of it is more than memory may hold
            size = min(size * 4, most)
        return [*events_in(_end_of(self._earlier, most)[0]), *events]


def _end_of(path: Path, size: int) -> tuple[str, bool]:
    """Return the last whole lines of a file in at most ``size`` bytes, and whether that is all of it.

    A file that is not there is empty: it was just set aside, and Asterisk makes it anew with the next line.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return "", True
    with file:
        whole = file.seek(0, os.SEEK_END) <= size
        file.seek(0 if whole else -size, os.SEEK_END if not whole else os.SEEK_SET)
        data = file.read()
    data = data[: data.rfind(b"\n") + 1]
    return (data if whole else data.partition(b"\n")[2]).decode("utf-8", "replace"), whole
