"""Reads a company's calls of the past with their decisions, portion by portion, for a policy's dry run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Engine, and_, bindparam, func, or_, select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import CallRow, DecisionRow
from pbx_plugin.services.policy_trial import StoredCall, StoredDecision

AT_ONCE = 500
"""Calls in one portion, and in one statement."""

_DECISIONS = (
    select(
        DecisionRow.call_id,
        DecisionRow.person_id,
        DecisionRow.verdict,
        DecisionRow.rule,
        DecisionRow.policy_version,
        DecisionRow.facts,
    )
    .where(DecisionRow.call_id.in_(bindparam("ids", expanding=True)))
    .order_by(DecisionRow.call_id, DecisionRow.at, DecisionRow.id)
)


class StoredCalls:
    """Calls that began at or after a moment. All raise StoreUnavailableError while the database is locked or away.

    Every portion is a short transaction of its own, so that the recorder is never kept waiting for a long reader.
    """

    def __init__(self, engine: Engine, tenant_id: str, since: datetime) -> None:
        self._engine = engine
        self._since = and_(CallRow.tenant_id == tenant_id, CallRow.began_at >= since)

    def count(self) -> int:
        """Return how many there are."""
        with reading(self._engine) as session:
            return session.scalar(select(func.count()).select_from(CallRow).where(self._since)) or 0

    def portions(self) -> Iterator[list[StoredCall]]:
        """Yield them from the oldest to the newest."""
        last: tuple[datetime, str] | None = None
        while True:
            query = select(CallRow.id, CallRow.began_at).where(self._since)
            if last is not None:
                at, identity = last
                query = query.where(
                    or_(CallRow.began_at > at, and_(CallRow.began_at == at, CallRow.id > identity)),
                    CallRow.began_at >= at,
                )
            with reading(self._engine) as session:
                rows = session.execute(query.order_by(CallRow.began_at, CallRow.id).limit(AT_ONCE)).all()
                if not rows:
                    return
                taken: dict[str, list[StoredDecision]] = defaultdict(list)
                ids = {"ids": [row.id for row in rows]}
                for call_id, user_id, verdict, rule, version, facts in session.execute(_DECISIONS, ids):
                    taken[call_id].append(StoredDecision(user_id, verdict, rule, version, facts))
            last = (rows[-1].began_at, rows[-1].id)
            yield [StoredCall(row.id, row.began_at, tuple(taken[row.id])) for row in rows]
