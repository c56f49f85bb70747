"""The rules say of each call what the specification says."""

from __future__ import annotations

import time

import pytest
from decision_builder import AT, incoming, joined
from decision_case import Case
from decision_edges import announcement_cases, never_cases, record_cases
from decision_examples import nobody_is_decided_after_a_transfer_outside, worked_examples
from decision_rules import each_rule

from pbx_plugin.domain.call import Consent, Mode, Number, Party, Switch
from pbx_plugin.domain.decide import RULES, decide, marks_in_force
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.policy import Exclusion


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@named(worked_examples())
def test_worked_example(case: Case) -> None:
    case.check()


def test_worked_example_a_recorded_caller_is_blind_transferred_to_an_outside_number() -> None:
    assert nobody_is_decided_after_a_transfer_outside()


@named(each_rule())
def test_first_match_wins(case: Case) -> None:
    case.check()


@named(never_cases())
def test_what_must_not_be_recorded(case: Case) -> None:
    case.check()


@named(record_cases())
def test_what_is_recorded_and_who_may_switch_it(case: Case) -> None:
    case.check()


@named(announcement_cases())
def test_who_is_told(case: Case) -> None:
    case.check()


def test_the_rules_are_numbered_in_order() -> None:
    assert [rule.number for rule in RULES] == list(range(1, 14))


def test_every_rule_that_was_passed_over_says_why() -> None:
    trace = incoming(Mode.ALWAYS).decide().trace
    assert [step.rule for step in trace] == list(range(1, 11))
    assert [step.matched for step in trace] == [False] * 9 + [True]
    assert trace[6].why == "the direct number +4533445566 is not whitelisted"
    assert trace[9].why == "the user's own mode is always"


def test_the_reason_of_an_exclusion_is_told() -> None:
    decision = incoming().excluding(Exclusion("x", "+4531200118", reason="asked by letter")).decide()
    assert decision.trace[-1].why == "+4531200118 is in the excluded list (asked by letter)"


def test_a_switched_off_recording_says_which_rule_the_user_overruled() -> None:
    decision = incoming(switch=Switch.OFF).consent(Consent.GIVEN).through("recorded").decide()
    assert decision.trace[8].why == "group recorded is recorded with consent, but the user switched recording off"
    assert decision.trace[-1].why == "the user is on demand, and switched it off"


def test_merged_marks_keep_what_a_group_made_of_one_call() -> None:
    trusted = incoming().through("trusted")
    asked = incoming().through("recorded")
    assert joined(trusted, asked).facts.marks.consent is Consent.REQUIRED
    assert marks_in_force(marks_in_force(asked.facts.marks, asked.policy), asked.policy).consent is Consent.REQUIRED


def test_ten_thousand_exclusions_do_not_slow_a_decision_down() -> None:
    many = [Exclusion(str(n), f"+45{20_000_000 + 37 * n}") for n in range(10_000)]
    many += [Exclusion(f"p{n}", f"+46{n}", prefix=True) for n in range(10, 2000, 13)]
    index = ExclusionIndex.build(many, AT)
    base = incoming()
    calls = [base.but(others=(Party(Number("", f"+4531{n:06}")),)).facts for n in range(1000)]
    for facts in calls:
        decide(facts, base.policy, index)
    began = time.process_time()
    for facts in calls:
        decide(facts, base.policy, index)
    # Looking through the list costs over 0.5 ms a call; the index 0.02 ms.
    assert time.process_time() - began < 0.2
