"""Drafts of the policy: worked on, compared, tried on the calls of the past, and applied."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.routes.policy import Change, OutcomeShown, outcome_of
from pbx_plugin.api.words import Body, DryRun, Moment, Name, Shown, Word, found
from pbx_plugin.db.stored_calls import StoredCalls
from pbx_plugin.services import policies, policy_drafts, policy_trial
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.policy_drafts import LONGEST_NAME, OutdatedError
from pbx_plugin.services.policy_records import Draft
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/policy", tags=["policy"])

Reader = Annotated[Caller, Depends(Needs(Scope.POLICY_READ))]
Applier = Annotated[Caller, Depends(Needs(Scope.POLICY_APPLY))]

MOST_CALLS = 200_000
"""Calls that a request may have tried; more take too long for one, and are for the command line."""


class DraftShown(Shown):
    """A draft, and the version that it was made from."""

    name: str
    base: int
    created_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime
    comment: str


class DraftWhole(DraftShown):
    """A draft with its document: names for ids, as it can be edited."""

    document: dict[str, Any]


class Compared(DraftShown):
    """A draft beside the version in force.

    ``changes`` is what it changes of its base, ``changed_since`` what was put in force since it was made, and
    ``would_change`` what applying it would do.
    """

    in_force: int
    outdated: bool
    changes: list[Change]
    changed_since: list[Change]
    would_change: list[Change]


class NewDraft(Body):
    """A draft that says what a version says: the one in force, unless ``base`` names another."""

    name: Annotated[Word, StringConstraints(min_length=1, max_length=LONGEST_NAME)] = "draft"
    base: int | None = Field(None, ge=0, le=2**31 - 1)
    comment: Word = ""


class Edited(Body):
    """What a draft is to say; a comment of null leaves the old one."""

    document: dict[str, Any]
    comment: Word | None = None
    as_read: Moment | None = Field(
        None, description="The draft's `changed_at` as it was read: 409 where somebody has changed it since."
    )


class DraftApplication(Body):
    """How a draft is put in force. ``anyway`` also takes back what was put in force since it was made."""

    comment: Word = ""
    anyway: bool = False
    acknowledge_announcement: bool = Field(
        False, description="Callers may be recorded without having been told, and that is lawful; audited."
    )


class Tried(Body):
    """What to try: a draft by its name, or a document; and on the calls of how many days."""

    draft: Word | None = None
    document: dict[str, Any] | None = None
    days: int = Field(30, ge=1, le=366)


class TallyShown(Shown):
    """Users' parts in calls: recorded then, and by what is tried; and those for which consent is missing."""

    recorded: int
    would_be: int
    gained: int
    lost: int
    without_consent: int


class RuleTally(TallyShown):
    """The same of one rule."""

    rule: int
    name: str


class Example(Shown):
    """One user's part in a call, as it was decided and as it would be."""

    call_id: str
    at: datetime
    user: str
    department: str
    direction: str
    then: str
    now: str
    why: str


class TrialShown(TallyShown):
    """What a policy would have done. ``unanswerable`` parts are those of which too little is stored to tell."""

    since: datetime
    calls: int
    calls_without_decision: int
    parts: int
    unanswerable: int
    lost_but_armed: int
    unanswerable_because: dict[str, int]
    by_department: dict[str, TallyShown]
    by_rule: list[RuleTally]
    examples: dict[str, list[Example]]


@router.get("/drafts")
def list_drafts(caller: Reader) -> list[DraftShown]:
    """List the drafts, by name."""
    with caller.looking() as desk:
        return [DraftShown.model_validate(draft) for draft in desk.directory.drafts(desk.tenant.id)]


@router.post("/drafts", status_code=201)
def make_draft(caller: Applier, body: NewDraft, dry_run: DryRun = False) -> DraftWhole:
    """Make a draft."""
    with caller.changing(dry_run=dry_run) as desk:
        return _whole(desk, policy_drafts.create(desk, body.name, base=body.base, comment=body.comment))


@router.get("/drafts/{draft}", responses=documented(404))
def show_draft(caller: Reader, draft: Name) -> DraftWhole:
    """Show a draft with its document."""
    with caller.looking() as desk:
        return _whole(desk, _one(desk, draft))


@router.put("/drafts/{draft}", responses=documented(404, 409))
def edit_draft(caller: Applier, draft: Name, body: Edited, dry_run: DryRun = False) -> DraftWhole:
    """Let a draft say what a document says."""
    with caller.changing(dry_run=dry_run) as desk:
        held = _one(desk, draft)
        if body.as_read is not None and body.as_read != held.changed_at:
            who = held.changed_by
            raise ProblemError(409, f"draft {draft!r} was changed since, by {who}: read it again, then change it")
        policy_drafts.edit(desk, held, body.document, comment=body.comment)
        return _whole(desk, _one(desk, draft))


@router.delete("/drafts/{draft}", status_code=204, responses=documented(404))
def discard_draft(caller: Applier, draft: Name, dry_run: DryRun = False) -> None:
    """Delete a draft."""
    with caller.changing(dry_run=dry_run) as desk:
        policy_drafts.discard(desk, _one(desk, draft))


@router.get("/drafts/{draft}/changes", responses=documented(404))
def compare_draft(caller: Reader, draft: Name) -> Compared:
    """Show what a draft changes, and what was put in force since it was made."""
    with caller.looking() as desk:
        return _compared(policy_drafts.compare(desk, _one(desk, draft)))


@router.post("/drafts/{draft}/rebase", responses=documented(404))
def rebase_draft(caller: Applier, draft: Name, dry_run: DryRun = False) -> DraftWhole:
    """Put a draft's changes on the version that is in force now."""
    with caller.changing(dry_run=dry_run) as desk:
        policy_drafts.rebase(desk, _one(desk, draft))
        return _whole(desk, _one(desk, draft))


@router.post("/drafts/{draft}/apply", status_code=201, responses=documented(404, 409))
def apply_draft(caller: Applier, draft: Name, body: DraftApplication, dry_run: DryRun = False) -> OutcomeShown:
    """Put a draft in force as a new version; 409 where its base is no longer in force."""
    with caller.changing(dry_run=dry_run) as desk:
        try:
            outcome = policy_drafts.apply(
                desk,
                _one(desk, draft),
                comment=body.comment,
                acknowledged=body.acknowledge_announcement,
                anyway=body.anyway,
            )
        except OutdatedError as error:
            raise ProblemError(409, str(error)) from error
        return outcome_of(outcome, dry_run)


@router.post("/trial")
def try_policy(caller: Reader, body: Tried) -> TrialShown:
    """Decide the calls of the past anew by a draft or a document; nothing is changed."""
    if (body.draft is None) == (body.document is None):
        raise ProblemError(422, "say what to try: a draft, or a document")
    with caller.looking() as desk:
        if body.document is not None:
            policy = policies.read(desk, body.document)
        else:
            draft = policy_drafts.find(desk, body.draft or "")
            policy = policies.read(desk, policy_drafts.document_of(desk, draft))
        trial = policy_trial.begin(desk, policy)
        since = desk.at - timedelta(days=body.days)
    stored = StoredCalls(caller.site.engine, caller.tenant.id, since)
    if stored.count() > MOST_CALLS:
        raise ProblemError(422, f"more than {MOST_CALLS} calls: name fewer days, or use 'pbx-plugin policy try'")
    for portion in stored.portions():
        trial.add(portion)
    with caller.looking() as desk:
        return TrialShown(since=since, **policy_trial.result(desk, trial))


def _one(desk: Desk, name: str) -> Draft:
    draft: Draft = found(policy_drafts.find, desk, name)
    return draft


def _whole(desk: Desk, draft: Draft) -> DraftWhole:
    shown = DraftShown.model_validate(draft).model_dump()
    return DraftWhole(**shown, document=policy_drafts.document_of(desk, draft))


def _compared(beside: policy_drafts.Comparison) -> Compared:
    return Compared(
        **DraftShown.model_validate(beside.draft).model_dump(),
        in_force=beside.in_force,
        outdated=beside.outdated,
        changes=_changes(beside.ours),
        changed_since=_changes(beside.theirs),
        would_change=_changes(beside.would_change),
    )


def _changes(changes: policy_drafts.Changes) -> list[Change]:
    return [Change(setting=setting, before=before, after=after) for setting, before, after in changes]
