"""Receipts of consent as they are kept: every version that was given out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.evidence import SiteQueries
from pbx_plugin.db.models_calls import ReceiptRow
from pbx_plugin.db.queries import AmbiguousError, NotFoundError
from pbx_plugin.db.views import CallDetail, ConsentView
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.consent_ivr import Outcome
from pbx_plugin.domain.entries import ConsentTaken
from pbx_plugin.domain.receipt import Recorded, stated
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.receipts import Issued, Signer, issue


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
        """Keep a version. Raises StoreUnavailableError, and IntegrityError when another has kept it meanwhile."""
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


def issue_for_call(
    engine: Engine, tenant: Tenant, name: str, signer: Callable[[], Signer], at: datetime
) -> list[tuple[dict[str, Any], Issued]]:
    """Issue the receipts of a call's consents: what each states, and its latest version, kept if it is new.

    ``name`` is that of :func:`facts_of_call`. Nothing is signed, and ``signer`` not asked, where there is no evidence.
    Raises NotFoundError, AmbiguousError, StoreUnavailableError, and what ``signer`` raises.
    """
    store, issued = DatabaseReceipts(engine), []
    for evidence, facts in list(facts_of_call(SiteQueries(engine), tenant, name)):
        made = issue(facts, store.latest(tenant.id, evidence), signer(), at)
        if made.fresh:
            try:
                store.keep(tenant.id, evidence, made, at)
            except IntegrityError:
                # Somebody issued it at the same moment: theirs is the one.
                made = issue(facts, store.latest(tenant.id, evidence), signer(), at)
        issued.append((facts, made))
    return issued


def facts_of_call(queries: SiteQueries, tenant: Tenant, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a receipt of each consent evidence of a call would state, with the evidence's id, oldest first.

    ``name`` is whatever the call may be called, or the id of an evidence, also of a caller who was gone before there
    was a call. Raises NotFoundError or AmbiguousError.
    """
    try:
        evidences = queries.call_anyhow(name, tenant.id).consents
    except NotFoundError:
        evidences = (queries.consent(name, tenant.id),)
    for evidence in evidences:
        # A mark names an evidence by what a channel carried: only the company's own is shown.
        if queries.has_consent(evidence.evidence_id, tenant.id):
            yield evidence.evidence_id, _facts(_home(queries, evidence, tenant), evidence, tenant)


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


def _facts(detail: CallDetail | None, evidence: ConsentView, tenant: Tenant) -> dict[str, Any]:
    if detail is None:
        return stated(tenant.name, _taken(evidence, tenant), ())
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
