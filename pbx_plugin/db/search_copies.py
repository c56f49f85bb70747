"""Keeps what recordings are found by in step with what it is copied from, in the transaction that changes that.

Whoever writes a recording's mark or notes calls :func:`follow_marks` and :func:`follow_notes` before committing;
whoever writes media calls :func:`follow_media`. Calling again changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, ScalarSelect, case, delete, func, insert, null, select, true, update
from sqlalchemy.orm import Session

from pbx_plugin.db.models import (
    MediaRow,
    MediaState,
    RecordingMarkRow,
    RecordingNoteRow,
    RecordingRow,
    RecordingTextRow,
)
from pbx_plugin.domain.working import Flag
from pbx_plugin.services.search_words import words_kept

FINAL: Final = (MediaState.STORED, MediaState.FAILED, MediaState.ERASED)
"""States that a search tells apart; a recording in any other is live."""
_NOT_LOADED: Final = {"synchronize_session": False}


def follow_media(connection: Connection | Session, media_ids: Collection[str]) -> None:
    """Copy length and final state of these media to the recordings on them."""
    if not media_ids:
        return
    own = MediaRow.id == RecordingRow.media_id
    state = case(*((MediaRow.state == final, final.value) for final in FINAL), else_="live")
    connection.execute(
        update(RecordingRow)
        .where(RecordingRow.media_id.in_(sorted(media_ids)))
        .values(
            length_ms=func.coalesce(select(MediaRow.length_ms).where(own).scalar_subquery(), 0),
            state=func.coalesce(select(state).where(own).scalar_subquery(), "live"),
        ),
        execution_options=_NOT_LOADED,
    )


def follow_marks(connection: Connection | Session, recording_ids: Collection[str]) -> None:
    """Copy what these recordings' marks say; nothing marked is None."""
    if not recording_ids:
        return
    mark = RecordingMarkRow
    told: dict[str, Any] = {
        "flag": _of_mark(func.nullif(mark.flag, Flag.NONE.value)),
        "tag": _of_mark(func.nullif(mark.tag, "")),
        "outcome": _of_mark(func.nullif(mark.outcome, "")),
        "response": _of_mark(func.nullif(mark.response, "")),
        "evaluated": _of_mark(case((mark.evaluated, true()), else_=null())),
    }
    statement = update(RecordingRow).where(RecordingRow.id.in_(sorted(recording_ids))).values(told)
    connection.execute(statement, execution_options=_NOT_LOADED)


def follow_notes(connection: Connection | Session, recording_id: str) -> None:
    """Write the words of a recording's notes anew, as they are to be found."""
    notes = select(RecordingNoteRow.text, RecordingNoteRow.tenant_id).where(
        RecordingNoteRow.recording_id == recording_id
    )
    rows = connection.execute(notes.order_by(RecordingNoteRow.at, RecordingNoteRow.id)).all()
    words = words_kept("\n".join(row.text for row in rows))
    connection.execute(
        delete(RecordingTextRow).where(RecordingTextRow.recording_id == recording_id), execution_options=_NOT_LOADED
    )
    if words:
        row = {"tenant_id": rows[0].tenant_id, "recording_id": recording_id, "text": words}
        connection.execute(insert(RecordingTextRow).values(row))


def _of_mark(value: Any) -> ScalarSelect[Any]:
    return select(value).where(RecordingMarkRow.recording_id == RecordingRow.id).scalar_subquery()
