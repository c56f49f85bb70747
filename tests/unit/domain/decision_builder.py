"""Builds the facts of calls for tests: a plain call, and what varies on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pbx_plugin.domain import decide as decide_module
from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Marks, Mode, Number, Party, User
from pbx_plugin.domain.decision import Decision, Facts
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.policy import Exclusion, GroupPolicy, PolicyVersion

AT = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
CALLER = Number("31200118", "+4531200118")
DDI = Number("33445566", "+4533445566")

GROUPS = {
    "plain": GroupPolicy.NOT_APPLICABLE,
    "sales": GroupPolicy.ALWAYS,
    "recorded": GroupPolicy.CONSENT_IVR,
    "trusted": GroupPolicy.TRUSTED_ROUTE,
    "unrecorded": GroupPolicy.NEVER,
}


def a_user(mode: Mode = Mode.ON_DEMAND, **more: Any) -> User:
    """Return Mia, enrolled, on extension 101."""
    known: dict[str, Any] = {"id": "mia", "tenant_id": "acme", "name": "Mia", "extension": "101", "enrolled": True}
    return User(**{**known, "mode": mode, **more})


def a_colleague(mode: Mode = Mode.ON_DEMAND, **more: Any) -> User:
    """Return Bo, enrolled, on extension 102."""
    return a_user(mode, **{"id": "bo", "name": "Bo", "extension": "102", **more})


def outsider(raw: str, e164: str = "") -> Party:
    """Return somebody outside the company."""
    return Party(Number(raw, e164))


def inside(user: User) -> Party:
    """Return a user as the other party of a call."""
    return Party(Number(user.extension, user.ddi), user)


@dataclass(frozen=True)
class Situation:
    """One question to the rules. Methods return a changed copy."""

    facts: Facts
    policy: PolicyVersion = field(default_factory=lambda: PolicyVersion("acme", 4, groups=dict(GROUPS)))
    exclusions: tuple[Exclusion, ...] = ()

    def decide(self) -> Decision:
        """Ask the rules."""
        return decide_module.decide(self.facts, self.policy, ExclusionIndex.build(self.exclusions, AT))

    def but(self, **facts: Any) -> Situation:
        """Change facts."""
        return replace(self, facts=replace(self.facts, **facts))

    def user(self, **changes: Any) -> Situation:
        """Change the user."""
        return self.but(user=replace(self.facts.user, **changes))

    def under(self, **policy: Any) -> Situation:
        """Change the policy."""
        return replace(self, policy=replace(self.policy, **policy))

    def excluding(self, *exclusions: Exclusion | str) -> Situation:
        """Add exclusions; a text is a number."""
        new = tuple(Exclusion(f"no {e}", e) if isinstance(e, str) else e for e in exclusions)
        return replace(self, exclusions=self.exclusions + new)

    def consent(self, consent: Consent, by: ConsentBy = ConsentBy.OUR_IVR, evidence: str = "evidence-1") -> Situation:
        """Change where consent stands."""
        return self.but(marks=replace(self.facts.marks, consent=consent, consent_by=by, evidence_id=evidence))

    def through(self, *groups: str) -> Situation:
        """Present the call to groups, after those it was presented to before."""
        return self.but(marks=replace(self.facts.marks, presented_to=(*self.facts.marks.presented_to, *groups)))


def incoming(mode: Mode = Mode.ON_DEMAND, **facts: Any) -> Situation:
    """Return a call from outside to Mia that no policy speaks of."""
    known: dict[str, Any] = {"others": (Party(CALLER),), "ddi": DDI, "dialled": DDI}
    return Situation(Facts(a_user(mode), Direction.INCOMING, **{**known, **facts}))


def outgoing(mode: Mode = Mode.ON_DEMAND, dialled: str = "31200118", e164: str = "", **facts: Any) -> Situation:
    """Return a call of Mia's to outside."""
    known: dict[str, Any] = {"others": (outsider(dialled, e164),), "dialled": Number(dialled, e164)}
    return Situation(Facts(a_user(mode), Direction.OUTGOING, **{**known, **facts}))


def internal(user: User, other: User, **facts: Any) -> Situation:
    """Return a call between two users as the first sees it."""
    known: dict[str, Any] = {"others": (inside(other),), "dialled": Number(other.extension)}
    return Situation(Facts(user, Direction.INTERNAL, **{**known, **facts}))


def joined(one: Situation, other: Situation, others: Sequence[Party] | None = None) -> Situation:
    """Return what the first user is in when the two calls become one: the marks of both, and all the other parties."""
    parties = tuple(others) if others is not None else (*one.facts.others, *other.facts.others)
    in_force = decide_module.marks_in_force
    marks: Marks = in_force(one.facts.marks, one.policy).merged(in_force(other.facts.marks, other.policy))
    merged = one.but(marks=marks, others=parties, excluded=one.facts.excluded or other.facts.excluded)
    return replace(merged, exclusions=tuple(dict.fromkeys((*one.exclusions, *other.exclusions))))
