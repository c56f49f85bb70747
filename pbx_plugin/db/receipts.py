"""Receipts of consent as they are kept: every version that was given out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.evidence import SiteQueries
from pbx_plugin.db.models_calls import ReceiptRow
from pbx_plugin.db.queries import NotFoundError
from pbx_plugin.db.views import CallDetail, ConsentView
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.consent_ivr import Outcome
from pbx_plugin.domain.entries import ConsentTaken
from pbx_plugin.domain.receipt import Recorded, stated
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.receipts import Issued


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

    def keep(self, tenant_id: str, evidence_id: str, issued: Issued, at: datetime) -> None:
        """Keep a version. Raises StoreUnavailableError; a version that is there already is a conflict of writers."""
        row = ReceiptRow(
            tenant_id=tenant_id,
            evidence_id=evidence_id,
            version=issued.version,
            at=at,
            key_id=issued.key_id,
            body=issued.content.decode("utf-8"),
        )
        with writing(self._engine) as session:
            session.add(row)


def facts_of_call(queries: SiteQueries, tenant: Tenant, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a receipt of each consent evidence of a call would state, with the evidence's id, oldest first.

    ``name`` is whatever the call may be called, or the id of an evidence, also of a caller who was gone before there
    was a call. Raises NotFoundError or AmbiguousError.
    """
    try:
        detail = queries.call_anyhow(name, tenant.id)
    except NotFoundError:
        evidence = queries.consent(name, tenant.id)
        try:
            detail = queries.call_anyhow(evidence.channel_id, tenant.id)
        except NotFoundError:
            yield evidence.evidence_id, stated(tenant.name, _taken(evidence, tenant), ())
            return
        yield evidence.evidence_id, _facts(detail, evidence, tenant)
        return
    for evidence in detail.consents:
        # A mark names an evidence by what a channel carried: only the company's own is shown.
        if queries.has_consent(evidence.evidence_id, tenant.id):
            yield evidence.evidence_id, _facts(detail, evidence, tenant)


def _facts(detail: CallDetail, evidence: ConsentView, tenant: Tenant) -> dict[str, Any]:
    recordings = [
        Recorded(r.recording_id, r.state, r.at, r.sha256, r.size, r.length_ms)
        for r in detail.recordings
        if r.evidence_id == evidence.evidence_id
    ]
    withdrawn = [mark.at for mark in detail.marks if mark.consent == Consent.WITHDRAWN and mark.at >= evidence.at]
    given = evidence.outcome == Outcome.GIVEN
    return stated(
        tenant.name,
        _taken(evidence, tenant),
        recordings,
        call_id=detail.call.call_id,
        call_ended_at=detail.call.ended_at,
        withdrawn_at=min(withdrawn) if given and withdrawn else None,
    )


def _taken(evidence: ConsentView, tenant: Tenant) -> ConsentTaken:
    return ConsentTaken(tenant_id=tenant.id, **asdict(evidence))
