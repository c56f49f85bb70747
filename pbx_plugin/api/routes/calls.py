"""Calls: what happened, why it was or was not recorded, and the tags that programs put on them."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Response
from pydantic import Field, StringConstraints

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Body, Cursor, Limit, Name, Page, Shown, Since, Until, Word, page_of, span
from pbx_plugin.db.models_api import TAG_LENGTH
from pbx_plugin.db.views import CallDetail
from pbx_plugin.services.explanation import explain_call
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/calls", tags=["calls"])

Reader = Annotated[Caller, Depends(Needs(Scope.CALLS_READ))]
Tagger = Annotated[Caller, Depends(Needs(Scope.TAGS_WRITE))]

_Kind = TypeVar("_Kind", bound=Shown)

_LINKEDID = re.compile(r"[A-Za-z0-9_.-]{0,100}[0-9]{5,}\.[0-9]+")
"""How Asterisk names a call: seconds and a counter, behind the system's own name where it has one."""


class CallShown(Shown):
    """A call. ``merged_into`` is the call that it became part of."""

    call_id: str
    linkedid: str
    began_at: datetime
    ended_at: datetime | None
    outcome: str
    direction: str
    caller_raw: str
    caller_e164: str
    ddi_raw: str
    ddi_e164: str
    dialled_raw: str
    caller_name: str
    policy_version: int
    off_at_start: bool
    merged_into: str
    verdicts: list[str]
    recordings: int


class LegShown(Shown):
    """A channel of a call; the user is empty for an outside party."""

    channel_id: str
    channel_name: str
    joined_at: datetime
    user_id: str
    user_name: str
    number_raw: str
    number_e164: str
    originating: bool
    display_name: str


class StepShown(Shown):
    """A step of the time line."""

    at: datetime
    channel_id: str
    what: str
    detail: str


class AnnouncementShown(StepShown):
    """An announcement or a beep; of one that was heard also which: prompt file and text, empty where not known."""

    language: str
    text_version: str
    prompt_sha256: str


class DecisionShown(Shown):
    """What was decided for one user, with the facts and every rule that was asked, and the same in plain words."""

    decision_id: str
    user_id: str
    user_name: str
    at: datetime
    verdict: str
    rule: int
    rule_name: str
    policy_version: int
    consent_by: str
    evidence_id: str
    facts: dict[str, Any]
    trace: list[dict[str, Any]]
    words: list[str]


class GapShown(Shown):
    """A stretch that should have been recorded and was not; ``until`` is null while it goes on."""

    user_id: str
    user_name: str
    since: datetime
    until: datetime | None
    reason: str


class Tags(Shown):
    """A call's three tags, empty where none is set."""

    tags: list[str] = Field(min_length=3, max_length=3)
    waiting: bool = Field(False, description="No call of this linkedid was seen yet: the tags wait a day for it.")


class CallWhole(Shown):
    """A call with everything that is known of it."""

    call: CallShown
    linkedids: list[str]
    merged_from: list[CallShown]
    legs: list[LegShown]
    timeline: list[StepShown]
    recording_ids: list[str]
    receipt_ids: list[str]
    gaps: list[GapShown]
    tags: list[str]


class Explanation(Shown):
    """Why a call was or was not recorded: each decision, and what became of it.

    ``words`` are of the call as a whole; also why nothing was decided, where that is so.
    """

    call: CallShown
    words: list[str]
    decisions: list[DecisionShown]
    announcements: list[AnnouncementShown]
    codes: list[StepShown]
    recording_ids: list[str]
    receipt_ids: list[str]
    gaps: list[GapShown]


TagText = Annotated[Word, StringConstraints(max_length=TAG_LENGTH)]


class TagsSet(Body):
    """Three tags of at most 128 characters: null leaves one as it is, an empty text takes it away."""

    tags: list[TagText | None] = Field(min_length=3, max_length=3)


@router.get("")
def list_calls(
    caller: Reader, limit: Limit = 50, since: Since = None, until: Until = None, cursor: Cursor = ""
) -> Page[CallShown]:
    """List calls, newest first, page by page."""
    rows = list(caller.site.queries.page_of_calls(caller.tenant.id, span(limit, since, until, cursor)))
    return Page[CallShown].model_validate(page_of(rows, limit, lambda row: (row.began_at, row.call_id)))


@router.get("/{call}", responses=documented(404))
def show_call(caller: Reader, call: Name) -> CallWhole:
    """Show one call, by its id, a linkedid, or a leg's uniqueid."""
    detail = caller.site.queries.exact_call(call, caller.tenant.id)
    return CallWhole(
        call=CallShown.model_validate(detail.call),
        linkedids=list(detail.linkedids),
        merged_from=[CallShown.model_validate(one) for one in detail.merged_from],
        legs=[LegShown.model_validate(leg) for leg in detail.legs],
        timeline=[StepShown.model_validate(step) for step in detail.timeline],
        recording_ids=[recording.recording_id for recording in detail.recordings],
        receipt_ids=[consent.evidence_id for consent in detail.consents],
        gaps=[GapShown.model_validate(gap) for gap in detail.gaps],
        tags=_tags_of(caller, detail),
    )


@router.get("/{call}/explanation", responses=documented(404))
def explain(caller: Reader, call: Name) -> Explanation:
    """Say why a call was or was not recorded: the rule that decided, and those it beat."""
    detail = caller.site.queries.exact_call(call, caller.tenant.id)
    names = caller.site.queries.names(caller.tenant.id)
    told = explain_call(asdict(detail), names)
    return Explanation(
        call=CallShown.model_validate(detail.call),
        words=told["words"],
        decisions=[_of(DecisionShown, decision) for decision in told["decisions"]],
        announcements=[_of(AnnouncementShown, step) for step in told["announcements"]],
        codes=[_of(StepShown, step) for step in told["codes"]],
        recording_ids=[recording.recording_id for recording in detail.recordings],
        receipt_ids=[consent.evidence_id for consent in detail.consents],
        gaps=[GapShown.model_validate(gap) for gap in detail.gaps],
    )


@router.get("/{call}/tags", responses=documented(404))
def show_tags(caller: Reader, call: Name) -> Tags:
    """Show a call's tags; also those that wait for a call of this linkedid."""
    found = caller.site.queries.exact_call_id(call, caller.tenant.id)
    if found is not None:
        return Tags(tags=_tags_of(caller, caller.site.queries.call_detail(found, caller.tenant.id)))
    tags = list(caller.site.remarks.tags(caller.tenant.id, [call]))
    if not any(tags):
        raise ProblemError(404, f"no call {call!r}")
    return Tags(tags=tags, waiting=True)


@router.put("/{call}/tags", responses={**documented(404), 202: {"model": Tags, "description": "Kept for the call."}})
def set_tags(caller: Tagger, call: Name, body: TagsSet, response: Response) -> Tags:
    """Set a call's tags, while it goes on or later; by a linkedid also before anything of it is known here."""
    found = caller.site.queries.exact_call_id(call, caller.tenant.id)
    if found is None and not _LINKEDID.fullmatch(call):
        raise ProblemError(404, f"no call {call!r}")
    with caller.looking() as desk:
        caller.site.remarks.set_tags(desk, call, found, body.tags)
    if found is None:
        response.status_code = 202
        return Tags(tags=list(caller.site.remarks.tags(caller.tenant.id, [call])), waiting=True)
    return Tags(tags=_tags_of(caller, caller.site.queries.call_detail(found, caller.tenant.id)))


def _tags_of(caller: Caller, detail: CallDetail) -> list[str]:
    names = [detail.call.call_id, *(one.call_id for one in detail.merged_from), *detail.linkedids]
    return list(caller.site.remarks.tags(caller.tenant.id, names))


def _of(kind: type[_Kind], data: dict[str, Any]) -> _Kind:
    return kind(**{name: data[name] for name in kind.model_fields})
