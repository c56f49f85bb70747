"""The audit: who did what, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError
from pbx_plugin.api.words import Cursor, Limit, Page, Shown, Since, Until, Word, page_of, span
from pbx_plugin.db.listings import AuditFilter, Listings
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/audit", tags=["audit"])

Reader = Annotated[Caller, Depends(Needs(Scope.AUDIT_READ))]

LAST_SEQ = 2**62


class AuditShown(Shown):
    """Somebody did something. ``subject`` is what it was done to, an id most often."""

    id: str
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = Field(description="What there is to know of it; its fields depend on the action.")


@router.get("")
def list_audit(
    caller: Reader,
    limit: Limit = 50,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = "",
    subject: Annotated[Word, Query(description="Only what was done to exactly this.")] = "",
    action: Annotated[Word, Query(description="Only deeds of exactly this kind, as `listened`.")] = "",
    actor: Annotated[Word, Query(description="Only what exactly this one did.")] = "",
) -> Page[AuditShown]:
    """List the audit, what was written last first, page by page. Reading it is not itself audited."""
    wanted = AuditFilter(subject, action, actor, since, until)
    rows = list(Listings(caller.site.engine).audit(caller.tenant.id, wanted, limit + 1, _before(cursor)))
    return Page[AuditShown].model_validate(page_of(rows, limit, lambda row: (row.at, str(row.seq))))


def _before(cursor: str) -> int | None:
    """Return the ``seq`` of the last entry seen. Raises ProblemError 422 for a cursor that is none of ours."""
    after = span(0, None, None, cursor).after
    if after is None:
        return None
    if not (after[1].isascii() and after[1].isdecimal() and int(after[1][:20]) <= LAST_SEQ):
        raise ProblemError(422, f"query.cursor: {cursor!r} is not the 'next' of a page of the audit: begin without one")
    return int(after[1])
