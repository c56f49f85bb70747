"""Receipts of consent as they are kept: every version that was given out."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from pbx_plugin.db import audit_chain
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.evidence import SiteQueries
from pbx_plugin.db.models_calls import ReceiptRow
from pbx_plugin.db.queries import AmbiguousError, NotFoundError
from pbx_plugin.db.views import CallDetail, ConsentView
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.consent_ivr import Outcome
from pbx_plugin.domain.entries import Audited, ConsentTaken
from pbx_plugin.domain.receipt import Recorded, stated
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.services.receipts import Issued, Signer, issue

ACTION_ISSUED = "consent receipt issued"

_TRIES = 20


class DatabaseReceipts:
    """The versions of receipts in the database; each call is a short transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def latest(self, tenant_id: str, evidence_id: str) -> bytes | None:
        """Return the file of the latest version, None when none was issued. Raises StoreUnavailableError."""
        query = select(ReceiptRow.body).where(ReceiptRow.tenant_id == tenant_id, ReceiptRow.evidence_id == evidence_id)
        with reading(self._engine) as session:
            body = session.scalars(query.order_by(ReceiptRow.version.desc()).limit(1)).one_or_none()
        return None if body is None else body.encode("utf-8")

    def keep(self, tenant_id: str, evidence_id: str, issued: Issued, at: datetime, actor: str) -> bool:
        """Keep a version, and that ``actor`` had it issued, in one transaction; False when another was kept meanwhile.

        Raises StoreUnavailableError.
        """
        row = ReceiptRow(
            tenant_id=tenant_id,
            evidence_id=evidence_id,
            version=issued.version,
            at=at,
            key_id=issued.key_id,
            body=issued.content.decode("utf-8"),
        )
        digest = hashlib.sha256(issued.content).hexdigest()
        noted = Audited(
            audit_id=str(uuid.uuid4()),
            tenant_id=tenant_id,
            at=at,
            actor=actor,
            action=ACTION_ISSUED,
            subject=evidence_id,
            detail={"version": issued.version, "key": issued.key_id, "sha256": digest},
        )
        try:
            with writing(self._engine) as session:
                session.add(row)
                audit_chain.add(session, [noted])
        except IntegrityError:
            return False
        return True


def issue_for_call(
    engine: Engine, tenant: Tenant, name: str, signer: Callable[[], Signer], at: datetime, actor: str
) -> list[tuple[dict[str, Any], Issued]]:
    """Issue the receipts of a call's consents: what each states, and its latest version, kept and audited if it is new.

    ``name`` is whatever the call may be called, or the id of an evidence, also of a caller who was gone before there
    was a call. Nothing is signed, and ``signer`` not asked, where there is no evidence. Raises NotFoundError,
    AmbiguousError, StoreUnavailableError, and what ``signer`` raises.
    """
    store, queries = DatabaseReceipts(engine), SiteQueries(engine)
    found = [one for one in _evidences(queries, tenant, name) if queries.has_consent(one.evidence_id, tenant.id)]
    return [_issue(store, queries, tenant, evidence, signer(), at, actor) for evidence in found]


def _issue(
    store: DatabaseReceipts,
    queries: SiteQueries,
    tenant: Tenant,
    evidence: ConsentView,
    signer: Signer,
    at: datetime,
    actor: str,
) -> tuple[dict[str, Any], Issued]:
    for _ in range(_TRIES):
        # The version before the facts: who issues on older facts than the latest version has is refused its number.
        before = store.latest(tenant.id, evidence.evidence_id)
        facts = _facts(queries, _home(queries, evidence, tenant), evidence, tenant)
        made = issue(facts, before, signer, at)
        if not made.fresh or store.keep(tenant.id, evidence.evidence_id, made, at, actor):
            return facts, made
    raise StoreUnavailableError(f"the receipt of {evidence.evidence_id} changes all the time: try again")


def _evidences(queries: SiteQueries, tenant: Tenant, name: str) -> tuple[ConsentView, ...]:
    """Return the consent evidence of a call, oldest first. A mark names one by what a channel carried, whosever it is.

    Raises NotFoundError or AmbiguousError.
    """
    try:
        return queries.call_anyhow(name, tenant.id).consents
    except NotFoundError:
        return (queries.consent(name, tenant.id),)


def _home(queries: SiteQueries, evidence: ConsentView, tenant: Tenant) -> CallDetail | None:
    """Return the call that the evidence is of, or the one that it ended in: the same whatever it was asked for by."""
    detail = None
    for name in (evidence.linkedid, evidence.channel_id):
        with suppress(NotFoundError, AmbiguousError):
            detail = queries.call_anyhow(name, tenant.id)
            break
    seen: set[str] = set()
    while detail is not None and detail.call.merged_into and detail.call.merged_into not in seen:
        seen.add(detail.call.merged_into)
        detail = queries.call_anyhow(detail.call.merged_into, tenant.id)
    return detail


def _facts(queries: SiteQueries, detail: CallDetail | None, evidence: ConsentView, tenant: Tenant) -> dict[str, Any]:
    recordings = [
        Recorded(r.recording_id, r.state, r.at, r.sha256, r.size, r.length_ms)
        for r in queries.recordings_on(evidence.evidence_id, tenant.id)
    ]
    taken = _taken(evidence, tenant)
    if detail is None:
        return stated(tenant.name, taken, recordings)
    # Not by comparing times: the call goes on by the clock that it began under, the evidence is by one that was set.
    withdrawn = [mark.at for mark in detail.marks if mark.consent == Consent.WITHDRAWN]
    given = evidence.outcome == Outcome.GIVEN
    return stated(
        tenant.name,
        taken,
        recordings,
        call_id=detail.call.call_id,
        call_ended_at=detail.call.ended_at,
        withdrawn_at=min(withdrawn) if given and withdrawn else None,
        call_received=next((leg.number_raw for leg in detail.legs if leg.channel_id == evidence.channel_id), ""),
    )


def _taken(evidence: ConsentView, tenant: Tenant) -> ConsentTaken:
    return ConsentTaken(tenant_id=tenant.id, **asdict(evidence))
