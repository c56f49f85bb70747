"""The durable journal in front of the database: append is one sync to disk and never waits for anything else.

A thread of its own reads what is durable and hands it on in order, again and again while the database is away; a
segment is removed once it is applied. :mod:`pbx_plugin.storage.journal_segments` tells how the files look.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from pbx_plugin.domain.entries import Entry
from pbx_plugin.services.codec import CodecError, encode
from pbx_plugin.services.ports import JournalError, StoreUnavailableError
from pbx_plugin.storage.journal_feed import Apply, Feeder
from pbx_plugin.storage.journal_segments import (
    Segment,
    check_name,
    find_segments,
    journal_names,
    read_lines,
    take_lock,
)
from pbx_plugin.storage.journal_writer import JournalWriter

log = structlog.get_logger()

_BATCH = 200
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_STOP_PATIENCE = 5.0
_GATHERS = 0.05
"""Seconds in which more entries are waited for before a transaction is spent on them: a call's come in bursts, and one
transaction costs more than what it writes. Whoever waits for an entry to be applied ends the waiting."""


class FileJournal:
    """Implements :class:`pbx_plugin.services.ports.Journal` in a folder. Safe to use from several threads.

    There is one writer a name: a second one gets JournalError after ``lock_patience`` seconds. With ``apply`` None
    nothing goes to a database from here; :func:`drain_orphans` of another process does it once this one is closed or
    dead. Positions grow by one an entry while the journal is open; another opening may begin anew.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        apply: Apply | None,
        *,
        segment_bytes: int = 4_000_000,
        lock_patience: float = 1.0,
    ) -> None:
        """Open the journal and start applying what an earlier run left. Raises JournalError."""
        self._name = check_name(name)
        self._lock = _lock(folder, name, lock_patience)
        try:
            self._writer = JournalWriter(folder, name, segment_bytes)
            feeder = Feeder(folder, name, apply) if apply is not None else None
        except (OSError, JournalError) as error:
            os.close(self._lock)
            raise JournalError(f"the journal {name!r} in {folder} cannot be opened: {error}") from error
        self._state = self._writer.state
        self._segments = self._writer.segments
        self._offset = 0
        self._awaited = 0
        self._applied = self._segments[0].first - 1 if self._segments else self._writer.durable
        self._stopping = False
        self._thread: threading.Thread | None = None
        if feeder is not None:
            self._thread = threading.Thread(
                target=self._apply_for_ever, args=(feeder,), name=f"journal-{name}", daemon=True
            )
            self._thread.start()

    def append(self, *entries: Entry) -> int:
        """Write the entries durably and return the last one's position. Never waits for the database.

        Calls from several threads share a sync. Raises JournalError when an entry cannot be written as JSON, the
        disk refuses, or the journal is closed: then none of these entries counts, and the journal stays usable.
        """
        try:
            texts = [encode(entry) for entry in entries]
        except CodecError as error:
            raise JournalError(str(error)) from error
        return self._writer.append(texts)

    def wait_applied(self, position: int, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until the database holds everything up to ``position``.

        Entries that had to be set aside count as applied. False at once when nobody applies this journal here.
        """
        if self._thread is None:
            return False
        with self._state:
            self._awaited = max(self._awaited, position)
            self._state.notify_all()
            return self._state.wait_for(lambda: self._applied >= position, timeout)

    def backlog(self) -> int:
        """Return how many durable entries the database does not hold yet."""
        with self._state:
            return max(0, self._writer.durable - self._applied)

    def close(self, timeout: float = 5.0) -> bool:
        """Refuse further entries, go on applying for up to ``timeout`` seconds, and let go of the journal.

        True when everything was applied. What was not is applied by the next run. Closing twice is harmless.
        """
        self._writer.close()
        if self._thread is not None:
            with self._state:
                self._state.wait_for(lambda: self._stopping or not self._segments, timeout)
                self._stopping = True
                self._state.notify_all()
            self._thread.join(_STOP_PATIENCE)
            if self._thread.is_alive():
                # It hangs in the database. Keeping the lock keeps another writer from overtaking it.
                log.error("journal applier does not stop", journal=self._name)
                return False
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        return not self._segments

    def _apply_for_ever(self, feeder: Feeder) -> None:
        pause, away = _FIRST_PAUSE, False
        while (segment := self._next_segment()) is not None:
            try:
                self._apply_some(feeder, segment)
            except (StoreUnavailableError, OSError) as error:
                if not away:
                    log.warning("journal waits for the database", journal=self._name, error=str(error))
                away = True
                with self._state:
                    self._state.wait_for(lambda: self._stopping, pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            if away:
                log.info("journal goes on", journal=self._name, backlog=self.backlog())
            pause, away = _FIRST_PAUSE, False

    def _next_segment(self) -> Segment | None:
        """Wait for a segment with something to apply or to remove; None when told to stop."""

        def ready() -> bool:
            if self._stopping or not self._segments:
                return self._stopping
            return self._segments[0].sealed or self._offset < self._segments[0].readable

        def hurried() -> bool:
            return self._stopping or self._segments[0].sealed or self._awaited > self._applied

        with self._state:
            self._state.wait_for(ready)
            if not self._stopping:
                self._state.wait_for(hurried, _GATHERS)
            return None if self._stopping else self._segments[0]

    def _apply_some(self, feeder: Feeder, segment: Segment) -> None:
        with self._state:
            readable = segment.readable
        try:
            lines = read_lines(segment, self._offset, readable, _BATCH)
        except FileNotFoundError:
            log.error("journal segment was removed by somebody else", file=str(segment.path))
            lines = []
        feeder.feed(segment, lines)
        with self._state:
            # Where the file turns out shorter than it was, what is missing is beyond help: go on behind it.
            self._offset = lines[-1].end if lines else readable
            self._applied = max([self._applied, *(line.position for line in lines)])
            if segment.sealed and self._offset >= segment.readable:
                segment.path.unlink(missing_ok=True)
                self._segments.pop(0)
                self._offset = 0
                # Damaged lines have no position; the end of their segment settles them.
                behind = self._segments[0].first - 1 if self._segments else self._writer.durable
                self._applied = max(self._applied, behind)
            self._state.notify_all()


def drain_orphans(folder: Path, apply: Apply, forget: Callable[[str], None] | None = None) -> int:
    """Apply and remove all journals in the folder whose writer is closed or dead; return how many lines they held.

    Journals in use are left alone. ``forget`` is told each run that is gone for good. Raises StoreUnavailableError
    while the database is away, and JournalError for a file that cannot be read: nothing is lost, call again.
    """
    drained = 0
    for name in journal_names(folder):
        lock = take_lock(folder, name, patience=0.0)
        if lock is None:
            continue
        try:
            feeder = Feeder(folder, name, apply)
            for segment in find_segments(folder, name):
                offset = 0
                while lines := read_lines(segment, offset, segment.readable, _BATCH):
                    feeder.feed(segment, lines)
                    offset = lines[-1].end
                    drained += len(lines)
                segment.path.unlink()
                if forget is not None:
                    forget(segment.run)
            (folder / f"{name}.lock").unlink(missing_ok=True)
        except OSError as error:
            raise JournalError(f"the journal {name!r} in {folder} cannot be read: {error}") from error
        finally:
            os.close(lock)
    return drained


def _lock(folder: Path, name: str, patience: float) -> int:
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        lock = take_lock(folder, name, patience)
    except OSError as error:
        raise JournalError(f"the journal {name!r} in {folder} cannot be opened: {error}") from error
    if lock is None:
        raise JournalError(f"the journal {name!r} in {folder} has another writer")
    return lock
