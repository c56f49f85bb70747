"""The picture of a recording, for players."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Name, Shown
from pbx_plugin.services.tokens import Scope

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1/recordings", tags=["recordings"])

Listener = Annotated[Caller, Depends(Needs(Scope.AUDIO_READ))]


class PeaksShown(Shown):
    """Lowest and highest sample of each stretch of the sound, in the shape of BBC audiowaveform, version 2."""

    version: int
    channels: int
    sample_rate: int
    samples_per_pixel: int = Field(description="Frames of one stretch.")
    bits: int
    length: int = Field(description="How many stretches there are.")
    data: list[int] = Field(description="For each stretch: left lowest, left highest, right lowest, right highest.")


@router.get("/{recording}/peaks", response_model=PeaksShown, responses=documented(404))
def show_peaks(caller: Listener, recording: Name) -> Response:
    """Show the picture of a recording. 404 where there is none: it was erased, or is not stored yet.

    Nothing is heard by it, so it is not audited as listening is.
    """
    found = caller.site.queries.exact_recording(recording, caller.tenant.id).recording
    gone = ProblemError(404, f"recording {found.recording_id} has no picture: it is {found.state}")
    if not found.peaks_path:
        raise gone
    archive = caller.site.settings.paths.archive.resolve()
    place = (archive / Path(found.peaks_path)).resolve()
    try:
        if not place.is_relative_to(archive):
            raise FileNotFoundError(place)
        with os.fdopen(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            content = file.read()
    except OSError as error:
        log.error("a stored picture cannot be read", recording=found.recording_id, error=str(error))
        raise gone from error
    return Response(content, headers={"Cache-Control": "private, no-store"}, media_type="application/json")
