"""Writes what webhooks are to be told of, in the transaction that writes what happened: neither is there alone.

An entry that is told again makes no second delivery: a delivery's id is made of the webhook and of what it tells.
Alarms are told as :mod:`pbx_plugin.db.alarms` says.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, delete, insert, select

from pbx_plugin.db import alarms
from pbx_plugin.db.alarms import Telling
from pbx_plugin.db.base import clean_json
from pbx_plugin.db.models import CallRow, ConsentRow, DecisionRow, DeliveryRow, RecordingRow, WebhookRow
from pbx_plugin.domain.consent_ivr import Outcome
from pbx_plugin.domain.entries import (
    Audited,
    ConsentTaken,
    Decided,
    Entry,
    Gap,
    RecordingFailed,
    RecordingStored,
    Trouble,
)
from pbx_plugin.domain.withdrawal import WITHDRAWN
from pbx_plugin.services.webhooks import DeliveryState, Event

_NAMESPACE = UUID("1c2b7a52-6d0e-4d69-9a43-5e0f4c1b7f10")
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""When a fresh delivery is due; not the time of what it tells, for Asterisk's clock may be ahead of ours."""
_PAUSED = "paused by "
_TELLING = (Decided, RecordingStored, RecordingFailed, ConsentTaken, Audited, Gap, Trouble)


@dataclass(frozen=True, slots=True)
class _News:
    """Something a company may want to be told: ``subject`` makes its id. What is ``taken_back`` is not sent if it waits
    still."""

    tenant_id: str
    event: Event
    subject: str
    at: datetime
    data: dict[str, Any]
    due: datetime = AT_ONCE
    taken_back: bool = False


def tell(connection: Connection, batch: Iterable[Entry]) -> None:
    """Write the deliveries for a batch of entries whose own rows are written already."""
    telling = [entry for entry in batch if isinstance(entry, _TELLING)]
    if not telling:
        return
    hooks = connection.execute(
        select(WebhookRow.id, WebhookRow.tenant_id, WebhookRow.events).where(WebhookRow.removed_at.is_(None))
    ).all()
    if not hooks:
        return
    alarmed = {hook.tenant_id for hook in hooks if Event.ALARM in hook.events}
    rows: dict[str, dict[str, Any]] = {}
    for entry in telling:
        for news in _news(connection, entry, alarmed):
            for hook in hooks:
                if hook.tenant_id == news.tenant_id and news.event in hook.events:
                    row = _row(hook.id, news)
                    if news.taken_back:
                        rows.pop(row["id"], None)
                        _take_back(connection, row["id"])
                    else:
                        rows.setdefault(row["id"], row)
    _add(connection, list(rows.values()))


def _take_back(connection: Connection, delivery_id: str) -> None:
    waits = (DeliveryRow.state == DeliveryState.WAITING, DeliveryRow.tries == 0)
    connection.execute(delete(DeliveryRow).where(DeliveryRow.id == delivery_id, *waits))


def _add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 500):
        some = rows[start : start + 500]
        known = select(DeliveryRow.id).where(DeliveryRow.id.in_([row["id"] for row in some]))
        there = set(connection.scalars(known))
        fresh = [row for row in some if row["id"] not in there]
        if fresh:
            connection.execute(insert(DeliveryRow), fresh)


def _row(webhook_id: str, news: _News) -> dict[str, Any]:
    event_id = str(uuid5(_NAMESPACE, f"{news.event}/{news.subject}"))
    body = {"id": event_id, "event": news.event.value, "at": _iso(news.at), "data": clean_json(news.data)}
    return {
        "id": str(uuid5(_NAMESPACE, f"{webhook_id}/{event_id}")),
        "tenant_id": news.tenant_id,
        "webhook_id": webhook_id,
        "event": news.event.value,
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        "state": DeliveryState.WAITING,
        "created_at": news.at,
        "next_try_at": news.due,
        "tries": 0,
        "status": 0,
        "error": "",
    }


def _news(connection: Connection, entry: Entry, alarmed: Collection[str]) -> Iterator[_News]:
    match entry:
        case Decided():
            yield from _decided(connection, entry)
        case RecordingStored():
            yield from _of_media(connection, entry, Event.STORED)
        case RecordingFailed():
            yield from _of_media(connection, entry, Event.ALARM)
        case ConsentTaken():
            names = ("evidence_id", "linkedid", "consent_number", "caller_raw", "caller_e164", "outcome", "digits")
            data = {name: getattr(entry, name) for name in (*names, "language", "text_version", "policy_version")}
            yield _News(entry.tenant_id, Event.CONSENT, entry.evidence_id, entry.at, data)
        case Audited() if entry.action == WITHDRAWN:
            yield from _withdrawn(connection, entry)
        case Gap() if entry.tenant_id in alarmed and not entry.reason.startswith(_PAUSED):
            for telling in alarms.of_gap(connection, entry):
                data = {"what": "not recorded", "reason": entry.reason, "gap_id": entry.gap_id}
                data |= {"call_id": entry.call_id, "user_id": entry.user_id}
                yield _alarm(entry.tenant_id, telling, data)
        case Trouble():
            for tenant_id in sorted(alarmed):
                for telling in alarms.of_trouble(connection, entry, tenant_id):
                    yield _alarm(tenant_id, telling, {"what": entry.cause, **entry.detail})


def _alarm(tenant_id: str, telling: Telling, data: dict[str, Any]) -> _News:
    times = {"since": _iso(telling.since), "until": _iso(telling.over_at) if telling.over_at else None}
    return _News(
        tenant_id,
        Event.ALARM,
        telling.subject,
        telling.at,
        {"cause": telling.cause, **data, **times},
        due=telling.due or AT_ONCE,
        taken_back=telling.taken_back,
    )


def _decided(connection: Connection, entry: Decided) -> Iterator[_News]:
    asked = select(DecisionRow.tenant_id, CallRow.linkedid).join(CallRow, CallRow.id == DecisionRow.call_id)
    row = connection.execute(asked.where(DecisionRow.id == entry.decision_id)).one_or_none()
    if row is None:
        return
    names = ("decision_id", "call_id", "user_id", "verdict", "rule", "rule_name", "policy_version", "evidence_id")
    data = {**{name: getattr(entry, name) for name in names}, "linkedid": row.linkedid}
    yield _News(row.tenant_id, Event.DECIDED, entry.decision_id, entry.at, data)


def _withdrawn(connection: Connection, entry: Audited) -> Iterator[_News]:
    call = (CallRow.id == entry.subject, CallRow.tenant_id == entry.tenant_id)
    linkedid = connection.scalar(select(CallRow.linkedid).where(*call))
    if linkedid is None:
        return
    given = (ConsentRow.tenant_id == entry.tenant_id, ConsentRow.outcome == Outcome.GIVEN)
    evidence = select(ConsentRow.id).where(ConsentRow.linkedid == linkedid, *given).order_by(ConsentRow.at)
    data: dict[str, Any] = {"outcome": "withdrawn", "call_id": entry.subject, "linkedid": linkedid}
    data |= {"by": entry.actor, "evidence_ids": list(connection.scalars(evidence))}
    data |= {"erased": bool(entry.detail.get("erased"))}
    yield _News(entry.tenant_id, Event.CONSENT, entry.audit_id, entry.at, data)


def _of_media(connection: Connection, entry: RecordingStored | RecordingFailed, event: Event) -> Iterator[_News]:
    """Yield one piece of news a recording: several users may own one on the same sound."""
    columns = (RecordingRow.id, RecordingRow.tenant_id, RecordingRow.call_id, RecordingRow.person_id)
    more = (RecordingRow.extension, RecordingRow.direction, RecordingRow.other_raw, RecordingRow.other_e164)
    asked = select(*columns, *more, RecordingRow.at, CallRow.linkedid)
    asked = asked.join(CallRow, CallRow.id == RecordingRow.call_id).where(RecordingRow.media_id == entry.media_id)
    for row in connection.execute(asked).mappings():
        data = {"recording_id": row["id"], "call_id": row["call_id"], "linkedid": row["linkedid"]}
        data |= {"user_id": row["person_id"], "began_at": _iso(row["at"])}
        data |= {name: row[name] for name in ("extension", "direction", "other_raw", "other_e164")}
        if isinstance(entry, RecordingFailed):
            data |= {"what": "recording failed", "reason": entry.reason}
        else:
            data |= {"sha256": entry.sha256, "size": entry.size, "length_ms": entry.length_ms}
        yield _News(row["tenant_id"], event, row["id"], entry.at, data)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
