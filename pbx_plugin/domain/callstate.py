"""The recorder's picture of one call: legs, marks, switches, decisions and captures. Immutable, JSON-able."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pbx_plugin.domain.call import Consent, ConsentBy, Made, Marks, Mixing, Number, Party, Switch, User
from pbx_plugin.domain.decide import marks_in_force
from pbx_plugin.domain.decision import Decision
from pbx_plugin.domain.entries import Side
from pbx_plugin.domain.happenings import Carried
from pbx_plugin.domain.pacing import KEPT_TIME, Paces
from pbx_plugin.domain.policy import PolicyVersion


@dataclass(frozen=True, slots=True)
class Leg:
    """One channel of the call. ``user`` is the person as they were when the call reached them, None outside.

    ``local`` is the common name of a Local channel pair (both halves have it), empty for a real phone or trunk.
    ``shown_name`` is the name that an outside party shows, as it was received; nothing is ever decided by it.
    """

    channel: str
    name: str
    number: Number
    user: User | None = None
    local: str = ""
    originating: bool = True
    bridge: str = ""
    talking: bool = False
    held: bool = False
    carried: Carried = field(default_factory=Carried)
    shown_name: str = ""

    @property
    def party(self) -> Party:
        """Return who is heard on this leg."""
        return Party(self.number, self.user)

    @property
    def external(self) -> bool:
        """Whether this is a real leg of somebody outside the company."""
        return self.user is None and not self.local


class Phase(StrEnum):
    """Where a capture stands.

    A failed one stays until its conversation ends, so that it is not tried in a loop. One that is paused, or refused
    for want of room (ours or Asterisk's), holds the place of the recording that should be: each of these is a gap.
    """

    ANNOUNCING = "announcing"
    STARTING = "starting"
    RECORDING = "recording"
    CLOSING = "closing"
    FINALISING = "finalising"
    FAILED = "failed"
    PAUSED = "paused"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Capture:
    """One segment: a conversation's two sides, recorded from the anchor leg for one or more users.

    ``number`` counts the call's recorded segments from 1; it is 0 until recording is asked for. ``doubtful_since`` is
    when its people were parted, while it is not known yet whether Asterisk is only moving them. ``telling`` are the
    channels that hear the announcement it waits for. ``paces`` is how Asterisk wrote its files, once they are closed.
    """

    media: str
    number: int
    phase: Phase
    anchor: str
    members: frozenset[str]
    user_ids: tuple[str, ...]
    in_side: Side
    since: datetime
    spool_in: str
    spool_out: str
    intended_at: datetime | None = None
    in_at: datetime | None = None
    out_at: datetime | None = None
    closed_at: datetime | None = None
    doubtful_since: datetime | None = None
    failure: str = ""
    unheard_since: datetime | None = None
    telling: tuple[str, ...] = ()
    paces: Paces = KEPT_TIME

    @property
    def live(self) -> bool:
        """Whether this capture serves its conversation now, or stands for the one that should."""
        return self.missing or self.phase in (Phase.ANNOUNCING, Phase.STARTING, Phase.RECORDING)

    @property
    def missing(self) -> bool:
        """Whether nothing is recorded although it should be; ``failure`` says why, ``since`` from when."""
        return self.barred or self.phase is Phase.FAILED

    @property
    def barred(self) -> bool:
        """Whether recording is to begin as soon as nothing stands in its way."""
        return self.phase in (Phase.PAUSED, Phase.REFUSED)

    @property
    def written(self) -> bool:
        """Whether Asterisk writes its files now, or may begin to."""
        return self.phase in (Phase.STARTING, Phase.RECORDING, Phase.CLOSING)

    @property
    def takes_a_place(self) -> bool:
        """Whether it counts where recordings are limited; a pause keeps its place."""
        return self.phase in (Phase.ANNOUNCING, Phase.STARTING, Phase.RECORDING, Phase.PAUSED)


@dataclass(frozen=True, slots=True)
class Pause:
    """A user's sensitive-data pause: by whom (a name), and when it ends by itself."""

    by: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """The last decision for a user, and a key of the facts it rests on (to notice when they change)."""

    decision_id: str
    decision: Decision
    facts_key: str


@dataclass(frozen=True, slots=True)
class CallState:
    """Everything known of a running call. ``sticky`` are marks that stay although the leg that brought them is gone.

    ``excluded`` is the exclusion that somebody on the call was found under; it stays for the call's life.
    ``pressed`` is when a code was last pressed on each channel, ``pauses`` are by user.
    ``counter`` makes ids, ``segments`` counts the recordings that are filed under this call. ``unsettled`` is when a
    leg was moved last, until that is over.
    ``made`` are all segments recorded so far, ``erasing`` those whose sound is to go; until it is gone the call is
    not told to have ended (at ``left_at``), so that a restart sees to it. While what was missed is worked out,
    ``unheard_since`` is when it may have begun. ``told_at`` is when Asterisk last told anything that
    changed the call. ``clock_off`` is by how much the machine's clock has been set forward since the call began: all
    times here are by the clock as it was then. ``lent`` are segments of other calls in which this one's voices are
    heard, because a phone mixed them. ``deaf`` are channels of other calls that could not be told of the recording.
    ``rests`` is what was said of further consents (segment, evidence).
    """

    call_id: str
    tenant_id: str
    linkedids: tuple[str, ...]
    began_at: datetime
    policy: PolicyVersion
    off_at_start: bool
    country: str
    language: str
    ddi: Number = field(default_factory=Number)
    dialled: Number = field(default_factory=Number)
    sticky: Marks = field(default_factory=Marks)
    marks: Marks = field(default_factory=Marks)
    legs: dict[str, Leg] = field(default_factory=dict)
    switches: dict[str, Switch] = field(default_factory=dict)
    pressed: dict[str, datetime] = field(default_factory=dict)
    decided: dict[str, Decided] = field(default_factory=dict)
    captures: dict[str, Capture] = field(default_factory=dict)
    announced: frozenset[str] = frozenset()
    excluded: str = ""
    answered: bool = False
    counter: int = 0
    segments: int = 0
    unsettled: datetime | None = None
    pauses: dict[str, Pause] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)
    erasing: frozenset[str] = frozenset()
    unheard_since: datetime | None = None
    left_at: datetime | None = None
    ended_at: datetime | None = None
    told_at: datetime | None = None
    mixing: Mixing | None = None
    clock_off: timedelta = timedelta()
    off_why: str = ""
    lent: dict[str, Made] = field(default_factory=dict)
    deaf: frozenset[str] = frozenset()
    rests: frozenset[tuple[str, str]] = frozenset()

    @property
    def over(self) -> bool:
        """Whether nothing of this call needs the recorder any more."""
        return self.ended_at is not None and not self.captures


def marks_of(leg: Leg) -> Marks:
    """Return the marks that one leg brings to its call."""
    asked = leg.carried.consent is not Consent.NOT_REQUIRED
    by = ConsentBy.OUR_IVR if asked else ConsentBy.NOBODY
    return Marks(leg.carried.consent, by, leg.carried.evidence_id, leg.carried.presented_to)


def has_consented(call: CallState, leg: Leg) -> bool:
    """Tell whether the party on this leg said yes to being recorded, to us or on a trusted route.

    Who was dialled said yes to nobody: such a leg has inherited the variables of the one that dialled it.
    """
    return leg.originating and marks_in_force(marks_of(leg), call.policy).consent is Consent.GIVEN


def effective_marks(call: CallState) -> Marks:
    """Return the marks in force: the sticky ones and every living leg's, the strictest winning.

    What a group asks of a leg is worked out for each leg before they are joined: one caller's consent must not wash
    off what a group requires of another.
    """
    marks = call.sticky
    for leg in call.legs.values():
        marks = marks.merged(marks_in_force(marks_of(leg), call.policy))
    return marks


def stick(call: CallState, leg: Leg) -> CallState:
    """Let what must not be washed off stay with the call: refusals at once, all else when its leg is gone."""
    brought = marks_in_force(marks_of(leg), call.policy)
    final = brought.consent in (Consent.REFUSED, Consent.WITHDRAWN)
    gone = leg.channel not in call.legs
    if not (final or gone):
        return replace(call, sticky=call.sticky.merged(Marks(presented_to=brought.presented_to)))
    return replace(call, sticky=call.sticky.merged(brought))


def merge_calls(older: CallState, younger: CallState) -> CallState:
    """Return the one call that two became (attended transfer): the older lives on, with the marks of both.

    The direct number that either was called on stays known. What users had switched stays theirs; where both calls
    hold a decision for a user it is asked anew.
    """
    return replace(
        older,
        linkedids=older.linkedids + tuple(i for i in younger.linkedids if i not in older.linkedids),
        sticky=older.sticky.merged(younger.sticky),
        marks=older.marks.merged(younger.marks),
        excluded=older.excluded or younger.excluded,
        off_at_start=older.off_at_start,
        ddi=older.ddi if older.ddi.raw else younger.ddi,
        legs=older.legs | younger.legs,
        switches=younger.switches | older.switches,
        pressed=younger.pressed | older.pressed,
        decided=older.decided,
        captures=younger.captures | older.captures,
        pauses=younger.pauses | older.pauses,
        made=younger.made | older.made,
        erasing=older.erasing | younger.erasing,
        announced=older.announced | younger.announced,
        lent=younger.lent | older.lent,
        deaf=older.deaf | younger.deaf,
        rests=older.rests | younger.rests,
        answered=older.answered or younger.answered,
        counter=max(older.counter, younger.counter),
        unsettled=max(filter(None, (older.unsettled, younger.unsettled)), default=None),
    )
