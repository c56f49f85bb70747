"""How long people were on hold in the recordings of a page of the list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import PartyEventRow
from pbx_plugin.db.views import RecordingView
from pbx_plugin.domain.holding_times import BEGINS, ENDS, held_ms


def hold_times(engine: Engine, tenant_id: str, recordings: Sequence[RecordingView]) -> dict[str, int]:
    """Return the milliseconds on hold of each stored recording, by its id. Raises StoreUnavailableError."""
    calls = {one.call_id for one in recordings}
    query = select(PartyEventRow.call_id, PartyEventRow.at, PartyEventRow.channel_id, PartyEventRow.what).where(
        PartyEventRow.call_id.in_(sorted(calls)),
        PartyEventRow.tenant_id == tenant_id,
        PartyEventRow.what.in_((BEGINS, *ENDS)),
    )
    steps: dict[str, list[tuple[datetime, str, str]]] = {}
    with reading(engine) as session:
        for call_id, at, leg, what in session.execute(query.order_by(PartyEventRow.at, PartyEventRow.seq)):
            steps.setdefault(call_id, []).append((at, leg, what))
    found = {}
    for one in recordings:
        if one.length_ms:
            began = min((at for at in (one.in_at, one.out_at) if at is not None), default=one.at)
            ended = began + timedelta(milliseconds=one.length_ms)
            found[one.recording_id] = held_ms(steps.get(one.call_id, ()), began, ended)
    return found
