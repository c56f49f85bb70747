"""What is to be done about a call. Returned by :func:`pbx_plugin.domain.lifecycle.advance`, performed in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pbx_plugin.domain.entries import Entry
from pbx_plugin.domain.pacing import KEPT_TIME, Paces


@dataclass(frozen=True, slots=True)
class Write:
    """Write these journal entries, durably, before any later command of the same batch is performed."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Hearer:
    """Somebody who is told something on their own channel, unheard by the others."""

    channel: str
    language: str


@dataclass(frozen=True, slots=True)
class PlayAnnouncement:
    """Tell each that the call is recorded; answer with AnnouncementDone."""

    media: str
    hearers: tuple[Hearer, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the channels on which it is heard."""
        return tuple(hearer.channel for hearer in self.hearers)


@dataclass(frozen=True, slots=True)
class StopAnnouncement:
    """The announcement is no longer wanted."""

    media: str


@dataclass(frozen=True, slots=True)
class PlayTone:
    """Let one user hear what their code did: ``tone`` is a prompt name. Nobody else hears it."""

    channel: str
    tone: str


@dataclass(frozen=True, slots=True)
class StartCapture:
    """Record both sides of the anchor's channel; answer with CaptureStarted or CaptureFailed."""

    media: str
    channel: str
    spool_in: str
    spool_out: str


@dataclass(frozen=True, slots=True)
class StopCapture:
    """Close both files; answer with CaptureEnded."""

    media: str
    spool_in: str
    spool_out: str


@dataclass(frozen=True, slots=True)
class FinaliseMedia:
    """Make the stereo file of a closed capture and store it; answer with MediaSettled."""

    media: str
    tenant_id: str
    spool_in: str
    spool_out: str
    in_side: str
    intended_at: datetime
    in_at: datetime | None
    out_at: datetime | None
    closed_at: datetime
    paces: Paces = KEPT_TIME


@dataclass(frozen=True, slots=True)
class LookAgain:
    """A leg is being moved: answer with Settled in a moment (:data:`pbx_plugin.domain.settling.SETTLES_WITHIN`)."""

    linkedid: str
    since: datetime


@dataclass(frozen=True, slots=True)
class EraseMedia:
    """Remove whatever there is of a segment that is no longer written; answer with MediaErased."""

    media: str
    tenant_id: str
    intended_at: datetime
    spool_in: str
    spool_out: str


@dataclass(frozen=True, slots=True)
class Complain:
    """Tell whoever runs the machine, loudly, that something is not recorded which should be."""

    call_id: str
    user_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Keep the call's present state for a restart."""

    call_id: str


Command = (
    Write
    | PlayAnnouncement
    | StopAnnouncement
    | PlayTone
    | StartCapture
    | StopCapture
    | FinaliseMedia
    | LookAgain
    | EraseMedia
    | Complain
    | Remember
)
"""Anything the performer can do."""
