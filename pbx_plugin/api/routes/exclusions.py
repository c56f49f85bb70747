"""The excluded list: numbers, prefixes and users that are never recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Body, DryRun, Moment, Name, Shown, Word
from pbx_plugin.domain.policy import Exclusion
from pbx_plugin.services import exclusions_service
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/exclusions", tags=["exclusions"])

Reader = Annotated[Caller, Depends(Needs(Scope.EXCLUSIONS_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.EXCLUSIONS_WRITE))]


class ExclusionShown(Shown):
    """A number, all numbers that begin so (``prefix``), or a user (id) that is not recorded."""

    id: str
    number: str
    prefix: bool
    user_id: str
    reason: str
    expires_at: datetime | None
    expired: bool


class ExclusionNew(Body):
    """Whom to exclude: a number in any spelling, or a user."""

    number: Word = ""
    prefix: bool = False
    user: Word = Field("", description="Extension, id or exact name.")
    reason: Word = ""
    expires_at: Moment | None = None


@router.get("")
def list_exclusions(caller: Reader) -> list[ExclusionShown]:
    """List what is excluded, expired entries too."""
    with caller.looking() as desk:
        return [_shown(desk, one) for one in desk.directory.exclusions(desk.tenant.id)]


@router.post("", status_code=201)
def exclude(caller: Writer, body: ExclusionNew, dry_run: DryRun = False) -> ExclusionShown:
    """Exclude; it acts at once, on running calls too. Doing it again changes nothing but reason and expiry."""
    with caller.changing(dry_run=dry_run) as desk:
        return _shown(desk, exclusions_service.add(desk, **body.model_dump()))


@router.delete("/{exclusion}", responses=documented(404, 409))
def take_back(caller: Writer, exclusion: Name, dry_run: DryRun = False) -> ExclusionShown:
    """Take an exclusion back, by id."""
    with caller.changing(dry_run=dry_run) as desk:
        if exclusion not in [one.id for one in desk.directory.exclusions(desk.tenant.id)]:
            raise ProblemError(404, f"no exclusion {exclusion!r}: see GET /v1/exclusions")
        return _shown(desk, exclusions_service.remove(desk, exclusion))


def _shown(desk: Desk, exclusion: Exclusion) -> ExclusionShown:
    return ExclusionShown(
        id=exclusion.id,
        number=exclusion.pattern,
        prefix=exclusion.prefix,
        user_id=exclusion.user_id,
        reason=exclusion.reason,
        expires_at=exclusion.expires_at,
        expired=exclusion.expires_at is not None and exclusion.expires_at <= desk.at,
    )
