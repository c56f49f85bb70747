"""Receipts: the evidence of what callers were asked and what they pressed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import documented
from pbx_plugin.api.words import Cursor, Limit, Name, Page, Shown, Since, Until, page_of, span
from pbx_plugin.services.tokens import Scope

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
