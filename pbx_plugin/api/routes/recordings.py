"""Recordings: found, listened to, and noted upon. Listening is audited, and counts among the company's listeners."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Header, Query
from pydantic import AfterValidator, Field
from starlette.responses import Response, StreamingResponse

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Body, Cursor, Limit, Name, Page, Shown, Since, Until, Word, page_of, sound, span
from pbx_plugin.db.listeners import DatabaseListeners
from pbx_plugin.db.listening import DatabaseListening
from pbx_plugin.db.paging import RecordingFilter
from pbx_plugin.db.views import RecordingView
from pbx_plugin.services.listeners import TooManyListenersError, sound_of
from pbx_plugin.services.ranges import UnsatisfiableError, part_of
from pbx_plugin.services.tokens import Scope

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1/recordings", tags=["recordings"])

Reader = Annotated[Caller, Depends(Needs(Scope.RECORDINGS_READ))]
Listener = Annotated[Caller, Depends(Needs(Scope.AUDIO_READ))]
Noter = Annotated[Caller, Depends(Needs(Scope.NOTES_WRITE))]

CHUNK = 64 * 1024
LONGEST_NOTE = 4000
LONGEST_MS = 7 * 24 * 3600 * 1000
AUDIO = {
    200: {"description": "The whole file.", "content": {"audio/wav": {}}},
    206: {"description": "The part that was asked for.", "content": {"audio/wav": {}}},
    **documented(404, 409, 416, 429),
}


class RecordingShown(Shown):
    """A user's recording. The user is heard on ``user_side`` of the stereo file, the other party on the other."""

    recording_id: str
    call_id: str
    user_id: str
    user_name: str
    extension: str
    segment: int
    at: datetime
    direction: str
    other_raw: str
    other_e164: str
    ddi: str
    group_id: str
    decision_id: str
    evidence_id: str
    rule: int
    policy_version: int
    deletable_by_hand: bool
    retention_days: int
    expires_at: datetime | None = Field(description="When it is due to go; null for one of which that is not known.")
    state: str
    user_side: str
    closed_at: datetime | None
    close_reason: str
    fail_reason: str
    sha256: str
    size: int
    rate: int
    length_ms: int
    left_silent: bool
    right_silent: bool
    remarks: list[str]


class NoteShown(Shown):
    """A note; ``at_ms`` is the place in the recording that it is about, null for the whole."""

    id: str
    at_ms: int | None
    text: str
    author: str
    at: datetime


class NoteNew(Body):
    """A note to write."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_NOTE), AfterValidator(sound)]
    at_ms: int | None = Field(None, ge=0, le=LONGEST_MS, description="Milliseconds from the beginning.")


@router.get("")
def list_recordings(
    caller: Reader,
    limit: Limit = 50,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = "",
    user_id: Annotated[Word, Query()] = "",
    extension: Annotated[Word, Query()] = "",
    number: Annotated[Word, Query(description="Part of the other party's number.")] = "",
    direction: Annotated[Literal["incoming", "outgoing", "internal", ""], Query()] = "",
    state: Annotated[Literal["starting", "recording", "closed", "failed", "stored", "erased", ""], Query()] = "",
    call_id: Annotated[Word, Query()] = "",
    shortest_ms: Annotated[int | None, Query(ge=0, le=LONGEST_MS)] = None,
) -> Page[RecordingShown]:
    """List or search recordings, newest first, page by page."""
    wanted = RecordingFilter(user_id, extension, number, direction, state, call_id, shortest_ms)
    rows = caller.site.queries.page_of_recordings(caller.tenant.id, span(limit, since, until, cursor), wanted)
    return Page[RecordingShown].model_validate(page_of(list(rows), limit, lambda row: (row.at, row.recording_id)))


@router.get("/{recording}", responses=documented(404))
def show_recording(caller: Reader, recording: Name) -> RecordingShown:
    """Show what is known of one recording."""
    return RecordingShown.model_validate(_one(caller, recording))


@router.get("/{recording}/audio", responses=AUDIO, response_class=Response)
def listen(
    caller: Listener,
    recording: Name,
    range: Annotated[str | None, Header(max_length=500)] = None,
    if_range: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Listen to a recording: a stereo WAV, whole or one range of bytes.

    In the audit before its first byte, once for a token and half an hour, as a player fetches parts by the dozen. A
    token is one listener of its company, which may limit how many listen at once.
    """
    found = _one(caller, recording)
    file, headers, part = _opened(caller, found, range, if_range)
    try:
        first, end = part or (0, os.fstat(file).st_size)
        _heard(caller, found, end - first)
    except BaseException:
        os.close(file)
        raise
    headers["Content-Length"] = str(end - first)
    status = 206 if part else 200
    return StreamingResponse(_bytes(file, first, end), status, headers, "audio/wav")


@router.head("/{recording}/audio", responses=AUDIO, response_class=Response)
def measure(
    caller: Listener,
    recording: Name,
    range: Annotated[str | None, Header(max_length=500)] = None,
    if_range: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Ask how long a file is, and whether it is there; nothing is heard, so nothing is audited."""
    file, headers, part = _opened(caller, _one(caller, recording), range, if_range)
    first, end = part or (0, os.fstat(file).st_size)
    os.close(file)
    headers["Content-Length"] = str(end - first)
    return Response(None, 206 if part else 200, headers, "audio/wav")


@router.get("/{recording}/notes", responses=documented(404))
def list_notes(caller: Reader, recording: Name) -> list[NoteShown]:
    """List a recording's notes, oldest first."""
    found = _one(caller, recording)
    notes = caller.site.remarks.notes(caller.tenant.id, found.recording_id)
    return [NoteShown.model_validate(note) for note in notes]


@router.post("/{recording}/notes", status_code=201, responses=documented(404))
def add_note(caller: Noter, recording: Name, body: NoteNew) -> NoteShown:
    """Write a note on a recording, or on a place in it."""
    found = _one(caller, recording)
    with caller.looking() as desk:
        note = caller.site.remarks.add_note(desk, found.recording_id, body.text, body.at_ms)
    return NoteShown.model_validate(note)


@router.delete("/{recording}/notes/{note}", status_code=204, responses=documented(404))
def remove_note(caller: Noter, recording: Name, note: Name) -> None:
    """Remove a note."""
    found = _one(caller, recording)
    with caller.looking() as desk:
        if not caller.site.remarks.remove_note(desk, found.recording_id, note):
            raise ProblemError(404, f"no note {note!r} on recording {found.recording_id}")


def _one(caller: Caller, name: str) -> RecordingView:
    return caller.site.queries.exact_recording(name, caller.tenant.id).recording


def _heard(caller: Caller, found: RecordingView, size: int) -> None:
    """Count the token as a listener and note that it listens. Raises ProblemError 429 while as many listen as may."""
    site, listener = caller.site, f"token:{caller.token.id}"
    at, sound_length = site.now(), sound_of(size, found.rate)
    try:
        DatabaseListeners(site.engine).listen(
            caller.tenant.id, listener, caller.actor, found.recording_id, at, sound_length
        )
    except TooManyListenersError as error:
        wait = max(1, round((error.free_at - at).total_seconds()))
        raise ProblemError(429, str(error), {"Retry-After": str(wait)}) from error
    with caller.looking() as desk:
        DatabaseListening(site.engine).heard(desk, found, listener)


def _opened(
    caller: Caller, found: RecordingView, asked: str | None, if_range: str | None
) -> tuple[int, dict[str, str], tuple[int, int] | None]:
    """Return the open file, the headers, and the part that is asked for. Raises ProblemError 409 or 416."""
    if not found.path:
        raise ProblemError(409, f"recording {found.recording_id} has no sound: it is {found.state}")
    archive = caller.site.settings.paths.archive.resolve()
    place = (archive / Path(found.path)).resolve()
    try:
        if not place.is_relative_to(archive):
            raise FileNotFoundError(place)
        file = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        log.error("a stored file cannot be read", recording=found.recording_id, error=str(error))
        raise ProblemError(409, f"the file of recording {found.recording_id} cannot be read now") from error
    size, tag = os.fstat(file).st_size, f'"{found.sha256}"'
    headers = {"Accept-Ranges": "bytes", "ETag": tag, "Cache-Control": "private, no-store"}
    headers["Content-Disposition"] = f'inline; filename="{found.recording_id}.wav"'
    try:
        # A part of another file than the one that the listener has is of no use to them: they get the whole.
        part = part_of(asked if if_range in (None, tag) else None, size)
    except UnsatisfiableError as error:
        os.close(file)
        detail = f"range {asked!r} lies behind the end: the file has {size} bytes"
        raise ProblemError(416, detail, {"Content-Range": f"bytes */{size}"}) from error
    if part:
        headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size}"
    return file, headers, part


def _bytes(file: int, first: int, end: int) -> Iterator[bytes]:
    with os.fdopen(file, "rb") as sound:
        sound.seek(first)
        while first < end:
            chunk = sound.read(min(CHUNK, end - first))
            if not chunk:
                return
            first += len(chunk)
            yield chunk
