"""Receipts: the evidence of what callers were asked and what they pressed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Cursor, Limit, Name, Page, Shown, Since, Until, page_of, span
from pbx_plugin.db.receipts import issue_for_call
from pbx_plugin.services.tokens import Scope
from pbx_plugin.storage.site_keys import SiteKeyError, SiteKeys

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])

Reader = Annotated[Caller, Depends(Needs(Scope.RECEIPTS_READ))]


class ReceiptShown(Shown):
    """Which key was pressed, when, and what exactly the caller had heard."""

    evidence_id: str
    linkedid: str
    channel_id: str
    consent_number: str
    caller_raw: str
    caller_e164: str
    asked_at: datetime
    at: datetime
    outcome: str
    digits: str
    language: str
    prompt: str
    prompt_sha256: str
    text_version: str
    keep_days: int
    policy_version: int


@router.get("")
def list_receipts(
    caller: Reader, limit: Limit = 50, since: Since = None, until: Until = None, cursor: Cursor = ""
) -> Page[ReceiptShown]:
    """List receipts, newest first, page by page."""
    rows = list(caller.site.queries.page_of_consents(caller.tenant.id, span(limit, since, until, cursor)))
    return Page[ReceiptShown].model_validate(page_of(rows, limit, lambda row: (row.at, row.evidence_id)))


@router.get("/{receipt}", responses=documented(404))
def show_receipt(caller: Reader, receipt: Name) -> ReceiptShown:
    """Show one receipt, by its evidence id."""
    return ReceiptShown.model_validate(caller.site.queries.exact_consent(receipt, caller.tenant.id))


@router.get(
    "/{receipt}/signed",
    response_class=Response,
    responses={**documented(404, 503), 200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
def show_signed_receipt(caller: Reader, receipt: Name) -> Response:
    """Show one receipt as the signed file that 'pbx-plugin consent verify' takes anywhere, byte for byte.

    It names recordings that are complete by their SHA-256, those that are pending, and those that are no more. When
    that changes it is issued anew, with the next version, which is audited; until then the file is the same.
    """
    evidence = caller.site.queries.exact_consent(receipt, caller.tenant.id)
    keys, now = SiteKeys(caller.site.settings.paths.keys), caller.site.now()
    try:
        issued = issue_for_call(
            caller.site.engine, caller.tenant, evidence.evidence_id, lambda: keys.signer(now), now, caller.actor
        )
    except SiteKeyError as error:
        raise ProblemError(503, "the site's key for receipts cannot be used: see its log") from error
    content = next(made.content for facts, made in issued if facts["evidence"] == evidence.evidence_id)
    return Response(content, media_type="application/json")
