"""What holds for every call, however strange."""

from __future__ import annotations

from dataclasses import replace

from decision_builder import Situation, joined
from decision_strategies import exclusions, facts, never_facts, situations
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pbx_plugin.domain.call import Consent, Mode, Party, Switch
from pbx_plugin.domain.decide import marks_in_force
from pbx_plugin.domain.decision import Facts, Verdict
from pbx_plugin.domain.explain import facts_as_dict, facts_from_dict
from pbx_plugin.domain.policy import Exclusion

thorough = settings(max_examples=120, deadline=None)
quick = settings(max_examples=60, deadline=None)


@thorough
@given(situations)
def test_what_forbids_recording_forbids_it_whatever_the_rest(situation: Situation) -> None:
    decision = situation.decide()
    assert (decision.verdict is Verdict.NEVER) == bool(never_facts(situation))
    if decision.verdict is Verdict.NEVER:
        assert (decision.may_switch_on, decision.may_switch_off, decision.may_pause) == (False, False, False)
        assert decision.announce is None


@thorough
@given(situations, exclusions)
def test_an_exclusion_never_adds_a_recording(situation: Situation, exclusion: Exclusion) -> None:
    before = situation.decide()
    after = replace(situation, exclusions=(*situation.exclusions, exclusion)).decide()
    assert after == before or after.rule == 2


@thorough
@given(situations, st.sampled_from((Consent.REFUSED, Consent.WITHDRAWN)))
def test_a_refusal_or_withdrawal_never_leaves_a_recording(situation: Situation, consent: Consent) -> None:
    decision = situation.consent(consent).decide()
    assert decision.verdict is Verdict.NEVER
    assert decision.rule <= 3


@thorough
@given(situations, facts)
def test_when_two_calls_become_one_the_strictest_party_wins(one: Situation, other_facts: Facts) -> None:
    other = replace(one, facts=replace(other_facts, user=one.facts.user))
    merged = joined(one, other)
    if one.decide().rule != 1:
        merged = merged.but(dialled=other.facts.dialled)
    strict = [part for part in (one, other) if part.decide().rule <= 4]
    if strict:
        assert merged.decide().verdict is Verdict.NEVER
        assert merged.decide().rule <= 4


@quick
@given(situations, situations)
def test_it_does_not_matter_which_call_joins_which(one: Situation, other: Situation) -> None:
    other = replace(other, policy=one.policy, exclusions=one.exclusions)
    # Of two consents of one rank the first one's evidence is kept: which that is may depend on the order.
    marks, others = (marks_in_force(part.facts.marks, part.policy) for part in (one, other))
    assume(marks.consent is not others.consent or marks.consent_by is others.consent_by)
    there, back = joined(one, other), joined(other, one)
    same = replace(back, facts=replace(back.facts, user=one.facts.user, dialled=one.facts.dialled))
    same = same.but(**{name: getattr(one.facts, name) for name in ("direction", "ddi", "switch", "off_at_start")})
    assert there.decide().verdict is same.decide().verdict


@thorough
@given(situations)
def test_the_trace_explains_the_verdict(situation: Situation) -> None:
    decision = situation.decide()
    *passed, won = decision.trace
    assert [step.rule for step in decision.trace] == list(range(1, decision.rule + 1))
    assert won.matched
    assert not any(step.matched for step in passed)
    assert (won.rule, won.name) == (decision.rule, decision.rule_name)
    assert all(step.why and step.name for step in decision.trace)
    assert len({step.name for step in decision.trace}) == decision.rule


@quick
@given(situations)
def test_the_same_facts_give_the_same_decision(situation: Situation) -> None:
    assert situation.decide() == situation.decide()
    assert situation.decide().policy_version == situation.policy.number


@thorough
@given(situations)
def test_only_an_on_demand_user_may_switch(situation: Situation) -> None:
    decision = situation.decide()
    if decision.may_switch_on or decision.may_switch_off:
        assert situation.facts.user.mode is Mode.ON_DEMAND
        assert decision.may_switch_on == (decision.verdict is Verdict.ARMED)
        assert decision.may_switch_off == (decision.verdict is Verdict.RECORD)


@thorough
@given(situations)
def test_what_may_be_switched_switches(situation: Situation) -> None:
    decision = situation.decide()
    if decision.may_switch_on:
        assert situation.but(switch=Switch.ON).decide().verdict is Verdict.RECORD
    if decision.may_switch_off:
        assert situation.but(switch=Switch.OFF).decide().verdict is Verdict.ARMED
    if decision.verdict is Verdict.RECORD and not decision.may_switch_off:
        assert situation.but(switch=Switch.OFF).decide().verdict is Verdict.RECORD


@thorough
@given(situations)
def test_nobody_outside_is_recorded_untold_and_unconsenting(situation: Situation) -> None:
    decision = situation.decide()
    outside = [party for party in situation.facts.others if party.external]
    consented = decision.consent is Consent.GIVEN and situation.facts.consented is not False
    untold = outside and not situation.facts.announced and not consented
    if decision.verdict is Verdict.RECORD and untold:
        assert decision.announce is situation.policy.announce


@quick
@given(situations, st.lists(facts.map(lambda found: found.others), max_size=2))
def test_one_more_party_never_adds_a_recording(situation: Situation, more: list[tuple[Party, ...]]) -> None:
    before = situation.decide()
    after = situation.but(others=(*situation.facts.others, *(party for some in more for party in some))).decide()
    assert after.verdict in (before.verdict, Verdict.NEVER)


@quick
@given(situations)
def test_marks_in_force_stay_as_they_are(situation: Situation) -> None:
    once = marks_in_force(situation.facts.marks, situation.policy)
    assert marks_in_force(once, situation.policy) == once
    assert situation.but(marks=once).decide().verdict is situation.decide().verdict


@quick
@given(situations)
def test_stored_facts_are_decided_the_same(situation: Situation) -> None:
    again = facts_from_dict(facts_as_dict(situation.facts))
    assert again == situation.facts
    assert replace(situation, facts=again).decide() == situation.decide()
