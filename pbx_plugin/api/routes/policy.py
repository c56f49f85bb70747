"""The policy: what is in force, its versions, and putting one in force."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import documented
from pbx_plugin.api.words import Body, DryRun, Shown, Word, found
from pbx_plugin.services import policies
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import AppliedPolicy
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/policy", tags=["policy"])

Reader = Annotated[Caller, Depends(Needs(Scope.POLICY_READ))]
Applier = Annotated[Caller, Depends(Needs(Scope.POLICY_APPLY))]
Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="A version.")]


class VersionShown(Shown):
    """A version as it was applied; ``at`` is null for version 0, which records nothing."""

    number: int
    author: str
    at: datetime | None
    comment: str


class PolicyShown(VersionShown):
    """A version with its document: names for ids, as it can be edited and applied."""

    document: dict[str, Any]


class Change(Shown):
    """One setting that differs; null where it is not there."""

    setting: str
    before: Any
    after: Any


class OutcomeShown(VersionShown):
    """The version in force, and what applying changed (empty: no new version)."""

    applied: bool
    changes: list[Change]


class Application(Body):
    """A document to put in force."""

    document: dict[str, Any]
    comment: Word = ""
    acknowledge_announcement: bool = Field(
        False, description="Callers may be recorded without having been told, and that is lawful; audited."
    )


class Rollback(Body):
    """Why an earlier version is to be in force again."""

    comment: Word = ""
    acknowledge_announcement: bool = False


class Switch(Body):
    """Whether anything is recorded at all, of calls that begin from now on."""

    recording: bool
    comment: Word = ""


@router.get("")
def policy_in_force(caller: Reader) -> PolicyShown:
    """Show the policy in force."""
    with caller.looking() as desk:
        return _with_document(desk, policies.in_force(desk))


@router.get("/versions")
def list_versions(caller: Reader) -> list[VersionShown]:
    """List the versions that were applied, oldest first."""
    with caller.looking() as desk:
        return [VersionShown(**_plain(policy)) for policy in desk.directory.policies(desk.tenant.id)]


@router.post("/versions", status_code=201)
def apply_policy(caller: Applier, body: Application, dry_run: DryRun = False) -> OutcomeShown:
    """Put a document in force as a new version; one that changes nothing makes none."""
    with caller.changing(dry_run=dry_run) as desk:
        outcome = policies.apply(desk, body.document, comment=body.comment, acknowledged=body.acknowledge_announcement)
        return outcome_of(outcome, dry_run)


@router.get("/versions/{number}", responses=documented(404))
def show_version(caller: Reader, number: Number) -> PolicyShown:
    """Show one version."""
    with caller.looking() as desk:
        return _with_document(desk, _one(desk, number))


@router.get("/versions/{number}/changes", responses=documented(404))
def show_changes(
    caller: Reader,
    number: Number,
    since: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Version to compare with.")] = None,
) -> list[Change]:
    """Show what differs from an earlier version; from the one before, unless it is said."""
    with caller.looking() as desk:
        after = _one(desk, number)
        before = _one(desk, max(number - 1, 0) if since is None else since)
        return _changes(policies.compare(desk, before, after))


@router.post("/versions/{number}/rollback", status_code=201, responses=documented(404))
def roll_back(caller: Applier, number: Number, body: Rollback, dry_run: DryRun = False) -> OutcomeShown:
    """Put an earlier version's content in force again, as a new version."""
    with caller.changing(dry_run=dry_run) as desk:
        _one(desk, number)
        acknowledged = body.acknowledge_announcement
        return outcome_of(policies.roll_back(desk, number, comment=body.comment, acknowledged=acknowledged), dry_run)


@router.put("/switch")
def switch(caller: Applier, body: Switch, dry_run: DryRun = False) -> OutcomeShown:
    """Switch all recording off or on, keeping the rest of the policy."""
    with caller.changing(dry_run=dry_run) as desk:
        return outcome_of(policies.switch(desk, off=not body.recording, comment=body.comment), dry_run)


def _one(desk: Desk, number: int) -> AppliedPolicy:
    policy: AppliedPolicy = found(policies.find, desk, number)
    return policy


def _plain(policy: AppliedPolicy) -> dict[str, Any]:
    number = policy.version.number
    return {
        "number": number,
        "author": policy.author,
        "at": policy.at if number else None,
        "comment": policy.comment,
    }


def _with_document(desk: Desk, policy: AppliedPolicy) -> PolicyShown:
    return PolicyShown(**_plain(policy), document=policies.document_of(desk, policy))


def _changes(changes: Any) -> list[Change]:
    return [Change(setting=setting, before=before, after=after) for setting, before, after in changes]


def outcome_of(outcome: policies.Outcome, dry_run: bool) -> OutcomeShown:
    """Return what applying did."""
    changes = _changes(outcome.changes)
    return OutcomeShown(**_plain(outcome.policy), applied=bool(changes) and not dry_run, changes=changes)
