"""What goes into a decision and what comes out: the facts of one user's part in a call, verdict and trace.

The function that decides is :func:`pbx_plugin.domain.decide.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Marks, Number, Party, Switch, User
from pbx_plugin.domain.policy import Announce


class Verdict(StrEnum):
    """What the rules say of one user's recording."""

    RECORD = "record"
    ARMED = "armed"
    NO = "no"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one user's part in a call, as it was when the call reached them.

    ``others`` are the far end of the conversation (never the transferor): one party in a two-party call, several in
    a conference or three-way call. ``ddi`` is the first number an incoming caller dialled, kept to the end.
    ``dialled`` is the number this user (or a party of this call) dialled, for the emergency rule.
    ``off_at_start`` was judged once, when the call began: recording switched off, or outside the schedule; ``off_why``
    says in plain words what it was judged by, with the local time where there is a schedule.
    ``consented`` says whether everybody outside has said yes themselves; None where it is not known who did (calls of
    earlier versions): then it was the one party outside, and of two not both. ``announced`` says that everybody
    outside was told, but for those who said yes.
    ``excluded`` is the id of an exclusion that barred this call before (:attr:`Decision.excluded`): it stays for the
    call's life, whoever left since and whatever number is shown now.
    """

    user: User
    direction: Direction
    others: tuple[Party, ...]
    ddi: Number = field(default_factory=Number)
    dialled: Number = field(default_factory=Number)
    marks: Marks = field(default_factory=Marks)
    switch: Switch = Switch.UNTOUCHED
    off_at_start: bool = False
    announced: bool = False
    excluded: str = ""
    off_why: str = ""
    consented: bool | None = None


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One rule that was looked at: its number and name, whether it matched, and why (in plain words)."""

    rule: int
    name: str
    matched: bool
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The result for one user of one call. ``trace`` holds every rule up to and including the one that won.

    ``announce`` is ``None`` when nobody needs to be told before recording may start (no external party, or told, or
    consented). ``may_switch_on`` / ``may_switch_off`` / ``may_pause`` say what the user's codes may do from here.
    ``consent``, ``consent_by`` and ``evidence_id`` are the consent in force, which groups that the call was presented
    to may have changed. ``excluded`` names the exclusion when rule 2 won: it is to stay with the call.
    """

    verdict: Verdict
    rule: int
    rule_name: str
    policy_version: int
    trace: tuple[TraceStep, ...]
    announce: Announce | None = None
    deletable_by_hand: bool = True
    may_switch_on: bool = False
    may_switch_off: bool = False
    may_pause: bool = False
    consent: Consent = Consent.NOT_REQUIRED
    consent_by: ConsentBy = ConsentBy.NOBODY
    evidence_id: str = ""
    excluded: str = ""

    @property
    def consent_proven(self) -> bool:
        """Whether the caller said yes to our own IVR, and the evidence of it is on file."""
        given = self.consent is Consent.GIVEN and self.consent_by is ConsentBy.OUR_IVR
        return given and bool(self.evidence_id)
