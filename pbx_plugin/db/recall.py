"""What a restarted recorder reads back: segments that are not finished, and calls that have not ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Engine, or_, select
from sqlalchemy.orm import Session

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import CallRow, MediaRow, MediaState, RecordingRow
from pbx_plugin.services.ports import OpenMedia, RunningCall

_OPEN = (MediaState.STARTING, MediaState.RECORDING, MediaState.CLOSED)


_AT_ONCE = 500


def _batched(ids: Collection[str]) -> Iterator[list[str]]:
    """Yield ids in portions that every database takes in one question."""
    listed = list(ids)
    for start in range(0, len(listed), _AT_ONCE):
        yield listed[start : start + _AT_ONCE]


def _owners(session: Session, media_ids: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the users who own a recording on each segment."""
    found: dict[str, tuple[str, ...]] = {}
    for some in _batched(media_ids):
        query = select(RecordingRow.media_id, RecordingRow.person_id).where(RecordingRow.media_id.in_(some))
        for row in session.execute(query.order_by(RecordingRow.at, RecordingRow.id)):
            found[row.media_id] = (*found.get(row.media_id, ()), row.person_id)
    return found


class DatabaseRecall:
    """Implements :class:`pbx_plugin.services.ports.Recall`.

    Ask after the journal was applied: what still waits in it is not seen. All raise StoreUnavailableError while the
    database is locked or away.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_media(self) -> Sequence[OpenMedia]:
        """Return all segments in states starting, recording or closed, oldest first."""
        query = select(MediaRow).where(MediaRow.state.in_(_OPEN)).order_by(MediaRow.intended_at, MediaRow.id)
        with reading(self._engine) as session:
            rows = tuple(session.scalars(query))
            owners = _owners(session, [row.id for row in rows])
            return tuple(
                OpenMedia(
                    media_id=row.id,
                    call_id=row.call_id,
                    tenant_id=row.tenant_id,
                    state=row.state.value,
                    spool_in=row.spool_in,
                    spool_out=row.spool_out,
                    in_side=row.in_side,
                    intended_at=row.intended_at,
                    in_at=row.in_at,
                    out_at=row.out_at,
                    closed_at=row.closed_at,
                    anchor_channel=row.anchor_channel,
                    user_ids=owners.get(row.id, ()),
                )
                for row in rows
            )

    def ended(self, call_ids: Collection[str]) -> frozenset[str]:
        """Return which of these calls have ended, or merged into another."""
        found: set[str] = set()
        with reading(self._engine) as session:
            for some in _batched(call_ids):
                over = or_(CallRow.ended_at.is_not(None), CallRow.merged_into.is_not(None))
                found.update(session.scalars(select(CallRow.id).where(CallRow.id.in_(some), over)))
        return frozenset(found)

    def media_states(self, media_ids: Collection[str]) -> Mapping[str, str]:
        """Return the states of these segments; one that nobody knows is left out."""
        found: dict[str, str] = {}
        with reading(self._engine) as session:
            for some in _batched(media_ids):
                query = select(MediaRow.id, MediaRow.state).where(MediaRow.id.in_(some))
                found.update({row.id: row.state.value for row in session.execute(query)})
        return found

    def running_calls(self) -> Sequence[RunningCall]:
        """Return all calls that have neither ended nor merged into another, oldest first; ``state`` may be empty."""
        query = (
            select(CallRow.id, CallRow.state)
            .where(CallRow.ended_at.is_(None), CallRow.merged_into.is_(None))
            .order_by(CallRow.began_at, CallRow.id)
        )
        with reading(self._engine) as session:
            return tuple(RunningCall(row.id, row.state or "") for row in session.execute(query))
