"""Writes journal entries into the database: each once, in any reasonable order, states only forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from pbx_plugin.db import apply_calls, apply_recordings
from pbx_plugin.db.engine import writing
from pbx_plugin.db.models import JournalMarkRow
from pbx_plugin.domain import entries
from pbx_plugin.domain.entries import Entry

_Step = Callable[[Session, Any], None]

_STEPS: dict[type[Any], _Step] = {
    entries.CallBegan: apply_calls.call_began,
    entries.CallRemembered: apply_calls.call_remembered,
    entries.CallMerged: apply_calls.call_merged,
    entries.CallEnded: apply_calls.call_ended,
    entries.LegSeen: apply_calls.leg_seen,
    entries.LegMoved: apply_calls.leg_moved,
    entries.Marked: apply_calls.marked,
    entries.Decided: apply_calls.decided,
    entries.ConsentTaken: apply_calls.consent_taken,
    entries.RecordingIntended: apply_recordings.recording_intended,
    entries.RecordingStarted: apply_recordings.recording_started,
    entries.RecordingClosed: apply_recordings.recording_closed,
    entries.RecordingStored: apply_recordings.recording_stored,
    entries.RecordingFailed: apply_recordings.recording_failed,
    entries.RecordingErased: apply_recordings.recording_erased,
    entries.Gap: apply_recordings.gap,
    entries.Audited: apply_recordings.audited,
}


class DatabaseApply:
    """Applies batches of one journal run each; hand it to :class:`pbx_plugin.storage.journal.FileJournal`.

    A batch is one transaction: all of it is written, with the run's position, or nothing. Entries at or before the
    position that the database has for the run are ignored, and even without that a replay changes nothing.
    Safe to share between journals and threads.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, run: str, batch: Sequence[tuple[int, Entry]], /) -> None:
        """Write the batch. Raises StoreUnavailableError when the database is locked or away: try again later.

        Anything else that is raised means that an entry can never be written (a value the database refuses).
        """
        with writing(self._engine) as session:
            mark = session.get(JournalMarkRow, run)
            if mark is None:
                mark = self._first_mark(session, run)
            for position, entry in batch:
                if position > mark.position:
                    _STEPS[type(entry)](session, entry)
                    mark.position = position

    def forget(self, run: str) -> None:
        """Drop the position of a run whose segment is gone. Raises StoreUnavailableError."""
        with writing(self._engine) as session:
            session.execute(delete(JournalMarkRow).where(JournalMarkRow.journal == run))

    @staticmethod
    def _first_mark(session: Session, run: str) -> JournalMarkRow:
        # A journal removes a run's segment before it hands on the next run's lines: the older marks have served.
        journal = run.partition(":")[0]
        session.execute(delete(JournalMarkRow).where(JournalMarkRow.journal.startswith(f"{journal}:", autoescape=True)))
        mark = JournalMarkRow(journal=run, position=0)
        session.add(mark)
        return mark
