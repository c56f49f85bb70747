"""Deleting recordings behind "I understand the consequences", the second person's page, and changing an expiry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from pbx_plugin.bootstrap import build_eraser
from pbx_plugin.domain.access import Action, Viewer, scope
from pbx_plugin.domain.handing import Deletable, Obstacle, obstacle
from pbx_plugin.domain.retention import latest_expiry, tomorrow_after
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.handing import Hands, desk_of, form_of, selected
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.services import deleting
from pbx_plugin.services.deleting import Outcome
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import Recorded

router = APIRouter()

Deleter = Annotated[Viewer, Depends(Needs(Action.DELETE))]
Keeper = Annotated[Viewer, Depends(Needs(Action.CHANGE_EXPIRY))]
Filled = Annotated[FormData, Depends(form_of)]
Text = Annotated[str, Form(max_length=100)]
SHOWN = 20


def _(message: str) -> str:
    """Mark a sentence for translation; it is translated where it is shown."""
    return message


WHY = {
    Obstacle.FORBIDDEN: _("Your company forbids deleting by hand: recordings go when they expire."),
    Obstacle.PROTECTED: _("Recordings of calls to this number cannot be deleted by hand. They go when they expire."),
    Obstacle.HELD: _("It is under a legal hold, which must be released first."),
    Obstacle.GOING_ON: _("It is not stored yet. Delete it when the call has ended."),
    Obstacle.DELETED: _("It was deleted already."),
    Obstacle.ASKED: _("Somebody has asked for it already: another superuser confirms or refuses."),
}


@router.post("/selection/delete")
def ask(request: Request, viewer: Deleter, form: Filled) -> Response:
    """Show what is to be deleted and what cannot be, and ask whether the consequences are understood."""
    return _consequences(request, viewer, selected(request, viewer, form))


@router.post("/selection/delete/confirmed")
def delete(request: Request, viewer: Deleter, form: Filled) -> Response:
    """Delete, or ask a second person, once the box is ticked and the number of more than one is typed."""
    ids = selected(request, viewer, form)
    words = tongue_of(request)
    going, _ = _judged(request, viewer, ids)
    if not going:
        return _consequences(request, viewer, ids)
    if form.get("understood") != "yes":
        problem = words.gettext("Tick the box first: what is deleted cannot be brought back.")
        return _consequences(request, viewer, ids, problem)
    if len(going) > 1 and str(form.get("count", "")).strip() != str(len(going)):
        problem = words.gettext("Type the number %(number)s to confirm how many are deleted.", number=len(going))
        return _consequences(request, viewer, ids, problem)
    hands = Hands(request)
    chosen = [found.recording_id for found in going]
    outcome = deleting.delete(
        hands.deletions, build_eraser(hands.site.settings), desk_of(request, viewer), chosen, viewer.account_id
    )
    return _told(request, outcome)


@router.get("/deletions")
def waiting(request: Request, viewer: Deleter) -> Response:
    """Show what waits for a second person."""
    hands = Hands(request)
    asked = hands.deletions.waiting(viewer.tenant_id)
    known = hands.handing.some(scope(viewer), [one.recording_id for one in asked])
    rows = [(one, known[one.recording_id]) for one in asked if one.recording_id in known]
    return page(request, "deletions.html", rows=rows, rules=hands.rules(viewer))


@router.post("/deletions/confirm")
def confirm(request: Request, viewer: Deleter, form: Filled) -> Response:
    """Confirm as the second person."""
    hands, ids = Hands(request), selected(request, viewer, form)
    if form.get("understood") != "yes":
        raise RefusedError(tongue_of(request).gettext("Tick the box first: what is deleted cannot be brought back."))
    eraser = build_eraser(hands.site.settings)
    outcome = deleting.confirm(hands.deletions, eraser, desk_of(request, viewer), ids, viewer.account_id)
    return _told(request, outcome)


@router.post("/deletions/refuse")
def refuse(request: Request, viewer: Deleter, form: Filled) -> Response:
    """Refuse, or take back what one has asked for oneself."""
    hands, ids = Hands(request), selected(request, viewer, form)
    outcome = deleting.take_back(hands.deletions, desk_of(request, viewer), ids)
    if outcome.refused:
        return _told(request, Outcome(refused=outcome.refused))
    said = tongue_of(request).ngettext("%(num)s stays.", "%(num)s stay.", len(outcome.asked))
    return go(request, "/deletions", said=said)


@router.get("/recordings/{recording}/expiry")
def expiry_form(request: Request, viewer: Keeper, recording: str) -> Response:
    """Show until when a recording is kept."""
    return _expiry(request, Hands(request).recorded(viewer, recording))


@router.post("/recordings/{recording}/expiry")
def change_expiry(request: Request, viewer: Keeper, recording: str, day: Text = "") -> Response:
    """Let a recording be kept until a day is over (in the portal's time zone)."""
    hands, words = Hands(request), tongue_of(request)
    found = hands.recorded(viewer, recording)
    try:
        last = date.fromisoformat(day)
        wanted = datetime.combine(last + timedelta(days=1), time(), hands.site.zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return _expiry(request, found, words.gettext("Write the day as 2026-11-30."), day)
    # The last day's end may lie a few hours behind what the caller was told: that moment counts then.
    latest = latest_expiry(found.at, found.told_days)
    if latest < wanted and latest.astimezone(hands.site.zone).date() >= last:
        wanted = latest
    try:
        hands.deletions.change_expiry(desk_of(request, viewer), found.recording_id, wanted)
    except RefusedError as error:
        return _expiry(request, found, str(error), day)
    return go(request, f"/recordings/{found.recording_id}/expiry", said=words.gettext("The expiry is changed."))


def _expiry(request: Request, found: Recorded, problem: str = "", day: str = "") -> Response:
    hands = Hands(request)
    zone = hands.site.zone
    latest = latest_expiry(found.at, found.told_days)
    soonest = tomorrow_after(hands.site.now().astimezone(UTC).date())
    if not found.deletable_by_hand and found.expires_at is not None:
        soonest = max(soonest, found.expires_at)
    now_kept = (found.expires_at - timedelta(microseconds=1)).astimezone(zone).date() if found.expires_at else None
    return page(
        request,
        "expiry.html",
        status=422 if problem else 200,
        recorded=found,
        problem=problem,
        day=day or (now_kept.isoformat() if now_kept else ""),
        earliest=(soonest - timedelta(microseconds=1)).astimezone(zone).date().isoformat(),
        last=latest.astimezone(zone).date().isoformat(),
    )


def _judged(request: Request, viewer: Viewer, ids: Sequence[str]) -> tuple[list[Recorded], list[tuple[Recorded, str]]]:
    """Return which recordings can be deleted now, and which cannot and why."""
    hands = Hands(request)
    known, rules = hands.handing.some(scope(viewer), ids), hands.rules(viewer)
    going: list[Recorded] = []
    staying: list[tuple[Recorded, str]] = []
    for recording_id in ids:
        found = known.get(recording_id)
        if found is not None:
            why = obstacle(rules, deletable(found))
            if why is None:
                going.append(found)
            else:
                staying.append((found, WHY[why]))
    return going, staying


def deletable(found: Recorded) -> Deletable:
    """Return what deleting asks of a recording."""
    return Deletable(
        recording_id=found.recording_id,
        media_id=found.media_id,
        settled=found.state in ("stored", "failed", "erased"),
        deletable_by_hand=found.deletable_by_hand,
        held=found.held,
        deleted=found.deleted_at is not None,
        asked=bool(found.deletion),
    )


def _consequences(request: Request, viewer: Viewer, ids: Sequence[str], problem: str = "") -> Response:
    if not ids:
        raise RefusedError(tongue_of(request).gettext("Nothing is selected: tick at least one recording."))
    going, staying = _judged(request, viewer, ids)
    return page(
        request,
        "delete.html",
        status=422 if problem else 200,
        going=going,
        staying=staying,
        shown=SHOWN,
        problem=problem,
        ids=" ".join(found.recording_id for found in going),
        rules=Hands(request).rules(viewer),
    )


def _told(request: Request, outcome: Outcome) -> Response:
    if outcome.refused or outcome.unfinished:
        return page(request, "deleted.html", outcome=outcome)
    words = tongue_of(request)
    said = ""
    if outcome.deleted:
        many = "%(num)s recordings are deleted."
        said = words.ngettext("%(num)s recording is deleted.", many, len(outcome.deleted))
    if outcome.asked:
        many = "%(num)s recordings wait for another superuser's confirmation."
        one = "%(num)s recording waits for another superuser's confirmation."
        said = words.ngettext(one, many, len(outcome.asked))
    return go(request, "/deletions" if outcome.asked else "/recordings", said=said)
