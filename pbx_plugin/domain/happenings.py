"""What can happen to a call, in our own words. The Asterisk edge translates its events into these.

``at`` is Asterisk's own time stamp of the event (aware UTC), so that cuts and starts are on one clock. What happened
while nobody listened is told afterwards, and may be as old as ``unheard_since``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_plugin.domain.call import Consent, Mixing
from pbx_plugin.domain.losses import Loss
from pbx_plugin.domain.pacing import KEPT_TIME, Paces


@dataclass(frozen=True, slots=True)
class Carried:
    """The marks that a channel carries in its variables at one moment; ``presented_to`` are hunt group ids."""

    consent: Consent = Consent.NOT_REQUIRED
    evidence_id: str = ""
    presented_to: tuple[str, ...] = ()
    ddi: str = ""


@dataclass(frozen=True, slots=True)
class LegAppeared:
    """A channel exists. ``device`` is its endpoint (``PJSIP/101``); ``dialled`` the number that it called, if it did.

    ``originating`` is False for a channel that was dialled. ``number`` is the far end's number as received,
    ``shown_name`` the name that it shows of itself.
    """

    at: datetime
    channel: str
    name: str
    linkedid: str
    device: str
    number: str
    dialled: str = ""
    originating: bool = True
    carried: Carried = field(default_factory=Carried)
    shown_name: str = ""


@dataclass(frozen=True, slots=True)
class LegDialled:
    """A channel was dialled by another one, or its dialling came to an end (``status`` is Asterisk's DIALSTATUS)."""

    at: datetime
    channel: str
    caller: str
    number: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class LegJoined:
    """A channel entered a bridge. ``talking`` is False for parking and music-on-hold bridges."""

    at: datetime
    channel: str
    bridge: str
    talking: bool = True
    unheard_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegLeft:
    """A channel left a bridge."""

    at: datetime
    channel: str
    bridge: str
    unheard_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegHeld:
    """A phone put the other side on hold (``held``), or took it back."""

    at: datetime
    channel: str
    held: bool


@dataclass(frozen=True, slots=True)
class LegGone:
    """A channel hung up."""

    at: datetime
    channel: str
    cause: str = ""
    unheard_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class MarksSeen:
    """The channel's variables, as seen with any event; ``queue`` is the queue it is waiting in, if any."""

    at: datetime
    channel: str
    carried: Carried
    queue: str = ""


@dataclass(frozen=True, slots=True)
class TogglePressed:
    """The star code was pressed on this channel's phone."""

    at: datetime
    channel: str


@dataclass(frozen=True, slots=True)
class PausePressed:
    """The code of the sensitive-data pause was pressed on this channel's phone."""

    at: datetime
    channel: str


@dataclass(frozen=True, slots=True)
class WithdrawPressed:
    """The code that takes consent back was pressed on this channel's phone."""

    at: datetime
    channel: str


class Deed(StrEnum):
    """What a program may ask of a running call."""

    TOGGLE = "toggle"
    PAUSE = "pause"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Asked:
    """A program asks for a deed in a user's name. ``wish`` is ``on`` or ``off``; a withdrawal has none.

    ``ask_id`` is the id of the audit entry that answers, ``actor`` whom that entry names.
    """

    at: datetime
    call_id: str
    user_id: str
    deed: Deed
    wish: str
    ask_id: str
    actor: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """It is ``at`` now: a pause of this call may be over, or there may be room for what was refused."""

    at: datetime
    call_id: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was played to somebody: ``sha256`` is the sound file's, ``text_version`` that of the words in it."""

    language: str
    text_version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class AnnouncementDone:
    """The announcement for a capture was heard to its end by all (``ok``), or not, and why.

    ``unheard`` says why by channel; the others did hear it. Where it is empty and not all is well, nobody did.
    ``spoken`` is what was played, by channel.
    """

    at: datetime
    media: str
    ok: bool
    reason: str = ""
    unheard: dict[str, str] = field(default_factory=dict)
    spoken: dict[str, Spoken] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaptureStarted:
    """Both sides are being recorded; times as Asterisk told them."""

    at: datetime
    media: str
    in_at: datetime
    out_at: datetime


@dataclass(frozen=True, slots=True)
class CaptureEnded:
    """Asterisk has closed both files of a capture, whether we asked for it or not. ``paces`` is how it wrote them."""

    at: datetime
    media: str
    paces: Paces = KEPT_TIME


@dataclass(frozen=True, slots=True)
class CaptureFailed:
    """A capture could not be started; nothing of it is being recorded."""

    at: datetime
    media: str
    reason: str


@dataclass(frozen=True, slots=True)
class MediaSettled:
    """The finaliser is through with a capture: stored, failed or erased. It may be forgotten, but not what it lost."""

    at: datetime
    media: str
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaErased:
    """Nothing of a segment is left."""

    at: datetime
    media: str


@dataclass(frozen=True, slots=True)
class EraserLost:
    """The recorder was stopped before a segment was erased: it must be asked again."""

    at: datetime
    media: str


@dataclass(frozen=True, slots=True)
class FinaliserLost:
    """The finaliser was stopped before it was through with this capture: it must be asked again."""

    at: datetime
    media: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The recorder is connected anew: a capture that failed, or whose announcement was broken off, is tried again."""

    at: datetime
    media: str


@dataclass(frozen=True, slots=True)
class ChangedUnheard:
    """A capture was found unwanted after the recorder had been deaf since ``at``: nothing after that may be kept."""

    at: datetime
    media: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A moment has passed since a leg of the call was moved, at ``since``."""

    at: datetime
    linkedid: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ClockMoved:
    """The machine's clock, that all other times are told by, was set forward ``by`` so much (back: negative)."""

    at: datetime
    call_id: str
    by: timedelta


@dataclass(frozen=True, slots=True)
class Mixed:
    """A user's phone mixes this call with others, or they changed, or it does no more (``mixing`` is None)."""

    at: datetime
    call_id: str
    mixing: Mixing | None


@dataclass(frozen=True, slots=True)
class VoiceTakenBack:
    """Consent was withdrawn by somebody who is heard in this segment, in a call that a phone mixed with it.

    ``call_id`` is the call that this is told to; ``seen_to`` tells the withdrawn one that the segment's own sees to it.
    """

    at: datetime
    call_id: str
    media: str
    seen_to: bool = False


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """A new exclusion may be in force; it acts at once, on running calls too."""

    at: datetime


Happening = (
    LegAppeared
    | LegDialled
    | LegJoined
    | LegLeft
    | LegHeld
    | LegGone
    | MarksSeen
    | TogglePressed
    | PausePressed
    | WithdrawPressed
    | Asked
    | TimePassed
    | AnnouncementDone
    | CaptureStarted
    | CaptureEnded
    | CaptureFailed
    | MediaSettled
    | FinaliserLost
    | TryAgain
    | ChangedUnheard
    | Settled
    | MediaErased
    | EraserLost
    | ClockMoved
    | Mixed
    | VoiceTakenBack
    | RulesChanged
)
"""Anything that :func:`pbx_plugin.domain.lifecycle.advance` takes."""
