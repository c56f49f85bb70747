"""Writes journal entries into the database: each once, in any reasonable order, states only forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from pbx_plugin.db import apply_calls, apply_recordings, outbox, rehearsal
from pbx_plugin.db.apply_rows import Batch, table_of
from pbx_plugin.db.engine import WRITES, writing
from pbx_plugin.db.models import JournalMarkRow
from pbx_plugin.domain import entries
from pbx_plugin.domain.entries import Entry

_Step = Callable[[Batch, Any], None]

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
    entries.ConsentRests: apply_recordings.consent_rests,
    entries.Gap: apply_recordings.gap,
    entries.Audited: apply_recordings.audited,
    entries.Trouble: lambda *_: None,  # webhooks are told of it, and nothing else
}


_MARKS = table_of(JournalMarkRow)
_HELD = select(_MARKS.c.position).where(_MARKS.c.journal == bindparam("run"))
_REACHED = update(_MARKS).where(_MARKS.c.journal == bindparam("run")).values(position=bindparam("reached"))


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
        with self._engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            held = connection.scalar(_HELD, {"run": run})
            fresh = [(position, entry) for position, entry in batch if position > (held or 0)]
            if held is None:
                _begin_run(connection, run)
            if not fresh:
                return
            # First, as what is audited comes last: who waits for the audit holds nothing that its holder could want.
            connection.execute(_REACHED, {"run": run, "reached": max(position for position, _ in fresh)})
            _write(connection, [entry for _, entry in fresh])

    def rehearse(self) -> None:
        """Have every statement of a call prepared: the first one of a day is not to wait for it. Leaves nothing.

        Takes the database's write lock for a moment. Raises StoreUnavailableError.
        """
        writes = {WRITES: True}
        with self._engine.connect().execution_options(**writes) as connection, connection.begin() as transaction:
            connection.execute(_HELD, {"run": ""})
            for step in rehearsal.steps():
                _write(connection, step)
            connection.execute(_REACHED, {"run": "", "reached": 0})
            transaction.rollback()

    def forget(self, run: str) -> None:
        """Drop the position of a run whose segment is gone. Raises StoreUnavailableError."""
        with writing(self._engine) as session:
            session.execute(delete(JournalMarkRow).where(JournalMarkRow.journal == run))


def _write(connection: Connection, fresh: list[Entry]) -> None:
    work = Batch(connection)
    _load(work, fresh)
    for entry in fresh:
        _STEPS[type(entry)](work, entry)
    work.write()
    outbox.tell(connection, fresh)
    work.write_audit()


def _load(work: Batch, entries_: Sequence[Entry]) -> None:
    calls: set[str] = set()
    legs_of: set[str] = set()
    media: set[str] = set()
    gaps: set[str] = set()
    for entry in entries_:
        match entry:
            case entries.LegSeen():
                calls.add(entry.call_id)
                legs_of.add(entry.call_id)
            case entries.CallMerged():
                calls |= {entry.call_id, entry.from_call_id}
            case entries.CallBegan() | entries.CallRemembered() | entries.CallEnded():
                calls.add(entry.call_id)
            case entries.LegMoved() | entries.Marked() | entries.Decided():
                calls.add(entry.call_id)
            case entries.Gap():
                gaps.add(entry.gap_id)
            case entries.ConsentTaken() | entries.ConsentRests() | entries.Audited() | entries.Trouble():
                pass
            case _:
                media.add(entry.media_id)
    work.load(calls=calls, legs_of=legs_of, media=media, gaps=gaps)


def _begin_run(connection: Connection, run: str) -> None:
    # A journal removes a run's segment before it hands on the next run's lines: the older marks have served.
    journal = run.partition(":")[0]
    connection.execute(delete(_MARKS).where(_MARKS.c.journal.startswith(f"{journal}:", autoescape=True)))
    connection.execute(insert(_MARKS).values(journal=run, position=0))
