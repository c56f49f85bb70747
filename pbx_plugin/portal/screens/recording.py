"""A recording's page: heard, marked, noted upon, evaluated, and its history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Form, Header, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from pbx_plugin.db.engine import gathering
from pbx_plugin.db.listening import DatabaseListening
from pbx_plugin.db.working import SqlWork, change_work, look_at_work
from pbx_plugin.domain.access import Action, Viewer, may
from pbx_plugin.domain.evaluation import FormError, checked, score
from pbx_plugin.domain.working import LONGEST_MS, LONGEST_NOTE, LONGEST_TAG, Flag
from pbx_plugin.portal.door import Signed, standing_of
from pbx_plugin.portal.handing import Hands, desk_of, form_of
from pbx_plugin.portal.pages import page
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.recording_view import (
    LIVE,
    evaluated,
    history,
    recording_shown,
    shown_detail,
    worked_on,
)
from pbx_plugin.portal.streams import open_part
from pbx_plugin.services import evaluating, working
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import ForbiddenError, Recorded, why_no_download, why_no_link
from pbx_plugin.services.listeners import TooManyListenersError
from pbx_plugin.services.working import ChangedMeanwhileError, Marking
from pbx_plugin.storage.mp3 import find_ffmpeg
from pbx_plugin.storage.opening import open_stored, pieces

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/recordings/{recording:uuid}")

SPEEDS = ("0.5", "0.75", "1", "1.25", "1.5", "1.75", "2")
WORKED = {"HX-Trigger": "worked"}
"""Tells the page that there is something new in the history."""

Words = Annotated[str, Form(max_length=LONGEST_NOTE)]


@router.get("")
def shown(request: Request, viewer: Signed, recording: UUID) -> Response:
    """Show everything about a recording that the person may see."""
    hands = Hands(request)
    with gathering(hands.site.engine):
        found = hands.recorded(viewer, str(recording))
        values = _of(hands, viewer, found)
        if found.state in LIVE:
            return page(request, "recording_live.html", **values)
        return page(request, "recording.html", **values, **_evaluation(request, viewer, found))


@router.get("/state")
def state(request: Request, viewer: Signed, recording: UUID) -> Response:
    """Say whether a recording that goes on, or is being stored, is ready; the page asks every second."""
    found = Hands(request).recorded(viewer, str(recording))
    if found.state not in LIVE:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    return page(request, "recording_state.html", recorded=found)


@router.get("/audio")
def audio(
    request: Request,
    viewer: Signed,
    recording: UUID,
    range: Annotated[str | None, Header(max_length=500)] = None,
    if_range: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Play a recording, whole or in parts. In the audit before its first byte, once for a session and a while."""
    hands = Hands(request)
    found = _heard(hands, viewer, recording)
    part = open_part(hands.site.settings.paths.archive, found, range, if_range)
    try:
        hands.listen(viewer.tenant_id, f"account:{viewer.account_id}", viewer.name, found, part)
        standing = standing_of(request)
        session_id = standing.session.id if standing else viewer.account_id
        DatabaseListening(hands.site.engine).heard(desk_of(request, viewer), found, session_id)
        answer = part.answer()
    except TooManyListenersError as error:
        part.close()
        wait = max(1, round((error.free_at - hands.site.now()).total_seconds()))
        raise PageError(429, "listeners", {"Retry-After": str(wait)}) from error
    except BaseException:
        part.close()
        raise
    # Squeezing would make nonsense of parts, and sound does not become smaller by it.
    answer.headers["Content-Encoding"] = "identity"
    return answer


@router.head("/audio")
def measure(request: Request, viewer: Signed, recording: UUID) -> Response:
    """Say how long the file is; nothing is heard."""
    hands = Hands(request)
    part = open_part(hands.site.settings.paths.archive, _heard(hands, viewer, recording), None, None)
    return part.answer(head=True)


@router.get("/peaks")
def peaks(request: Request, viewer: Signed, recording: UUID) -> Response:
    """Return the picture of both sides (BBC audiowaveform, version 2). A picture is not heard: nothing is audited."""
    hands = Hands(request)
    found = _heard(hands, viewer, recording)
    try:
        file = open_stored(hands.site.settings.paths.archive, found.peaks_path)
    except OSError as error:
        raise PageError(404, "picture") from error
    content = b"".join(pieces(file))
    return Response(content, media_type="application/json", headers={"Cache-Control": "private, no-store"})


@router.post("/marks")
def mark(
    request: Request,
    viewer: Signed,
    recording: UUID,
    version: Annotated[int, Form(ge=0)],
    flag: Annotated[Flag, Form()] = Flag.NONE,
    outcome: Annotated[str, Form(max_length=36)] = "",
    response: Annotated[str, Form(max_length=36)] = "",
    tag: Annotated[str, Form(max_length=LONGEST_TAG)] = "",
) -> Response:
    """Change flag, outcome, customer response and tag."""
    wish = Marking(outcome, response, flag, tag)
    with _answering() as told, _at_work(request, viewer) as (work, desk):
        working.mark(work, desk, viewer, str(recording), wish, version)
    return _marks(request, viewer, recording, told[0] if told else "")


@router.post("/notes")
def add_note(
    request: Request,
    viewer: Signed,
    recording: UUID,
    text: Words = "",
    at: Annotated[str, Form(max_length=20)] = "",
    colour: Annotated[Flag, Form()] = Flag.NONE,
) -> Response:
    """Write a note, about a place where one is given (in seconds)."""
    with _answering() as told, _at_work(request, viewer) as (work, desk):
        working.add_note(work, desk, viewer, str(recording), _plain(text), _milliseconds(at), colour)
    return _notes(request, viewer, recording, told[0] if told else "", text if told else "")


@router.post("/notes/{note}")
def change_note(
    request: Request,
    viewer: Signed,
    recording: UUID,
    note: str,
    text: Words = "",
    colour: Annotated[Flag, Form()] = Flag.NONE,
) -> Response:
    """Change one's own note."""
    with _answering() as told, _at_work(request, viewer) as (work, desk):
        working.change_note(work, desk, viewer, str(recording), note, _plain(text), colour)
    return _notes(request, viewer, recording, told[0] if told else "")


@router.post("/notes/{note}/remove")
def remove_note(request: Request, viewer: Signed, recording: UUID, note: str) -> Response:
    """Remove one's own note."""
    with _answering() as told, _at_work(request, viewer) as (work, desk):
        working.remove_note(work, desk, viewer, str(recording), note)
    return _notes(request, viewer, recording, told[0] if told else "")


@router.post("/evaluation")
def evaluate(
    request: Request, viewer: Signed, recording: UUID, form: Annotated[FormData, Depends(form_of)]
) -> Response:
    """Judge the recording, or change one's own judgement of it."""
    found = Hands(request).recorded(viewer, str(recording))
    with _answering() as told, _at_work(request, viewer) as (work, desk):
        version = str(form.get("version", ""))
        evaluating.evaluate(
            *(work, desk, viewer, str(recording), _answers(form), _plain(str(form.get("comment", "")))),
            version=int(version) if version.isdecimal() and len(version) < 9 else None,
        )
    values = _evaluation(request, viewer, found)
    values |= {"recorded": found, "problem": told[0] if told else "", "can": {"evaluate": True}}
    return page(request, "recording_evaluation.html", headers={} if told else WORKED, **values)


@router.post("/evaluation/score")
def live_score(
    request: Request, viewer: Signed, recording: UUID, form: Annotated[FormData, Depends(form_of)]
) -> Response:
    """Say what the answers chosen so far come to; nothing is kept."""
    hands = Hands(request)
    found = hands.recorded(viewer, str(recording))
    if not may(viewer, Action.EVALUATE, found.subject):
        raise PageError(403, "role")
    with look_at_work(hands.site.engine) as work:
        version = evaluating.form_in_use(work, viewer.tenant_id)
    if version is None:
        raise PageError(404)
    try:
        told = score(version.form, checked(version.form, _answers(form)))
    except FormError as error:
        raise RefusedError(str(error)) from error
    return page(request, "recording_score.html", told=told)


@router.get("/history")
def changes(request: Request, viewer: Signed, recording: UUID) -> Response:
    """Show who heard, mailed, downloaded and changed it, as a part of the page."""
    hands = Hands(request)
    found = hands.recorded(viewer, str(recording))
    if not may(viewer, Action.SEE_HISTORY, found.subject):
        raise PageError(403, "role")
    told = history(hands.site.engine, viewer.tenant_id, found.recording_id)
    return page(request, "recording_history.html", recorded=found, history=told, shown_detail=shown_detail)


def _of(hands: Hands, viewer: Viewer, found: Recorded) -> dict[str, Any]:
    engine = hands.site.engine
    told = recording_shown(engine, viewer, found)
    worked = worked_on(engine, viewer.tenant_id, found.recording_id)
    markers = [{"at": marker.at_ms, "what": marker.what, "detail": marker.detail} for marker in told.markers]
    return {
        "told": told,
        "recorded": found,
        "worked": worked,
        "problem": "",
        "typed": "",
        "flags": list(Flag),
        "speeds": SPEEDS,
        "markers": json.dumps(markers),
        "history": history(engine, viewer.tenant_id, found.recording_id),
        "shown_detail": shown_detail,
        "allowed": _allowed(hands, viewer, found),
        "can": {action.name.lower(): may(viewer, action, found.subject) for action in Action},
    }


def _allowed(hands: Hands, viewer: Viewer, found: Recorded) -> dict[str, bool]:
    rules = hands.rules(viewer)
    download = not why_no_download(viewer, rules, found)
    return {
        "mail": not why_no_link(viewer, rules, found),
        "download": download,
        "mp3": download and find_ffmpeg() is not None,
        "expiry": may(viewer, Action.CHANGE_EXPIRY, found.subject),
        "delete": rules.deleting and may(viewer, Action.DELETE, found.subject),
    }


def _evaluation(request: Request, viewer: Viewer, found: Recorded) -> dict[str, Any]:
    with look_at_work(request.app.state.site.engine) as work:
        return {"evaluation": evaluated(work, viewer, found.recording_id)}


def _marks(request: Request, viewer: Viewer, recording: UUID, problem: str) -> Response:
    hands = Hands(request)
    found = hands.recorded(viewer, str(recording))
    worked = worked_on(hands.site.engine, viewer.tenant_id, found.recording_id)
    values: dict[str, Any] = {"recorded": found, "worked": worked, "flags": list(Flag), "problem": problem}
    values["can"] = {"annotate": True}
    return page(request, "recording_marks.html", headers={} if problem else WORKED, **values)


def _notes(request: Request, viewer: Viewer, recording: UUID, problem: str, typed: str = "") -> Response:
    hands = Hands(request)
    found = hands.recorded(viewer, str(recording))
    worked = worked_on(hands.site.engine, viewer.tenant_id, found.recording_id)
    values: dict[str, Any] = {"recorded": found, "worked": worked, "flags": list(Flag), "problem": problem}
    values["can"] = {"annotate": True}
    return page(request, "recording_notes.html", headers={} if problem else WORKED, typed=typed, **values)


@contextmanager
def _at_work(request: Request, viewer: Viewer) -> Iterator[tuple[SqlWork, Desk]]:
    desk = desk_of(request, viewer)
    with change_work(request.app.state.site.engine) as work:
        yield work, replace(desk, directory=work.directory)


@contextmanager
def _answering() -> Iterator[list[str]]:
    """Keep what is wrong with a form's values, to be said beside it. Raises PageError 403 for what one may not."""
    told: list[str] = []
    try:
        yield told
    except ForbiddenError as error:
        raise PageError(403, "role") from error
    except (ChangedMeanwhileError, RefusedError) as error:
        told.append(str(error))


def _heard(hands: Hands, viewer: Viewer, recording: UUID) -> Recorded:
    found = hands.recorded(viewer, str(recording))
    if not may(viewer, Action.LISTEN, found.subject):
        raise PageError(403, "role")
    return found


def _answers(form: FormData) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for name, value in form.multi_items():
        if name.startswith("answer:") and isinstance(value, str):
            number = value.strip()
            found[name.removeprefix("answer:")] = int(number) if number.isdecimal() and len(number) < 4 else None
    return found


def _plain(text: str) -> str:
    # Browsers send line ends as in mails.
    return text.replace("\r\n", "\n").strip()


def _milliseconds(at: str) -> int | None:
    if not at.strip():
        return None
    try:
        found = round(float(at) * 1000)
    except (ValueError, OverflowError):
        raise RefusedError(f"{at!r} is no place in the recording: give seconds, as 12.5") from None
    if not 0 <= found <= LONGEST_MS:
        raise RefusedError(f"{at!r} is no place in the recording")
    return found
