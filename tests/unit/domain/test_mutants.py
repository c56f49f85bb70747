"""Every rule, and every thing a rule leans on, is broken on purpose: the cases must notice.

A mutant that no case notices means that a rule may be broken without a test turning red.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from decision_cases import all_cases

from pbx_plugin.domain import call as call_module
from pbx_plugin.domain import decide as decide_module
from pbx_plugin.domain import emergency as emergency_module
from pbx_plugin.domain.call import Consent, ConsentBy, Marks, Number, Switch
from pbx_plugin.domain.decide import RULES, Circumstances, Finding, Rule
from pbx_plugin.domain.decision import Decision, Verdict
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.policy import Announce, GroupPolicy


def noticed_by() -> list[str]:
    """Return the names of the cases that fail, or raise, as the code is now."""
    failed = []
    for case in all_cases():
        try:
            case.check()
        except (AssertionError, IndexError, KeyError):
            failed.append(case.name)
    return failed


def test_no_case_fails_on_the_rules_as_they_are() -> None:
    assert noticed_by() == []


def judged(rule: Rule, judge: Callable[[Circumstances], Finding]) -> Rule:
    return replace(rule, judge=judge)


def put(rule: Rule) -> tuple[Rule, ...]:
    return (*RULES[: rule.number - 1], rule, *RULES[rule.number :])


def dropped(rule: Rule) -> tuple[Rule, ...]:
    return tuple(other for other in RULES if other is not rule)


def blind(rule: Rule) -> tuple[Rule, ...]:
    return put(judged(rule, lambda case: (None, "blind")))


def greedy(rule: Rule) -> tuple[Rule, ...]:
    return put(judged(rule, lambda case: (rule.judge(case)[0] or Verdict.NEVER, "greedy")))


def lenient(rule: Rule) -> tuple[Rule, ...]:
    """Let a rule that matches give another verdict: what it forbids is recorded, what it records is not."""

    def judge(case: Circumstances) -> Finding:
        verdict, why = rule.judge(case)
        other = Verdict.NO if verdict is Verdict.RECORD else Verdict.RECORD
        return (other if verdict else None), why

    return put(judged(rule, judge))


def swapped(rule: Rule) -> tuple[Rule, ...]:
    rules = list(RULES)
    rules[rule.number - 1 : rule.number + 1] = reversed(rules[rule.number - 1 : rule.number + 1])
    return tuple(rules)


@pytest.mark.parametrize("mutant", [dropped, blind, lenient])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"rule {rule.number}")
def test_a_rule_that_is_dropped_blind_or_lenient(
    monkeypatch: pytest.MonkeyPatch, rule: Rule, mutant: Callable[[Rule], tuple[Rule, ...]]
) -> None:
    monkeypatch.setattr(decide_module, "RULES", mutant(rule))
    assert f"rule {rule.number} alone" in noticed_by()


@pytest.mark.parametrize("rule", RULES[:-1], ids=lambda rule: f"rule {rule.number}")
def test_a_rule_that_always_matches(monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    monkeypatch.setattr(decide_module, "RULES", greedy(rule))
    assert f"rule {rule.number + 1} alone" in noticed_by()


@pytest.mark.parametrize("rule", RULES[:-1], ids=lambda rule: f"rule {rule.number}")
def test_two_rules_that_change_places(monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    monkeypatch.setattr(decide_module, "RULES", swapped(rule))
    assert f"rule {rule.number} before rule {rule.number + 1}" in noticed_by()


_marks_in_force, _merged, _strictest = decide_module.marks_in_force, Marks.merged, call_module.strictest
_on_demand, _decision = decide_module._on_demand, decide_module._decision
_match, _build = ExclusionIndex.match, ExclusionIndex.build
_is_emergency, _presented_to = emergency_module.is_emergency, Circumstances.presented_to


def with_field(**changes: Any) -> Callable[..., Decision]:
    return lambda *args: replace(_decision(*args), **changes)


def only_first_group(self: Circumstances, *policies: GroupPolicy) -> str:
    return self.groups[0][0] if self.groups and self.groups[0][1] in policies else ""


def only_last_group(self: Circumstances, *policies: GroupPolicy) -> str:
    return self.groups[-1][0] if self.groups and self.groups[-1][1] in policies else ""


def trusted_lifts(*lifted: Consent) -> Callable[..., Marks]:
    def mutant(marks: Marks, policy: Any) -> Marks:
        trusted = any(policy.groups.get(group) is GroupPolicy.TRUSTED_ROUTE for group in marks.presented_to)
        if trusted and marks.consent in lifted:
            return replace(marks, consent=Consent.GIVEN, consent_by=ConsentBy.TRUSTED_ROUTE)
        return _marks_in_force(marks, policy)

    return mutant


def prefix_emergency(number: Number, numbers: tuple[str, ...], country: str, *, outgoing: bool) -> bool:
    return _is_emergency(number, numbers, country, outgoing=outgoing) or number.raw.startswith(numbers)


def without(field: str) -> property:
    """Return everybody but some of them."""
    everybody = vars(Circumstances)["everybody"].fget

    def mutant(self: Circumstances) -> Any:
        found = everybody(self)
        return {"user": found[1:], "second": found[:2], "others": found[:1], "dialled": (found[0], *self.facts.others)}[
            field
        ]

    return property(mutant)


D, C = decide_module, Circumstances
MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "the laxest party wins": (call_module, "strictest", lambda a, b: a if _strictest(a, b) is b else b),
    "merged marks forget the other call's groups": (
        Marks, "merged", lambda self, other: replace(_merged(self, other), presented_to=self.presented_to)),
    "merged marks forget the other call's consent": (
        Marks, "merged", lambda self, other: replace(_merged(self, other), consent=self.consent)),
    "a trusted route lifts a refusal": (D, "marks_in_force", trusted_lifts(Consent.REFUSED)),
    "a trusted route lifts a withdrawal": (D, "marks_in_force", trusted_lifts(Consent.WITHDRAWN)),
    "a trusted route lifts a requirement": (D, "marks_in_force", trusted_lifts(Consent.REQUIRED)),
    "groups do not change consent": (D, "marks_in_force", lambda marks, policy: marks),
    "a trusted route counts as proven": (
        D, "marks_in_force", lambda marks, policy: (
            replace(m, consent_by=ConsentBy.OUR_IVR, evidence_id="e") if (m := _marks_in_force(marks, policy)).consent
            is Consent.GIVEN else m)),
    "only the first group counts": (C, "presented_to", only_first_group),
    "only the last group counts": (C, "presented_to", only_last_group),
    "nobody is told": (D, "_announcement", lambda *_: None),
    "everybody is told": (D, "_announcement", lambda case, _: case.policy.announce),
    "told by default, whatever the policy": (
        D, "_announcement", lambda case, _: case.policy.announce and Announce.OR_DO_NOT_RECORD),
    "the switch is ignored by on demand": (
        D, "RULES", put(judged(RULES[11], lambda case: _on_demand(
            replace(case, facts=replace(case.facts, switch=Switch.UNTOUCHED)))))),
    "the switch is ignored by groups and departments": (C, "stopped", property(lambda self: False)),
    "the switch stops groups and departments for anyone": (
        C, "stopped", property(lambda self: self.facts.switch is Switch.OFF)),
    "anyone may stop": (C, "may_stop", property(lambda self: True)),
    "nobody may stop": (C, "may_stop", property(lambda self: False)),
    "everything may be switched on": (D, "_decision", with_field(may_switch_on=True)),
    "nothing may be switched on": (D, "_decision", with_field(may_switch_on=False)),
    "everything may be switched off": (D, "_decision", with_field(may_switch_off=True)),
    "nothing may be switched off": (D, "_decision", with_field(may_switch_off=False)),
    "everybody may pause": (D, "_decision", with_field(may_pause=True)),
    "nobody may pause": (D, "_decision", with_field(may_pause=False)),
    "everything may be deleted by hand": (D, "_decision", with_field(deletable_by_hand=True)),
    "nothing may be deleted by hand": (D, "_decision", with_field(deletable_by_hand=False)),
    "the exclusion is not told": (D, "_decision", with_field(excluded="")),
    "the user's own exclusion is ignored": (C, "everybody", without("user")),
    "only the first other party is looked up": (C, "everybody", without("second")),
    "only the user is looked up": (C, "everybody", without("others")),
    "the number dialled is not looked up": (C, "everybody", without("dialled")),
    "exclusions never expire": (
        ExclusionIndex, "build", lambda exclusions, at: _build([replace(e, expires_at=None) for e in exclusions], at)),
    "prefixes are whole numbers": (
        ExclusionIndex, "build", lambda exclusions, at: _build([replace(e, prefix=False) for e in exclusions], at)),
    "whole numbers are prefixes": (
        ExclusionIndex, "build",
        lambda exclusions, at: _build([replace(e, pattern=e.pattern[:-2], prefix=True) for e in exclusions], at)),
    "users are not excluded": (
        ExclusionIndex, "build", lambda exclusions, at: _build([replace(e, user_id="") for e in exclusions], at)),
    "national spellings are not excluded": (ExclusionIndex, "match", lambda self, who, country: _match(self, who, "")),
    "longer numbers are emergencies": (D, "is_emergency", prefix_emergency),
    "trunks deliver emergencies": (
        D, "is_emergency", lambda n, numbers, country, *, outgoing: _is_emergency(n, numbers, country, outgoing=True)),
    "no outside line": (
        D, "is_emergency", lambda n, numbers, country, *, outgoing: _is_emergency(n, numbers, country, outgoing=False)),
    "the standard list only": (
        D, "is_emergency", lambda n, numbers, country, *, outgoing: _is_emergency(
            n, ("112",), country, outgoing=outgoing)),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_part_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    where, attribute, mutant = MUTANTS[name]
    monkeypatch.setattr(where, attribute, mutant)
    assert noticed_by() != []
