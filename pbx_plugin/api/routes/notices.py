"""Enrolment notices: what users were told about being recorded, word for word, and their acknowledgements."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import (
    Body,
    Cursor,
    DryRun,
    Limit,
    Name,
    Page,
    Shown,
    Since,
    Until,
    found,
    page_of,
    sound,
    span,
)
from pbx_plugin.db.listings import Listings
from pbx_plugin.domain.call import Mode
from pbx_plugin.services import enrolment, people
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.people_records import Notice
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1", tags=["people"])

Reader = Annotated[Caller, Depends(Needs(Scope.PEOPLE_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.PEOPLE_WRITE))]


class NoticeShown(Shown):
    """What a user was told, when and by whom; ``acknowledged_at`` is null until they acknowledged it.

    ``code_until`` is until when they may do so by the code that was mailed to them. A user's latest notice counts.
    """

    id: str
    user_id: str = Field(validation_alias="person_id")
    at: datetime
    author: str
    mode: Mode
    language: str
    text_version: str
    text: str
    text_sha256: str
    code_until: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    acknowledged_how: str
    acknowledged_sha256: str


class Acknowledgement(Body):
    """How a user acknowledged what they were told, as ``signed on paper``."""

    how: Annotated[str, Field(min_length=1, max_length=enrolment.LONGEST_HOW), AfterValidator(sound)]


@router.get("/notices")
def list_notices(
    caller: Reader,
    limit: Limit = 50,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = "",
    waiting: Annotated[bool, Query(description="Only what nobody has acknowledged.")] = False,
) -> Page[NoticeShown]:
    """List what users were told, newest first, page by page."""
    rows = list(
        Listings(caller.site.engine).notices(caller.tenant.id, span(limit, since, until, cursor), waiting=waiting)
    )
    return Page[NoticeShown].model_validate(page_of(rows, limit, lambda row: (row.at, row.id)))


@router.get("/people/{person}/notices", responses=documented(404))
def list_notices_of_person(caller: Reader, person: Name) -> list[NoticeShown]:
    """List what a user, by id or extension, was told, oldest first. The last one counts."""
    with caller.looking() as desk:
        who = found(people.find, desk, person)
        return [_shown(notice) for notice in desk.directory.notices(desk.tenant.id, who.id)]


@router.post("/people/{person}/acknowledgement", responses=documented(404, 409))
def acknowledge(caller: Writer, person: Name, body: Acknowledgement, dry_run: DryRun = False) -> NoticeShown:
    """Keep that a user acknowledged their last notice. The first acknowledgement stays; another changes nothing."""
    with caller.changing(dry_run=dry_run) as desk:
        who = found(people.find, desk, person)
        if not who.enrolled or who.id not in desk.directory.latest_notices(desk.tenant.id):
            raise ProblemError(409, f"user {who.extension} has no notice to acknowledge: enrol them first")
        try:
            return _shown(enrolment.acknowledge(desk, who, body.how))
        except RefusedError as error:
            raise ProblemError(422, f"body.how: {error}") from error


def _shown(notice: Notice) -> NoticeShown:
    return NoticeShown.model_validate(notice)
