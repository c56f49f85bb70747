"""The words of a call: who is on it, from which side, and what sticks to it.

Nothing here knows Asterisk: a *leg* is one channel, known by its id; how it got there is the recorder's concern.
All times are aware datetimes in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Direction(StrEnum):
    """A call's direction as one particular user sees it."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    INTERNAL = "internal"


class Mode(StrEnum):
    """A user's own recording mode (product row P2)."""

    NEVER = "never"
    ON_DEMAND = "on demand"
    ALWAYS = "always"


class Switch(StrEnum):
    """What a user did with the star code on this call."""

    UNTOUCHED = "untouched"
    ON = "on"
    OFF = "off"


class Consent(StrEnum):
    """Where the outside caller's consent stands; later members are stricter only by :func:`strictest`."""

    NOT_REQUIRED = "not required"
    GIVEN = "given"
    REQUIRED = "required"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ConsentBy(StrEnum):
    """Who asked: our own IVR (proven by evidence) or the company's own, on a trusted route (unproven)."""

    NOBODY = "nobody"
    OUR_IVR = "our IVR"
    TRUSTED_ROUTE = "trusted route"


_STRICTNESS = {
    Consent.NOT_REQUIRED: 0,
    Consent.GIVEN: 1,
    Consent.REQUIRED: 2,
    Consent.REFUSED: 3,
    Consent.WITHDRAWN: 4,
}


def strictest(one: Consent, other: Consent) -> Consent:
    """Return the consent state that binds when two calls become one: the strictest party wins."""
    return one if _STRICTNESS[one] >= _STRICTNESS[other] else other


@dataclass(frozen=True, slots=True)
class Marks:
    """What sticks to a call for its life: no transfer, overflow, pick-up or second leg washes it off.

    ``presented_to`` holds the ids of hunt groups the call was offered to, in order of presentation.
    ``evidence_id`` names the consent evidence, empty when there is none.
    """

    consent: Consent = Consent.NOT_REQUIRED
    consent_by: ConsentBy = ConsentBy.NOBODY
    evidence_id: str = ""
    presented_to: tuple[str, ...] = ()

    def merged(self, other: Marks) -> Marks:
        """Return the marks of two calls that became one. Commutative in what it forbids."""
        consent = strictest(self.consent, other.consent)
        source = self if consent == self.consent else other
        # Where both gave consent, the one that nobody can prove binds: a chain holds as its weakest link.
        if self.consent == other.consent and other.consent_by is ConsentBy.TRUSTED_ROUTE:
            source = other
        groups = self.presented_to + tuple(g for g in other.presented_to if g not in self.presented_to)
        return Marks(consent, source.consent_by, source.evidence_id, groups)


@dataclass(frozen=True, slots=True)
class User:
    """A person of the company, as they are at one moment.

    ``extension`` is the internal number, ``ddi`` the direct number in E.164 or empty; ``department_id`` is empty
    for the department "Undefined". ``devices`` are Asterisk endpoints such as ``PJSIP/101``.
    A user who is not enrolled counts as mode *never*.
    """

    id: str
    tenant_id: str
    name: str
    extension: str
    mode: Mode = Mode.NEVER
    enrolled: bool = False
    department_id: str = ""
    ddi: str = ""
    devices: tuple[str, ...] = ()
    may_pause: bool = False
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number as it was received (``raw``) and in E.164 where it can be had (else empty)."""

    raw: str = ""
    e164: str = ""

    def __str__(self) -> str:
        return self.e164 or self.raw


@dataclass(frozen=True, slots=True)
class Made:
    """A segment of a call that was recorded, and where its sound lies until it is finalised."""

    intended_at: datetime
    spool_in: str
    spool_out: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody outside, in another call, who is heard in this one too."""

    channel: str
    number: Number


@dataclass(frozen=True, slots=True)
class Mixing:
    """What other calls bring to a call while somebody's phone mixes them: two calls of one user, neither on hold.

    ``channels`` are the legs of such users in this call; ``marks`` and ``excluded`` are the other calls'. ``untold``
    are their people outside who have neither consented nor been told that they are recorded, ``told`` the channels of
    those who were. ``left_to_us`` are the channels of untold whom none of those calls is telling. ``recorded`` is what
    the other calls record meanwhile, by media: this call's voices are in it.
    """

    channels: frozenset[str]
    marks: Marks = field(default_factory=Marks)
    excluded: str = ""
    untold: tuple[Stranger, ...] = ()
    left_to_us: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    recorded: dict[str, Made] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Party:
    """One party of a conversation: a user of the company, or an outside number."""

    number: Number = field(default_factory=Number)
    user: User | None = None

    @property
    def external(self) -> bool:
        """Whether this party is outside the company."""
        return self.user is None
