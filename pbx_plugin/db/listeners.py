"""Listeners in the database, so that the limit holds for all processes together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import HandingRulesRow, ListeningLeaseRow
from pbx_plugin.services.listeners import LEASE, Listening, TooManyListenersError, lease_until


class DatabaseListeners:
    """:class:`~pbx_plugin.services.listeners.Listeners`. Raises StoreUnavailableError while the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def listen(
        self, tenant_id: str, listener: str, name: str, recording_id: str, at: datetime, sound: timedelta
    ) -> None:
        """Let somebody listen, or go on listening; ``sound`` is how much they fetch now.

        Raises TooManyListenersError.
        """
        until = lease_until(at, sound)
        with reading(self._engine) as session:
            most = session.scalar(select(HandingRulesRow.listeners_most).where(HandingRulesRow.tenant_id == tenant_id))
            if not most:
                return
            mine = session.scalar(_mine(tenant_id, listener))
            # Parts come by the dozen: only what moves the end by much is written.
            if mine is not None and mine.until > at and mine.until >= until - LEASE / 2:
                return
        with writing(self._engine) as session:
            self._take(session, tenant_id, listener, name, recording_id, at, until)

    def stop(self, tenant_id: str, listener: str) -> None:
        """Note that somebody has finished."""
        with writing(self._engine) as session:
            session.execute(
                delete(ListeningLeaseRow).where(
                    ListeningLeaseRow.tenant_id == tenant_id, ListeningLeaseRow.listener == listener
                )
            )

    def listening(self, tenant_id: str, at: datetime) -> tuple[Listening, ...]:
        """Return who listens, longest first."""
        with reading(self._engine) as session:
            return _listening(session, tenant_id, at)

    def _take(
        self,
        session: Session,
        tenant_id: str,
        listener: str,
        name: str,
        recording_id: str,
        at: datetime,
        until: datetime,
    ) -> None:
        # Whoever counts holds the company's row meanwhile, so that two never take the last place.
        most = session.scalar(
            select(HandingRulesRow.listeners_most).where(HandingRulesRow.tenant_id == tenant_id).with_for_update()
        )
        mine = session.scalar(_mine(tenant_id, listener))
        alive = mine is not None and mine.until > at
        others = tuple(one for key, one in _with_keys(session, tenant_id, at) if key != listener)
        if most and not alive and len(others) >= most:
            raise TooManyListenersError(most, others)
        session.execute(
            delete(ListeningLeaseRow).where(
                ListeningLeaseRow.tenant_id == tenant_id,
                ListeningLeaseRow.until <= at,
                ListeningLeaseRow.listener != listener,
            )
        )
        if mine is None:
            row: dict[str, Any] = {"id": str(uuid4()), "tenant_id": tenant_id, "listener": listener, "since": at}
            row |= {"name": name, "recording_id": recording_id, "until": until}
            session.execute(insert(ListeningLeaseRow), [row])
            return
        since = mine.since if alive else at
        later = max(until, mine.until) if alive else until
        change = update(ListeningLeaseRow).where(ListeningLeaseRow.id == mine.id)
        session.connection().execute(change.values(until=later, since=since, name=name, recording_id=recording_id))


def _mine(tenant_id: str, listener: str) -> Any:
    return select(ListeningLeaseRow).where(
        ListeningLeaseRow.tenant_id == tenant_id, ListeningLeaseRow.listener == listener
    )


def _with_keys(session: Session, tenant_id: str, at: datetime) -> list[tuple[str, Listening]]:
    query = select(ListeningLeaseRow).where(ListeningLeaseRow.tenant_id == tenant_id, ListeningLeaseRow.until > at)
    rows = session.scalars(query.order_by(ListeningLeaseRow.since, ListeningLeaseRow.id))
    return [(row.listener, Listening(row.name, row.since, row.until)) for row in rows]


def _listening(session: Session, tenant_id: str, at: datetime) -> tuple[Listening, ...]:
    return tuple(one for _, one in _with_keys(session, tenant_id, at))
