"""What would a policy have done? Calls of the past are decided anew, by what was stored of them then.

Nothing is looked up again: people, numbers, marks and switches are as they were, and so is the excluded list, which no
policy says anything of. What the stored facts cannot answer is counted as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

from pbx_plugin.domain.call import Consent, ConsentBy, Marks
from pbx_plugin.domain.decide import RULES, decide
from pbx_plugin.domain.decision import Decision, Facts, Verdict
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.explain import facts_from_dict
from pbx_plugin.domain.policy import GroupPolicy, PolicyVersion
from pbx_plugin.domain.schedule import standing
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import UNDEFINED

EXAMPLES = 10
ALIKE = 2
"""Examples of each kind, and of those at most so many of one department and rule."""

_NOBODY_EXCLUDED = ExclusionIndex.build((), datetime.min.replace(tzinfo=UTC))
_EXCLUDED_RULE = 2
_OFF_RULE = 6
_ASKED_BY_WHOM = "whether consent was required by the number dialled, or only by a group's policy of then"


class StoredDecision(NamedTuple):
    """A decision as it was stored; ``facts`` as :func:`pbx_plugin.domain.explain.facts_as_dict` made them."""

    user_id: str
    verdict: str
    rule: int
    policy_version: int
    facts: Mapping[str, Any]


class StoredCall(NamedTuple):
    """A call that began at ``began_at`` (UTC), with its decisions in the order in which they were taken."""

    call_id: str
    began_at: datetime
    decisions: tuple[StoredDecision, ...]


@dataclass(slots=True)
class Tally:
    """Users' parts in calls: how many were recorded, would be, and would have been but for want of consent."""

    parts: int = 0
    recorded: int = 0
    would_be: int = 0
    gained: int = 0
    lost: int = 0
    without_consent: int = 0
    unanswerable: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """One user's part in a call, as it was decided then and would be now."""

    call_id: str
    at: datetime
    user: str
    department: str
    direction: str
    then: str
    now: str
    why: str


@dataclass(slots=True)
class Trial:
    """Takes calls by :meth:`add`, in portions of any size; what it keeps of them does not grow with their number.

    ``versions`` are the policies that were in force, by number; ``zone`` is that of the policy's schedule.
    ``by_department`` is by department id, ``by_rule`` by the rule that records (or recorded, of what is lost).
    """

    policy: PolicyVersion
    versions: Mapping[int, PolicyVersion]
    zone: tzinfo | None = None
    calls: int = 0
    undecided: int = 0
    armed: int = 0
    total: Tally = field(default_factory=Tally)
    by_department: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_rule: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _alike: dict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, calls: Iterable[StoredCall]) -> None:
        """Decide these calls anew."""
        for call in calls:
            self.calls += 1
            if not call.decisions:
                self.undecided += 1
                continue
            off = self._off(call.began_at)
            parts: dict[str, list[StoredDecision]] = {}
            for decision in call.decisions:
                parts.setdefault(decision.user_id, []).append(decision)
            for decisions in parts.values():
                self._part(call, decisions, off=off)

    def _off(self, at: datetime) -> bool:
        schedule = self.policy.schedule
        if self.policy.recording_off or schedule is None or self.zone is None:
            return self.policy.recording_off or schedule is not None
        return not schedule.covers(at.astimezone(self.zone))

    def _part(self, call: StoredCall, decisions: list[StoredDecision], *, off: bool) -> None:
        recorded = next((d for d in decisions if d.verdict == Verdict.RECORD), None)
        then = recorded or decisions[-1]
        answers: list[tuple[Facts, Decision]] = []
        try:
            for decision in decisions:
                answer = self._anew(decision, off=off)
                if answer is None:
                    self._unanswerable(call, then, _ASKED_BY_WHOM)
                    return
                answers.append(answer)
        except (KeyError, ValueError, TypeError, AttributeError):
            self._unanswerable(call, then, "its facts were stored by another version of the program")
            return
        would = next((pair for pair in answers if pair[1].verdict is Verdict.RECORD), None)
        facts, now = would or answers[-1]
        department = facts.user.department_id
        missing = None if would else self._with_consent(answers)
        tallies = [self.total, self.by_department[department]]
        if recorded is not None:
            self.by_rule[recorded.rule].recorded += 1
        if would is not None:
            self.by_rule[now.rule].would_be += 1
        for tally in tallies:
            tally.parts += 1
            tally.recorded += recorded is not None
            tally.would_be += would is not None
        kind, rule = self._kind(recorded, now if would else None, missing)
        if kind:
            for tally in (*tallies, self.by_rule[rule]):
                setattr(tally, kind, getattr(tally, kind) + 1)
            if self._room_for(kind, rule, department):
                self.examples[kind].append(self._told(call, facts, then, now))
        if recorded is not None and any(answer.verdict is Verdict.ARMED for _, answer in answers) and would is None:
            self.armed += 1
        if missing is not None and kind != "without_consent":
            for tally in (*tallies, self.by_rule[missing]):
                tally.without_consent += 1
            if self._room_for("without_consent", missing, department):
                self.examples["without_consent"].append(self._told(call, facts, then, now))

    @staticmethod
    def _kind(recorded: StoredDecision | None, now: Decision | None, missing: int | None) -> tuple[str, int]:
        if recorded is not None and now is None:
            return "lost", recorded.rule
        if recorded is None and now is not None:
            return "gained", now.rule
        return ("without_consent", missing) if missing is not None else ("", 0)

    def _anew(self, stored: StoredDecision, *, off: bool) -> tuple[Facts, Decision] | None:
        """Return the facts and the decision that the policy makes of them, None where they do not say enough."""
        data = dict(stored.facts)
        data["off_at_start"], data["off_why"] = off, ""
        if stored.rule == _EXCLUDED_RULE:
            data["excluded"] = data["excluded"] or "then"
        facts = facts_from_dict(data)
        then = self.versions.get(stored.policy_version)
        marks, *others = marks_before_groups(facts.marks, then)
        if marks is not facts.marks:
            facts = replace(facts, marks=marks)
        now = decide(facts, self.policy, _NOBODY_EXCLUDED)
        for other in others:
            if decide(replace(facts, marks=other), self.policy, _NOBODY_EXCLUDED).verdict is not now.verdict:
                return None
        return facts, now

    def _with_consent(self, answers: list[tuple[Facts, Decision]]) -> int | None:
        """Return the rule that would record this part, were consent not missing; None where it is not for that."""
        for facts, now in answers:
            if now.rule in (3, 4):
                given = replace(facts.marks, consent=Consent.GIVEN, consent_by=ConsentBy.OUR_IVR, evidence_id="then")
                other = decide(replace(facts, marks=given), self.policy, _NOBODY_EXCLUDED)
                if other.verdict is Verdict.RECORD:
                    return other.rule
        return None

    def _unanswerable(self, call: StoredCall, then: StoredDecision, why: str) -> None:
        self.total.parts += 1
        self.total.recorded += then.verdict == Verdict.RECORD
        self.total.unanswerable += 1
        self.reasons[why] += 1
        if self._room_for("unanswerable", 0, ""):
            told = Example(call.call_id, call.began_at, "", "", "", f"{then.verdict} ({then.rule})", "", why)
            self.examples["unanswerable"].append(told)

    def _room_for(self, kind: str, rule: int, department: str) -> bool:
        """Take a place among the examples, if there is one left for such."""
        alike = (kind, department, rule)
        room = len(self.examples[kind]) < EXAMPLES and self._alike[alike] < ALIKE
        self._alike[alike] += room
        return room

    def _told(self, call: StoredCall, facts: Facts, then: StoredDecision, now: Decision) -> Example:
        policy = self.policy
        off = standing(recording_off=policy.recording_off, schedule=policy.schedule, at=call.began_at, zone=self.zone)
        return Example(
            call.call_id,
            call.began_at,
            facts.user.name or facts.user.extension,
            facts.user.department_id,
            facts.direction.value,
            f"{then.verdict} ({then.rule})",
            f"{now.verdict.value} ({now.rule} {now.rule_name})",
            off.why if now.rule == _OFF_RULE and off.why else now.trace[-1].why,
        )

    def as_dict(self, department: Mapping[str, str], rules: Mapping[int, str]) -> dict[str, Any]:
        """Return the result as JSON-able data; ``department`` and ``rules`` name departments and rules."""
        departments = {department.get(i, i): asdict(tally) for i, tally in self.by_department.items()}
        return {
            "calls": self.calls,
            "calls_without_decision": self.undecided,
            **asdict(self.total),
            "lost_but_armed": self.armed,
            "by_department": dict(sorted(departments.items())),
            "by_rule": [
                {"rule": rule, "name": rules.get(rule, ""), **_of_a_rule(tally)}
                for rule, tally in sorted(self.by_rule.items())
            ],
            "unanswerable_because": dict(self.reasons),
            "examples": {
                kind: [{**asdict(one), "department": department.get(one.department, one.department)} for one in found]
                for kind, found in self.examples.items()
            },
        }


def begin(desk: Desk, policy: PolicyVersion) -> Trial:
    """Return a trial of a policy on calls of the desk's company."""
    tenant = desk.tenant.id
    versions = {applied.version.number: applied.version for applied in desk.directory.policies(tenant)}
    zone = desk.directory.time_zone(policy.schedule.time_zone) if policy.schedule else None
    return Trial(policy, {0: PolicyVersion(tenant)} | versions, zone)


def result(desk: Desk, trial: Trial) -> dict[str, Any]:
    """Return what a trial found, as JSON-able data with names for ids; the keys are those of :meth:`Trial.as_dict`."""
    departments = {"": UNDEFINED} | {d.id: d.name for d in desk.directory.departments(desk.tenant.id)}
    return trial.as_dict(departments, {rule.number: rule.name for rule in RULES})


def marks_before_groups(marks: Marks, then: PolicyVersion | None) -> tuple[Marks, ...]:
    """Return what the marks may have been before the policy of ``then`` made of them what its groups ask.

    A trusted route is known for what it is. That consent is required may come from the number dialled as well as from
    a group *with consent via IVR*; unless somebody was asked, so that there is evidence, both may be.
    """
    if marks.consent_by is ConsentBy.TRUSTED_ROUTE:
        return (replace(marks, consent=Consent.NOT_REQUIRED, consent_by=ConsentBy.NOBODY),)
    if marks.consent is not Consent.REQUIRED or marks.evidence_id or not marks.presented_to:
        return (marks,)
    if then is not None and all(then.groups.get(group) is not GroupPolicy.CONSENT_IVR for group in marks.presented_to):
        return (marks,)
    return marks, replace(marks, consent=Consent.NOT_REQUIRED, consent_by=ConsentBy.NOBODY)


def _of_a_rule(tally: Tally) -> dict[str, int]:
    counted = asdict(tally)
    del counted["parts"], counted["unanswerable"]
    return counted
