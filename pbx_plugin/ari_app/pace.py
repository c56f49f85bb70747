"""Watches how Asterisk writes the files of live captures: a machine short of CPU writes them late and loses sound.

Asterisk writes a file in steps of 32 kB (two seconds of narrowband sound). Size and time of last writing, read at any
moment after a step, tell how much sound there was when the step was made, hence how late it was. What follows from
that is worked out in :mod:`pbx_plugin.domain.pacing`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

import structlog

from pbx_plugin.domain.naming import spool_file
from pbx_plugin.domain.pacing import KEPT_TIME, NOTICED_MS, Lag, Paces, pace
from pbx_plugin.storage.wav import HEADER_BYTES, NotPcmError, open_pcm

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two looks."""

CLOCK_SET_S = 0.01
"""A clock that moved more than this between two looks was set; the hand of time that draws it right is slower."""

COARSE_S = 0.05
"""How far a file's time may lie outside the moments between which it was written; else it is another clock's."""

AT_ONCE_S = 0.002
"""Reading both clocks takes less, or they are read again."""

READINGS = 5


@dataclass(frozen=True, slots=True)
class Written:
    """A capture that Asterisk is writing, or has just closed. Times are by our clock as it is set now."""

    media: str
    spool_in: str
    spool_out: str
    in_at: datetime
    out_at: datetime


@dataclass(slots=True)
class _File:
    """One side. Seconds are those of the steady clock."""

    path: Path
    began_s: float
    looked_s: float
    off_s: float
    size: int = 0
    rate: int = 0
    offset: int = 0
    seen: list[Lag] = field(default_factory=list)
    last: Lag = field(default_factory=lambda: Lag(0, 0))


class PaceLog:
    """Keeps the lags of live captures: of one that is written in time, nothing.

    ``written`` names the captures that are being written, ``wall`` and ``steady`` are the clocks (seconds).
    """

    def __init__(
        self,
        spool: Path,
        written: Callable[[], Iterable[Written]],
        wall: Callable[[], datetime],
        steady: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._written = written
        self._wall = wall
        self._steady = steady
        self._files: dict[str, tuple[_File, _File]] = {}
        self._lock = Lock()

    async def run(self) -> None:
        """Look every second until cancelled. What goes wrong is logged: it must cost no recording."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Exception:
                log.exception("how recordings are written could not be looked at")

    async def look(self) -> None:
        """Look once at all files."""
        live = tuple(self._written())
        if live or self._files:
            await asyncio.to_thread(self._look, live)

    async def paces(self, media: str) -> Paces:
        """Return the lags of a capture whose files are closed, and forget it. Of an unknown one nothing is known."""
        live = tuple(one for one in self._written() if one.media == media)
        return await asyncio.to_thread(self._last_look, media, live)

    def _look(self, live: tuple[Written, ...]) -> None:
        with self._lock:
            off_s = self._ahead()
            self._files = {one.media: self._files.get(one.media) or self._begin(one, off_s) for one in live}
            for sides in self._files.values():
                for side in sides:
                    _look_at(side, self._steady, off_s)

    def _last_look(self, media: str, live: tuple[Written, ...]) -> Paces:
        with self._lock:
            off_s = self._ahead()
            sides = self._files.pop(media, None) or next((self._begin(one, off_s) for one in live), None)
            if sides is None:
                return KEPT_TIME
            for side in sides:
                _look_at(side, self._steady, off_s)
            # The last one tells how it was when the file was closed, whatever it is.
            first, second = (pace((*side.seen, side.last)) for side in sides)
            return first, second

    def _begin(self, one: Written, off_s: float) -> tuple[_File, _File]:
        first, second = (
            _File(self._spool / spool_file(name), at.timestamp() - off_s, at.timestamp() - off_s, off_s)
            for name, at in ((one.spool_in, one.in_at), (one.spool_out, one.out_at))
        )
        return first, second

    def _ahead(self) -> float:
        """Return by how much the time of day is ahead of the steady clock."""
        best = (float("inf"), 0.0)
        for _ in range(READINGS):
            before = self._steady()
            wall, after = self._wall().timestamp(), self._steady()
            best = min(best, (after - before, wall - after))
            if best[0] < AT_ONCE_S:
                break
        return best[1]


def _look_at(side: _File, steady: Callable[[], float], off_s: float) -> None:
    """Take one look at a file; keep what it tells when it lies further behind, or less, than was known."""
    now_s = steady()
    try:
        found = os.stat(side.path)  # noqa: PTH116  (a tenth of the time of Path.stat, for every file in every second)
    except OSError:
        return
    since_s, side.looked_s = side.looked_s, now_s
    clock_was_set, side.off_s = abs(off_s - side.off_s) > CLOCK_SET_S, off_s
    if found.st_size == side.size or found.st_size <= HEADER_BYTES:
        return
    side.size = found.st_size
    if not side.rate and not _know_format(side):
        return
    written_s = found.st_mtime_ns / 1e9 - off_s
    if clock_was_set or not since_s - COARSE_S <= written_s <= steady() + COARSE_S:
        return
    frames = max(0, found.st_size - side.offset) // 2
    lag = Lag(frames * 1000 // side.rate, round((written_s - side.began_s) * 1000 - frames * 1000 / side.rate))
    known = side.seen[-1].ms if side.seen else 0
    if abs(lag.ms - known) >= NOTICED_MS:
        # The one before it says until where all was as it had been.
        side.seen += [side.last, lag] if side.last.at_ms > (side.seen[-1].at_ms if side.seen else 0) else [lag]
    side.last = lag


def _know_format(side: _File) -> bool:
    try:
        with open_pcm(side.path) as pcm:
            if pcm is None or pcm.channels != 1:
                return False
            side.rate, side.offset = pcm.rate, pcm.offset
    except (OSError, NotPcmError):
        return False
    return True
