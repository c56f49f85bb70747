"""Downloads: one recording as WAV or MP3, and a selection as one zip file, by permission of role and company."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from pbx_plugin.domain.access import Action, Viewer, scope
from pbx_plugin.domain.handing import ExportState
from pbx_plugin.portal.door import Needs, Signed
from pbx_plugin.portal.handing import Hands, desk_of, form_of, selected
from pbx_plugin.portal.pages import go, page
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.streams import close, download, open_part
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.exporting import Export, Manifest, file_name, why_left_out
from pbx_plugin.services.handing import Recorded, why_no_download
from pbx_plugin.storage.exporting import Packing
from pbx_plugin.storage.mp3 import BusyError, NoMp3Error, as_mp3
from pbx_plugin.storage.opening import pieces

log = structlog.get_logger(__name__)

router = APIRouter()

Downloader = Annotated[Viewer, Depends(Needs(Action.DOWNLOAD))]


@router.get("/recordings/{recording}/download/{form}")
def fetch(request: Request, viewer: Signed, recording: str, form: Literal["wav", "mp3"]) -> Response:
    """Download a recording. Audited before its first byte."""
    hands = Hands(request)
    found = hands.recorded(viewer, recording)
    if why_no_download(viewer, hands.rules(viewer), found):
        raise PageError(403, "download")
    part = open_part(hands.site.settings.paths.archive, found, None, None)
    content: Iterator[bytes] = pieces(part.file)
    if form == "mp3":
        try:
            content = as_mp3(os.dup(part.file), found.rate)
        except NoMp3Error as error:
            raise PageError(503, "no mp3") from error
        except BusyError as error:
            raise PageError(503, "busy mp3", {"Retry-After": "10"}) from error
    try:
        hands.exports.downloaded(desk_of(request, viewer), found, form)
    except BaseException:
        close(content)
        raise
    name = found.file_name(hands.site.zone, form)
    return download(content, name, "audio/mpeg" if form == "mp3" else "audio/wav", None if form == "mp3" else part.size)


@router.post("/selection/zip")
def ask(request: Request, viewer: Downloader, form: Annotated[FormData, Depends(form_of)]) -> Response:
    """Keep what is selected, and lead to where it is fetched."""
    hands = Hands(request)
    if why_no_download(viewer, hands.rules(viewer)):
        raise PageError(403, "download")
    export = hands.exports.ask(desk_of(request, viewer), viewer.account_id, selected(request, viewer, form))
    return go(request, f"/exports/{export.id}")


@router.get("/exports/{export}")
def shown(request: Request, viewer: Downloader, export: str) -> Response:
    """Show how far it is; the page itself fetches the file."""
    return page(request, "export.html", export=_own(request, viewer, export))


@router.get("/exports/{export}/progress")
def progress(request: Request, viewer: Downloader, export: str) -> Response:
    """Show how far it is, as a part of the page."""
    return page(request, "export_progress.html", export=_own(request, viewer, export))


@router.get("/exports/{export}/file")
def fetch_zip(request: Request, viewer: Downloader, export: str) -> Response:
    """Fetch the zip file, once; it is made while it is sent. Audited recording by recording, before the first byte."""
    hands, wanted = Hands(request), _own(request, viewer, export)
    if why_no_download(viewer, hands.rules(viewer)):
        raise PageError(403, "download")
    if not hands.exports.start(wanted):
        raise PageError(409, "fetched")
    desk = desk_of(request, viewer)
    return download(_packed(hands, desk, viewer, wanted), file_name(wanted), "application/zip")


def _packed(hands: Hands, desk: Desk, viewer: Viewer, export: Export) -> Iterator[bytes]:
    manifest = Manifest(export.id, desk.tenant.name, desk.at, desk.actor)
    packing = Packing(hands.site.settings.paths.archive, hands.site.zone, manifest)
    state = ExportState.BROKEN

    def look(recording: str) -> tuple[Recorded | None, str]:
        found = hands.handing.one(scope(viewer), recording)
        return found, why_left_out(viewer, hands.rules(viewer), found)

    def tick() -> None:
        hands.exports.progress(export, done=packing.done, left_out=packing.left_out, sent=packing.sent)

    try:
        stream = packing.stream(
            list(export.recording_ids), look, lambda found: hands.exports.hand_over(desk, export, found), tick
        )
        yield from stream
        state = ExportState.DONE
    finally:
        # Also when the browser goes away in the middle: what was handed over by then is in the audit.
        if state is ExportState.BROKEN:
            log.warning("an export was not fetched to its end", export=export.id, done=packing.done)
        hands.exports.end(desk, export, state, packing.manifest_sha256)


def _own(request: Request, viewer: Viewer, export: str) -> Export:
    found = Hands(request).exports.find(viewer.tenant_id, viewer.account_id, export)
    if found is None:
        raise PageError(404)
    return found
