"""What a restarted recorder reads back: segments that are not finished, and calls that have not ended."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import CallRow, MediaRow, MediaState
from pbx_plugin.services.ports import OpenMedia, RunningCall

_OPEN = (MediaState.STARTING, MediaState.RECORDING, MediaState.CLOSED)


class DatabaseRecall:
    """Implements :class:`pbx_plugin.services.ports.Recall`.

    Ask after the journal was applied: what still waits in it is not seen. Both raise StoreUnavailableError while the
    database is locked or away.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_media(self) -> Sequence[OpenMedia]:
        """Return all segments in states starting, recording or closed, oldest first."""
        query = select(MediaRow).where(MediaRow.state.in_(_OPEN)).order_by(MediaRow.intended_at, MediaRow.id)
        with reading(self._engine) as session:
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
                )
                for row in session.scalars(query)
            )

    def running_calls(self) -> Sequence[RunningCall]:
        """Return all calls that have neither ended nor merged into another, oldest first; ``state`` may be empty."""
        query = (
            select(CallRow.id, CallRow.state)
            .where(CallRow.ended_at.is_(None), CallRow.merged_into.is_(None))
            .order_by(CallRow.began_at, CallRow.id)
        )
        with reading(self._engine) as session:
            return tuple(RunningCall(row.id, row.state or "") for row in session.execute(query))
