"""Gaps: what should have been recorded and was not, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.words import Cursor, Limit, Page, Shown, Since, Until, Word, page_of, span
from pbx_plugin.db.listings import GapFilter, Listings
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/gaps", tags=["recordings"])

Reader = Annotated[Caller, Depends(Needs(Scope.RECORDINGS_READ))]


class GapShown(Shown):
    """A stretch that should have been recorded and was not; ``until`` is null while it goes on."""

    gap_id: str
    call_id: str
    user_id: str
    user_name: str
    since: datetime
    until: datetime | None
    seconds: float
    reason: str


class GapTotal(Shown):
    """All gaps that fit, on this page or not; one that goes on is as long as it is now."""

    gaps: int
    seconds: float


class GapPage(Page[GapShown]):
    """A part of the gaps, newest first."""

    total: GapTotal | None = Field(None, description="On the first page only; it counts the following ones, too.")


@router.get("")
def list_gaps(
    caller: Reader,
    limit: Limit = 50,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = "",
    user: Annotated[Word, Query(description="Id or extension.")] = "",
    reason: Annotated[Word, Query(description="Part of the reason.")] = "",
) -> GapPage:
    """List gaps that went on within a time, newest first, page by page."""
    listings, at = Listings(caller.site.engine), caller.site.now()
    wanted = GapFilter(user, reason, since, until)
    rows = list(listings.gaps(caller.tenant.id, wanted, span(limit, None, None, cursor)))
    page = page_of(rows, limit, lambda gap: (gap.since, gap.gap_id))
    shown = [
        GapShown(
            gap_id=gap.gap_id,
            call_id=gap.call_id,
            user_id=gap.user_id,
            user_name=gap.user_name,
            since=gap.since,
            until=gap.until,
            seconds=gap.seconds(at),
            reason=gap.reason,
        )
        for gap in page["items"]
    ]
    total = None
    if not cursor:
        count, seconds = listings.all_gaps(caller.tenant.id, wanted, at)
        total = GapTotal(gaps=count, seconds=seconds)
    return GapPage(items=shown, next=page["next"], total=total)
