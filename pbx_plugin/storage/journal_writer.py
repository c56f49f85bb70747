"""The appending side of a journal: positions, segments, and one fsync for all threads that wait for one."""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

import structlog

from pbx_plugin.services.ports import JournalError
from pbx_plugin.storage.journal_segments import (
    Segment,
    create_segment,
    find_segments,
    frame,
    last_position,
    write_all,
)

log = structlog.get_logger()


class JournalWriter:
    """Appends to the newest of ``segments``. Its lock and condition ``state`` also guards the reader's side.

    ``durable`` is the last position that is known to be on disk. The caller holds the journal's lock file.
    """

    def __init__(self, folder: Path, name: str, segment_bytes: int) -> None:
        """Adopt what earlier runs left. Raises OSError, and JournalError for a file that is no segment."""
        self._folder = folder
        self._name = name
        self._segment_bytes = segment_bytes
        self._descriptor: int | None = None
        self._retired: list[int] = []
        self._size = 0
        self._syncing = self._closed = False
        self._lost: list[range] = []
        self.state = threading.Condition()
        self.segments = self._adopt()
        self.written = self.durable = last_position(self.segments[-1]) if self.segments else 0
        while self.segments and self.segments[-1].readable == self.segments[-1].header:
            self.segments.pop().path.unlink()

    def append(self, texts: list[str]) -> int:
        """Write the lines durably and return the position of the last one. Raises JournalError: none of them counts."""
        with self.state:
            if not texts:
                return self.written
            position = self._write(texts)
            self.state.wait_for(lambda: not self._syncing or self._settled(position))
            if self._settled(position):
                return position
            self._syncing = True
            descriptor, segment, upto, size = self._descriptor, self.segments[-1], self.written, self._size
        failure: OSError | None = None
        try:
            if descriptor is not None:
                os.fdatasync(descriptor)
        except OSError as error:
            failure = error
        with self.state:
            self._syncing = False
            self._close_retired()
            if not segment.sealed:
                if failure is None:
                    self._mark_durable(upto, size)
                else:
                    self._lose()
            self.state.notify_all()
            if not self._settled(position):
                raise JournalError(f"the journal {self._name!r} could not be made durable: {failure}")
        return position

    def close(self) -> None:
        """Refuse further lines, and make durable what still waits for it."""
        with self.state:
            self._closed = True
            self.state.wait_for(lambda: not self._syncing)
            try:
                self._sync_now()
            except OSError:
                self._lose()
            self._seal()
            self.state.notify_all()

    def _adopt(self) -> list[Segment]:
        segments = find_segments(self._folder, self._name)
        for segment in segments:
            if segment.torn:
                log.warning("unfinished journal line left out", file=str(segment.path), bytes=segment.torn)
        return segments

    def _write(self, texts: list[str]) -> int:
        try:
            descriptor = self._writable()
            start = self.written + 1
            data = b"".join(frame(start + index, text) for index, text in enumerate(texts))
            write_all(descriptor, data)
        except OSError as error:
            self._undo()
            raise JournalError(f"the journal {self._name!r} cannot be written: {error}") from error
        self._size += len(data)
        self.written += len(texts)
        return self.written

    def _writable(self) -> int:
        self.state.wait_for(lambda: not self._syncing or self._size < self._segment_bytes)
        if self._closed:
            raise JournalError(f"the journal {self._name!r} is closed")
        if self._descriptor is not None and self._size >= self._segment_bytes:
            self._sync_now()
            self._seal()
        if self._descriptor is None:
            # Each segment is a run of its own: a position that comes twice (a lost tail, a restored backup) is then
            # never taken for one that the database already holds.
            run = f"{self._name}:{uuid.uuid4()}"
            segment, self._descriptor = create_segment(self._folder, self._name, self.written + 1, run)
            self._size = segment.readable
            self.segments.append(segment)
        return self._descriptor

    def _undo(self) -> None:
        """Take back a line that was written in part, or give up the segment when even that fails."""
        if self._descriptor is None:
            return
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            log.error("journal segment abandoned", journal=self._name, error=str(error))
            self._lose()

    def _lose(self) -> None:
        """Give up what was written since the last sync: after a failed one nobody knows what is on disk."""
        if self.durable < self.written:
            self._lost.append(range(self.durable + 1, self.written + 1))
        self.written += 1  # skipped, so that the next segment cannot have this one's name
        if self._descriptor is not None:
            try:
                os.ftruncate(self._descriptor, self.segments[-1].readable)
            except OSError as error:
                log.error("journal segment keeps lines that do not count", journal=self._name, error=str(error))
        self._seal()
        self.state.notify_all()

    def _settled(self, position: int) -> bool:
        if any(position in lost for lost in self._lost):
            raise JournalError(f"the journal {self._name!r} could not be made durable")
        return position <= self.durable

    def _sync_now(self) -> None:
        if self._descriptor is not None and self.durable < self.written:
            os.fdatasync(self._descriptor)
            self._mark_durable(self.written, self._size)

    def _mark_durable(self, position: int, size: int) -> None:
        self.durable = position
        self.segments[-1].readable = size
        self.state.notify_all()

    def _seal(self) -> None:
        if self._descriptor is None:
            return
        self.segments[-1].sealed = True
        self._retired.append(self._descriptor)
        self._descriptor = None
        if not self._syncing:
            self._close_retired()

    def _close_retired(self) -> None:
        # A descriptor is never closed while another thread syncs it: its number could be somebody else's by then.
        while self._retired:
            os.close(self._retired.pop())
