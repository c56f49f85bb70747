"""Webhooks and their deliveries in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, delete, select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import DeliveryRow, WebhookRow
from pbx_plugin.domain.entries import Audited
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.webhooks import DeliveryState, Event, pause_before

MOST_OF_A_COMPANY = 20
KEPT = timedelta(days=30)
"""How long a delivery is kept after it was delivered."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told of events; the secret is not shown again."""

    id: str
    tenant_id: str
    url: str
    events: tuple[str, ...]
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook. ``status`` is HTTP's of the last try, 0 where there was no answer; times are UTC."""

    id: str
    seq: int
    webhook_id: str
    event: str
    body: str
    state: DeliveryState
    created_at: datetime
    next_try_at: datetime
    tries: int
    status: int
    error: str
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that is due, with where it goes and what signs it."""

    delivery: Delivery
    url: str
    secret: str


class DatabaseWebhooks:
    """A site's webhooks. All raise StoreUnavailableError while the database is locked or away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, tenant_id: str) -> Sequence[Webhook]:
        """Return a company's webhooks, oldest first."""
        with reading(self._engine) as session:
            return [_webhook(row) for row in _living(session, tenant_id)]

    def add(self, desk: Desk, url: str, events: Sequence[Event], secret: str, *, dry_run: bool = False) -> Webhook:
        """Add a webhook for what happens from now on. Raises RefusedError when it is there or there are too many."""
        with _changing(self._engine, dry_run) as session:
            living = _living(session, desk.tenant.id)
            if any(row.url == url for row in living):
                raise RefusedError(f"webhook {url!r} is there already: remove it first, to change what it is told")
            if len(living) >= MOST_OF_A_COMPANY:
                raise RefusedError(f"there are {len(living)} webhooks: remove one first")
            row = WebhookRow(
                id=desk.new_id(),
                tenant_id=desk.tenant.id,
                url=url,
                events=[event.value for event in Event if event in events],
                secret=secret,
                created_at=desk.at,
                created_by=desk.actor,
            )
            session.add(row)
            _note(session, desk, "webhook added", row, events=row.events)
            return _webhook(row)

    def remove(self, desk: Desk, name: str, *, dry_run: bool = False) -> Webhook:
        """Remove a webhook by id or address; what waits for it is not sent. Raises RefusedError when there is none."""
        with _changing(self._engine, dry_run) as session:
            for row in _living(session, desk.tenant.id):
                if name in (row.id, row.url):
                    row.removed_at = desk.at
                    waiting = DeliveryRow.state == DeliveryState.WAITING
                    gone = update(DeliveryRow).where(DeliveryRow.webhook_id == row.id, waiting)
                    session.execute(gone.values(state=DeliveryState.DEAD, error="the webhook was removed"))
                    _note(session, desk, "webhook removed", row)
                    return _webhook(row)
        raise RefusedError(f"no webhook {name!r}: see 'pbx-plugin webhooks list'")

    def deliveries(
        self, tenant_id: str, *, limit: int = 50, state: DeliveryState | None = None, before: int | None = None
    ) -> Sequence[Delivery]:
        """Return deliveries, newest first; ``before`` is the ``seq`` of the last one seen, ``limit`` 0 is no limit."""
        query = select(DeliveryRow).where(DeliveryRow.tenant_id == tenant_id).order_by(DeliveryRow.seq.desc())
        if state is not None:
            query = query.where(DeliveryRow.state == state)
        if before is not None:
            query = query.where(DeliveryRow.seq < before)
        with reading(self._engine) as session:
            return [_delivery(row) for row in session.scalars(query.limit(limit) if limit else query)]

    def retry(self, desk: Desk, delivery_id: str | None) -> int:
        """Send a dead or waiting delivery now, or all dead ones; return how many. Raises RefusedError for unknown ones.

        What was meant for a webhook that was removed stays dead.
        """
        living = select(WebhookRow.id).where(WebhookRow.tenant_id == desk.tenant.id, WebhookRow.removed_at.is_(None))
        own = (DeliveryRow.tenant_id == desk.tenant.id, DeliveryRow.webhook_id.in_(living))
        which = [*own, DeliveryRow.state == DeliveryState.DEAD]
        if delivery_id is not None:
            which = [*own, DeliveryRow.state != DeliveryState.DELIVERED, DeliveryRow.id == delivery_id]
        with writing(self._engine) as session:
            ids = session.scalars(select(DeliveryRow.id).where(*which)).all()
            if delivery_id is not None and not ids:
                raise RefusedError(f"no delivery {delivery_id!r} that could be sent again: see 'webhooks deliveries'")
            again = update(DeliveryRow).where(*which)
            session.execute(
                again.values(state=DeliveryState.WAITING, next_try_at=desk.at, tries=0),
                execution_options={"synchronize_session": False},
            )
            SqlDirectory(session).audit(
                Audited(
                    *(desk.new_id(), desk.tenant.id, desk.at, desk.actor),
                    "deliveries sent again",
                    delivery_id or "all dead ones",
                    {"count": len(ids)},
                )
            )
        return len(ids)

    # -- for the sender

    def waiting(self, at: datetime) -> Sequence[str]:
        """Return the ids of the webhooks for which something is due."""
        query = select(DeliveryRow.webhook_id).where(*_due(at)).distinct().order_by(DeliveryRow.webhook_id)
        with reading(self._engine) as session:
            return session.scalars(query).all()

    def due(self, webhook_id: str, at: datetime, limit: int) -> Sequence[Parcel]:
        """Return what is due for a webhook, the oldest first."""
        query = (
            select(DeliveryRow, WebhookRow.url, WebhookRow.secret)
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
            .where(*_due(at), DeliveryRow.webhook_id == webhook_id)
            .order_by(DeliveryRow.next_try_at, DeliveryRow.seq)
            .limit(limit)
        )
        with reading(self._engine) as session:
            return [Parcel(_delivery(row), url, secret) for row, url, secret in session.execute(query)]

    def tried(self, delivery: Delivery, at: datetime, *, status: int, error: str) -> DeliveryState:
        """Write what came of a try: delivered (no ``error``), to be tried again, or dead after the last try."""
        tries, pause = delivery.tries + 1, pause_before(delivery.tries + 1)
        state = DeliveryState.DELIVERED if not error else DeliveryState.WAITING if pause else DeliveryState.DEAD
        values = {"state": state, "tries": tries, "status": status, "error": error}
        values |= {"delivered_at": at if not error else None, "next_try_at": at + (pause or timedelta())}
        with writing(self._engine) as session:
            this = update(DeliveryRow).where(DeliveryRow.id == delivery.id, DeliveryRow.state == DeliveryState.WAITING)
            session.execute(this.values(values))
        return state

    def forget(self, at: datetime) -> None:
        """Drop what was delivered long ago."""
        old = (DeliveryRow.state == DeliveryState.DELIVERED, DeliveryRow.delivered_at < at - KEPT)
        with writing(self._engine) as session:
            session.execute(delete(DeliveryRow).where(*old), execution_options={"synchronize_session": False})


class _NothingStaysError(Exception):
    """Ends a trial run, so that its transaction is taken back."""


@contextmanager
def _changing(engine: Engine, dry_run: bool) -> Iterator[Session]:
    with suppress(_NothingStaysError), writing(engine) as session:
        yield session
        if dry_run:
            raise _NothingStaysError


def _due(at: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return DeliveryRow.state == DeliveryState.WAITING, DeliveryRow.next_try_at <= at


def _living(session: Session, tenant_id: str) -> Sequence[WebhookRow]:
    query = select(WebhookRow).where(WebhookRow.tenant_id == tenant_id, WebhookRow.removed_at.is_(None))
    return session.scalars(query.order_by(WebhookRow.created_at, WebhookRow.id)).all()


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(row.id, row.tenant_id, row.url, tuple(row.events), row.created_at, row.created_by)


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        seq=row.seq,
        webhook_id=row.webhook_id,
        event=row.event,
        body=row.body,
        state=row.state,
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        tries=row.tries,
        status=row.status,
        error=row.error,
        delivered_at=row.delivered_at,
    )


def _note(session: Session, desk: Desk, action: str, row: WebhookRow, **detail: object) -> None:
    detail = {"url": row.url, **detail}
    entry = Audited(desk.new_id(), desk.tenant.id, desk.at, desk.actor, action, row.id, detail)
    SqlDirectory(session).audit(entry)
