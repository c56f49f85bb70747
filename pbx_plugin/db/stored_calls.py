"""Reads a company's calls of the past with their decisions, portion by portion, for a policy's dry run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Engine, and_, bindparam, func, or_, select

from pbx_plugin.db.apply_rows import table_of
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import CallRow, DecisionRow
from pbx_plugin.services.policy_trial import StoredCall, StoredDecision

AT_ONCE = 500
"""Calls in one portion, and in one statement."""

_CALL = table_of(CallRow).c
_DECISION = table_of(DecisionRow).c
# Past the session's own book-keeping, which costs as much as all the rest of the reading.
_DECISIONS = (
    select(
        _DECISION.call_id,
        _DECISION.person_id,
        _DECISION.verdict,
        _DECISION.rule,
        _DECISION.policy_version,
        _DECISION.facts,
    )
    .where(_DECISION.call_id.in_(bindparam("ids", expanding=True)))
    .order_by(_DECISION.call_id, _DECISION.at, _DECISION.id)
)


class StoredCalls:
    """Calls that began at or after a moment. All raise StoreUnavailableError while the database is locked or away.

    Every portion is a short transaction of its own, so that the recorder is never kept waiting for a long reader.
    """

    def __init__(self, engine: Engine, tenant_id: str, since: datetime) -> None:
        self._engine = engine
        self._own = _CALL.tenant_id == tenant_id
        self._since = since

    def count(self) -> int:
        """Return how many there are."""
        with reading(self._engine) as session:
            query = select(func.count()).select_from(table_of(CallRow))
            return session.scalar(query.where(self._own, _CALL.began_at >= self._since)) or 0

    def portions(self) -> Iterator[list[StoredCall]]:
        """Yield them from the oldest to the newest."""
        since, last = self._since, ""
        while True:
            # One lower bound only: with two of them the index may be read from the first one on, each time.
            after = and_(_CALL.began_at >= since, or_(_CALL.began_at > since, _CALL.id > last))
            query = select(_CALL.id, _CALL.began_at).where(self._own, after)
            with reading(self._engine) as session:
                connection = session.connection()
                rows = connection.execute(query.order_by(_CALL.began_at, _CALL.id).limit(AT_ONCE)).all()
                if not rows:
                    return
                taken: dict[str, list[StoredDecision]] = defaultdict(list)
                ids = {"ids": [row.id for row in rows]}
                for call_id, user_id, verdict, rule, version, facts in connection.execute(_DECISIONS, ids):
                    taken[call_id].append(StoredDecision(user_id, verdict, rule, version, facts))
            since, last = rows[-1].began_at, rows[-1].id
            yield [StoredCall(row.id, row.began_at, tuple(taken[row.id])) for row in rows]
