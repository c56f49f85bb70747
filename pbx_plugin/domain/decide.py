"""Decides one user's recording: thirteen rules in order, the first that matches wins, and every step is explained.

The rules are a table of small functions, :data:`RULES`. Each looks at the :class:`Circumstances` and answers with a
verdict, or with None, and in either case with the reason in plain words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Marks, Mode, Number, Party, Switch, User
from pbx_plugin.domain.decision import Decision, Facts, TraceStep, Verdict
from pbx_plugin.domain.emergency import is_emergency
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.numbers import number_key
from pbx_plugin.domain.policy import UNDEFINED_DEPARTMENT, Announce, GroupPolicy, PolicyVersion, announce_for


@dataclass(slots=True)
class Circumstances:
    """What the rules look at. ``marks`` are those in force; ``groups`` what the policy says of the groups, in order."""

    facts: Facts
    policy: PolicyVersion
    exclusions: ExclusionIndex
    marks: Marks
    groups: tuple[tuple[str, GroupPolicy], ...]

    def presented_to(self, *policies: GroupPolicy) -> str:
        """Return the first group with one of these policies that the call was presented to, or an empty string."""
        for group, policy in self.groups:
            if policy in policies:
                return group
        return ""

    @property
    def everybody(self) -> tuple[User | Party | Number, ...]:
        """Return all whose voice may be barred: the user, the others, and whom an outgoing call was dialled to."""
        facts = self.facts
        dialled = (facts.dialled,) if facts.direction is Direction.OUTGOING else ()
        return (facts.user, *facts.others, *dialled)

    @property
    def may_stop(self) -> bool:
        """Whether this user may switch off what rules 9 and 11 record."""
        return self.facts.user.mode is Mode.ON_DEMAND and self.policy.can_switch_off

    @property
    def stopped(self) -> bool:
        """Whether this user has done so."""
        return self.facts.switch is Switch.OFF and self.may_stop


Finding = tuple[Verdict | None, str]
"""A rule's answer: its verdict, or None when it does not match; and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the rule table."""

    number: int
    name: str
    judge: Callable[[Circumstances], Finding]


def decide(facts: Facts, policy: PolicyVersion, exclusions: ExclusionIndex) -> Decision:
    """Return the decision for one user's part in a call, with every rule that was looked at.

    Pure: the same arguments give the same decision. Total: any facts give one. ``exclusions`` were indexed at the
    time of the question; ``policy`` is the version that was in force when the call began.
    """
    marks = facts.marks
    case = Circumstances(facts, policy, exclusions, marks_in_force(marks, policy), _groups(marks.presented_to, policy))
    trace: list[TraceStep] = []
    for rule in RULES:
        verdict, why = rule.judge(case)
        trace.append(_step(rule.number, rule.name, verdict is not None, why))
        if verdict is not None:
            return _decision(case, rule, verdict, tuple(trace))
    raise AssertionError("the last rule matches everything")


def marks_in_force(marks: Marks, policy: PolicyVersion) -> Marks:
    """Return a call's marks with what its groups make of the consent. Doing it twice changes nothing.

    A group *with consent via IVR* makes consent required where it was not, and does not take a trusted route's word
    for it. A trusted route makes consent given (unproven) where none was required; it never lifts a requirement, a
    refusal or a withdrawal. Marks of calls that become one are to be merged in this form, so that the consent of one
    caller is not taken for that of the other.
    """
    if not marks.presented_to:
        return marks
    policies = {policy.groups.get(group) for group in marks.presented_to}
    unproven = marks.consent is Consent.GIVEN and marks.consent_by is ConsentBy.TRUSTED_ROUTE
    if GroupPolicy.CONSENT_IVR in policies and (marks.consent is Consent.NOT_REQUIRED or unproven):
        return replace(marks, consent=Consent.REQUIRED, consent_by=ConsentBy.OUR_IVR)
    if GroupPolicy.TRUSTED_ROUTE in policies and marks.consent is Consent.NOT_REQUIRED:
        return replace(marks, consent=Consent.GIVEN, consent_by=ConsentBy.TRUSTED_ROUTE)
    return marks


def _groups(presented_to: tuple[str, ...], policy: PolicyVersion) -> tuple[tuple[str, GroupPolicy], ...]:
    if not presented_to:
        return ()
    return tuple((group, policy.groups.get(group, GroupPolicy.NOT_APPLICABLE)) for group in presented_to)


def _decision(case: Circumstances, rule: Rule, verdict: Verdict, trace: tuple[TraceStep, ...]) -> Decision:
    facts = case.facts
    recording = verdict is Verdict.RECORD
    return Decision(
        verdict=verdict,
        rule=rule.number,
        rule_name=rule.name,
        policy_version=case.policy.number,
        trace=trace,
        announce=_announcement(case, rule.number) if verdict in (Verdict.RECORD, Verdict.ARMED) else None,
        deletable_by_hand=rule.number != 7,
        may_switch_on=verdict is Verdict.ARMED and facts.user.mode is Mode.ON_DEMAND,
        may_switch_off=recording and ((rule.number in (9, 11) and case.may_stop) or rule.number == 12),
        may_pause=recording and facts.user.may_pause,
        consent=case.marks.consent,
        consent_by=case.marks.consent_by,
        evidence_id=case.marks.evidence_id,
        excluded=_excluded(case) if rule.number == 2 else "",
    )


def _announcement(case: Circumstances, rule: int) -> Announce | None:
    """Return how the outside must be told, or None when it was, or consented, or nobody is outside.

    One caller's consent is not another's, also not after that caller has left: who has not said yes is told. A call
    across the company's border whose far end is not known counts as one with somebody outside.
    """
    facts = case.facts
    outside = 0
    for party in facts.others:
        outside += party.user is None
    if not facts.others and facts.direction is not Direction.INTERNAL:
        outside = 1
    by_all = outside == 1 if facts.consented is None else facts.consented
    consented = case.marks.consent is Consent.GIVEN and by_all
    if not outside or consented or facts.announced:
        return None
    return announce_for(case.policy, rule, facts.direction)


@lru_cache(maxsize=8192)
def _step(rule: int, name: str, matched: bool, why: str) -> TraceStep:
    """Return a step of the trace; most steps of most calls are the same few."""
    return TraceStep(rule, name, matched, why)


def _emergency(case: Circumstances) -> Finding:
    facts, policy = case.facts, case.policy
    outgoing = facts.direction is Direction.OUTGOING
    for number in (facts.dialled, *(party.number for party in facts.others)):
        if is_emergency(number, policy.emergency_numbers, policy.country, outgoing=outgoing):
            return Verdict.NEVER, f"{number} is an emergency number"
    return None, "no emergency number was dialled or is on the call"


def _exclusion(case: Circumstances) -> Finding:
    if case.facts.excluded:
        return Verdict.NEVER, "an excluded number or user was on this call, and that stays with it"
    for who in case.everybody:
        found = case.exclusions.match(who, case.policy.country)
        if found is not None:
            reason = f" ({found.reason})" if found.reason else ""
            return Verdict.NEVER, f"{_called(who)} is in the excluded list{reason}"
    return None, "nobody on the call is in the excluded list"


def _excluded(case: Circumstances) -> str:
    """Return the id of the exclusion that bars the call, empty when none does."""
    if case.facts.excluded:
        return case.facts.excluded
    found = (case.exclusions.match(who, case.policy.country) for who in case.everybody)
    return next((exclusion.id for exclusion in found if exclusion), "")


def _called(who: User | Party | Number) -> str:
    if isinstance(who, Party):
        return _called(who.user or who.number)
    return str(who) if isinstance(who, Number) else f"user {who.name or who.id}"


def _refused(case: Circumstances) -> Finding:
    if case.marks.consent is Consent.REFUSED:
        return Verdict.NEVER, "consent to recording was refused, and that stays with the call"
    if case.marks.consent is Consent.WITHDRAWN:
        return Verdict.NEVER, "consent to recording was withdrawn, and that stays with the call"
    group = case.presented_to(GroupPolicy.NEVER)
    if group:
        return Verdict.NEVER, f"the call was presented to group {group}, which is never recorded (refused via IVR)"
    return None, "consent was neither refused nor withdrawn, and no group on the way is for those who refused"


def _unconsented(case: Circumstances) -> Finding:
    if case.marks.consent is Consent.REQUIRED:
        group = case.presented_to(GroupPolicy.CONSENT_IVR)
        asked = f" (group {group} is recorded with consent only)" if group else ""
        return Verdict.NEVER, f"consent is required and was not given{asked}"
    if case.marks.consent is Consent.NOT_REQUIRED:
        return None, "consent is not required on this call"
    unproven = case.marks.consent_by is ConsentBy.TRUSTED_ROUTE
    return None, "consent was given by a trusted route, unproven" if unproven else "consent was given"


def _never_user(case: Circumstances) -> Finding:
    user = case.facts.user
    if not user.enrolled:
        return Verdict.NEVER, "the user is not enrolled for recording"
    if user.mode is Mode.NEVER:
        return Verdict.NEVER, "the user's own mode is never"
    return None, f"the user is enrolled, and their mode is {user.mode}"


def _switched_off(case: Circumstances) -> Finding:
    said = f": {case.facts.off_why}" if case.facts.off_why else ""
    if case.facts.off_at_start or case.policy.recording_off:
        return Verdict.NEVER, f"recording was off when the call began{said}"
    return None, f"recording was on when the call began{said}"


def _whitelisted_number(case: Circumstances) -> Finding:
    ddi = case.facts.ddi
    key = ddi.e164 or number_key(ddi.raw)
    if not key:
        return None, "no direct number was dialled"
    if key in case.policy.whitelisted_ddis:
        return Verdict.RECORD, f"calls to the direct number {key} are always recorded"
    return None, f"the direct number {key} is not whitelisted"


def _whitelisted_group(case: Circumstances) -> Finding:
    group = case.presented_to(GroupPolicy.ALWAYS)
    if group:
        return Verdict.RECORD, f"the call was presented to group {group}, which is always recorded"
    return None, "the call was not presented to a group that is always recorded"


def _consented_group(case: Circumstances) -> Finding:
    group = case.presented_to(GroupPolicy.CONSENT_IVR, GroupPolicy.TRUSTED_ROUTE)
    if not group:
        return None, "the call was not presented to a group that is recorded with consent"
    if case.marks.consent is not Consent.GIVEN:
        return None, f"group {group} is recorded with consent, which was not given"
    if case.stopped:
        return None, f"group {group} is recorded with consent, but the user switched recording off"
    unproven = " by a trusted route, unproven" if case.marks.consent_by is ConsentBy.TRUSTED_ROUTE else ""
    return Verdict.RECORD, f"the call was presented to group {group}, and the caller's consent was given{unproven}"


def _always_user(case: Circumstances) -> Finding:
    if case.facts.user.mode is Mode.ALWAYS:
        return Verdict.RECORD, "the user's own mode is always"
    return None, f"the user's own mode is {case.facts.user.mode}, not always"


def _department(case: Circumstances) -> Finding:
    direction = case.facts.direction
    rule = case.policy.departments.get(direction)
    if rule is None or not rule.covers(case.facts.user.department_id):
        return None, f"{direction} calls of the user's department are not recorded by policy"
    if case.stopped:
        return None, f"{direction} calls of the user's department are recorded, but the user switched recording off"
    undefined = " (Undefined)" if case.facts.user.department_id == UNDEFINED_DEPARTMENT else ""
    return Verdict.RECORD, f"{direction} calls of the user's department{undefined} are recorded by policy"


def _on_demand(case: Circumstances) -> Finding:
    if case.facts.user.mode is not Mode.ON_DEMAND:
        return None, f"the user's own mode is {case.facts.user.mode}, not on demand"
    if case.facts.switch is Switch.ON:
        return Verdict.RECORD, "the user is on demand, and switched recording on"
    did = "switched it off" if case.facts.switch is Switch.OFF else "did not switch it on"
    return Verdict.ARMED, f"the user is on demand, and {did}"


def _nothing(_case: Circumstances) -> Finding:
    return Verdict.NO, "no rule asks for a recording"


RULES: tuple[Rule, ...] = (
    Rule(1, "emergency number", _emergency),
    Rule(2, "excluded", _exclusion),
    Rule(3, "consent refused or withdrawn", _refused),
    Rule(4, "consent required and not given", _unconsented),
    Rule(5, "user not enrolled or in mode never", _never_user),
    Rule(6, "recording off", _switched_off),
    Rule(7, "whitelisted direct number", _whitelisted_number),
    Rule(8, "group always recorded", _whitelisted_group),
    Rule(9, "group recorded with consent", _consented_group),
    Rule(10, "user in mode always", _always_user),
    Rule(11, "department policy", _department),
    Rule(12, "user on demand", _on_demand),
    Rule(13, "nothing applies", _nothing),
)
"""The rule table. The first rule that answers with a verdict wins; the last always does."""
