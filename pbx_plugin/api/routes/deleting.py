"""Recordings are deleted, and kept longer or shorter."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Body, DryRun, Moment, Name, Shown
from pbx_plugin.bootstrap import build_eraser
from pbx_plugin.db.deletions import DatabaseDeletions
from pbx_plugin.services import deleting
from pbx_plugin.services.tokens import Scope

router = APIRouter(prefix="/v1/recordings", tags=["recordings"])

Deleter = Annotated[Caller, Depends(Needs(Scope.RECORDINGS_DELETE))]


class DeletionShown(Shown):
    """What became of it: *deleted* is gone for everybody, *asked* waits for a superuser in the portal."""

    recording_id: str
    state: Literal["deleted", "asked"]


class ExpiryNew(Body):
    """When a recording is to go."""

    expires_at: Moment


class ExpiryShown(Shown):
    """When a recording goes."""

    recording_id: str
    expires_at: datetime


@router.delete("/{recording}", responses=documented(404, 409))
def delete(caller: Deleter, recording: Name, dry_run: DryRun = False) -> DeletionShown:
    """Delete a recording for ever: there is no undelete. Its history, and what is known of the call, stay.

    409 says why it cannot be: it is held, may not be deleted by hand, is still being recorded, or was deleted before.
    """
    found = caller.site.queries.exact_recording(recording, caller.tenant.id).recording
    store = DatabaseDeletions(caller.site.engine)
    if dry_run:
        why = store.obstacle(caller.tenant.id, found.recording_id)
        if why:
            raise ProblemError(409, f"recording {found.recording_id}: {why}")
        return DeletionShown(recording_id=found.recording_id, state="deleted")
    with caller.looking() as desk:
        pass
    outcome = deleting.delete(store, build_eraser(caller.site.settings), desk, [found.recording_id])
    if outcome.refused:
        raise ProblemError(409, outcome.refused[found.recording_id])
    return DeletionShown(recording_id=found.recording_id, state="asked" if outcome.asked else "deleted")


@router.put("/{recording}/expiry", responses=documented(404))
def change_expiry(caller: Deleter, recording: Name, body: ExpiryNew, dry_run: DryRun = False) -> ExpiryShown:
    """Let a recording go at another time: not before tomorrow, and not later than its caller was told."""
    found = caller.site.queries.exact_recording(recording, caller.tenant.id).recording
    with caller.looking() as desk:
        pass
    store = DatabaseDeletions(caller.site.engine)
    store.change_expiry(desk, found.recording_id, body.expires_at, dry_run=dry_run)
    return ExpiryShown(recording_id=found.recording_id, expires_at=body.expires_at)
