"""A draft is tried on calls of the past: what it would record, what not, and what cannot be told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from decision_builder import CALLER, GROUPS, Situation, incoming, outgoing

from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Marks, Mode, Switch
from pbx_plugin.domain.explain import facts_as_dict
from pbx_plugin.domain.policy import DepartmentRule, GroupPolicy, PolicyVersion
from pbx_plugin.domain.schedule import Schedule, Span
from pbx_plugin.services.policy_trial import ALIKE, StoredCall, StoredDecision, Trial, marks_before_groups

AT = datetime(2025, 3, 31, 14, 30, tzinfo=UTC)
THEN = PolicyVersion("acme", 4, groups=dict(GROUPS))
SALES_OUT = replace(THEN, departments={Direction.OUTGOING: DepartmentRule(department_ids=frozenset({"sales"}))})
EVERYBODY = replace(THEN, departments={d: DepartmentRule(everyone=True) for d in Direction})


def stored(*situations: Situation, call: str = "call-1", at: datetime = AT) -> StoredCall:
    """Return a call as the database has it, decided as each situation says."""
    decisions = []
    for situation in situations:
        decided = situation.decide()
        # As the recorder stores them: the exclusion is known of only from the decision on.
        facts = json.loads(json.dumps(facts_as_dict(situation.facts)))
        found = StoredDecision(
            situation.facts.user.id, decided.verdict.value, decided.rule, situation.policy.number, facts
        )
        decisions.append(found)
    return StoredCall(call, at, tuple(decisions))


def tried(policy: PolicyVersion, *calls: StoredCall, **more: Any) -> dict[str, Any]:
    trial = Trial(policy, {4: THEN}, **more)
    trial.add(calls)
    return trial.as_dict({"": "Undefined", "sales": "Sales"}, {9: "group", 10: "mode", 11: "department"})


def counts(result: dict[str, Any]) -> tuple[int, int, int, int]:
    return result["gained"], result["lost"], result["without_consent"], result["unanswerable"]


def sales(situation: Situation) -> Situation:
    return situation.user(department_id="sales")


def test_a_department_that_is_to_be_recorded_gains_its_calls() -> None:
    calls = [stored(sales(outgoing())), stored(outgoing()), stored(sales(incoming()))]
    result = tried(SALES_OUT, *calls)
    assert (result["calls"], result["parts"], result["recorded"], result["would_be"]) == (3, 3, 0, 1)
    assert counts(result) == (1, 0, 0, 0)
    assert result["by_department"]["Sales"]["gained"] == 1
    assert result["by_department"]["Undefined"]["gained"] == 0
    (rule,) = result["by_rule"]
    assert (rule["rule"], rule["name"], rule["gained"], rule["would_be"]) == (11, "department", 1, 1)
    (example,) = result["examples"]["gained"]
    assert (example["then"], example["now"]) == ("armed (12)", "record (11 department policy)")
    assert (example["user"], example["department"], example["call_id"]) == ("Mia", "Sales", "call-1")


def test_what_a_draft_no_longer_covers_is_lost_by_the_rule_that_recorded_it() -> None:
    was = sales(outgoing()).under(departments=SALES_OUT.departments)
    result = tried(THEN, stored(was))
    assert counts(result) == (0, 1, 0, 0)
    assert result["lost_but_armed"] == 1
    assert [(r["rule"], r["recorded"], r["lost"]) for r in result["by_rule"]] == [(11, 1, 1)]


def test_a_policy_tried_on_the_calls_that_it_decided_changes_nothing() -> None:
    situations = [
        incoming(mode, **more).through(*groups)
        for mode in Mode
        for groups in ((), ("plain",), ("sales",), ("recorded",), ("trusted",), ("unrecorded",))
        for more in ({}, {"switch": Switch.ON})
    ]
    result = tried(THEN, *(stored(situation) for situation in situations))
    assert result["recorded"] == result["would_be"] > 0
    assert (result["gained"], result["lost"], result["unanswerable"]) == (0, 0, 0)


def test_a_part_that_was_recorded_for_a_while_counts_once() -> None:
    armed = outgoing()
    result = tried(EVERYBODY, stored(armed, armed.but(switch=Switch.ON), armed.but(switch=Switch.OFF)))
    assert (result["parts"], result["recorded"], result["would_be"]) == (1, 1, 1)
    assert counts(result) == (0, 0, 0, 0)


def test_two_users_in_a_call_are_two_parts() -> None:
    other = incoming().user(id="bo", name="Bo", mode=Mode.NEVER)
    result = tried(EVERYBODY, stored(incoming(), other))
    assert (result["parts"], result["gained"]) == (2, 1)


def test_a_refusal_stays_one_under_any_policy_and_is_counted() -> None:
    result = tried(EVERYBODY, stored(incoming().consent(Consent.REFUSED)), stored(incoming().consent(Consent.REQUIRED)))
    assert counts(result) == (0, 0, 2, 0)
    assert result["would_be"] == 0
    assert [e["now"] for e in result["examples"]["without_consent"]] == [
        "never (3 consent refused or withdrawn)", "never (4 consent required and not given)",
    ]  # fmt: skip


def test_a_group_that_is_to_ask_loses_the_calls_that_nobody_asked() -> None:
    was = incoming(Mode.ALWAYS).through("plain")
    result = tried(replace(THEN, groups={"plain": GroupPolicy.CONSENT_IVR}), stored(was))
    assert counts(result) == (0, 1, 1, 0)
    assert [r["rule"] for r in result["by_rule"] if r["without_consent"]] == [9]


def test_refused_calls_that_no_rule_would_record_are_not_for_want_of_consent() -> None:
    result = tried(THEN, stored(incoming().consent(Consent.REFUSED)), stored(incoming().through("unrecorded")))
    assert counts(result) == (0, 0, 0, 0)


def test_somebody_excluded_then_stays_excluded_though_the_list_has_changed() -> None:
    was = incoming(Mode.ALWAYS).excluding(CALLER.e164)
    assert counts(tried(EVERYBODY, stored(was))) == (0, 0, 0, 0)


def test_the_schedule_is_judged_by_when_the_call_began() -> None:
    office = Schedule("Europe/Copenhagen", (Span(0, 8 * 60, 17 * 60),))
    # 16:30 in Copenhagen, by summer time; an hour later it is outside.
    calls = [stored(incoming(Mode.ALWAYS)), stored(incoming(Mode.ALWAYS), at=AT.replace(hour=15))]
    draft = replace(THEN, schedule=office)
    result = tried(draft, *calls, zone=ZoneInfo("Europe/Copenhagen"))
    assert counts(result) == (0, 1, 0, 0)
    assert result["examples"]["lost"][0]["why"] == "Monday 2025-03-31 17:30 (Europe/Copenhagen) is outside the schedule"
    assert tried(draft, *calls)["would_be"] == 0, "a zone that is not known records nothing"
    assert tried(replace(THEN, recording_off=True), *calls)["lost"] == 2


def test_what_was_off_then_is_decided_by_the_drafts_own_schedule() -> None:
    assert tried(THEN, stored(incoming(Mode.ALWAYS, off_at_start=True, off_why="outside")))["gained"] == 1


def test_where_it_cannot_be_told_what_asked_for_consent_that_is_said() -> None:
    # The recorder stores marks as the policy of then had made them: the group made consent required.
    marks = Marks(Consent.REQUIRED, ConsentBy.OUR_IVR, "", ("recorded",))
    was = incoming(Mode.ALWAYS, marks=marks)
    draft = replace(THEN, groups={"recorded": GroupPolicy.NOT_APPLICABLE})
    result = tried(draft, stored(was))
    assert counts(result) == (0, 0, 0, 1)
    assert list(result["unanswerable_because"].values()) == [1]
    assert counts(tried(THEN, stored(was))) == (0, 0, 1, 0), "where both answers are the same it can"
    assert counts(tried(draft, stored(was.consent(Consent.REQUIRED)))) == (0, 0, 1, 0), "with evidence it can"


def test_a_trusted_route_is_undone_where_a_draft_does_not_trust_it() -> None:
    marks = Marks(Consent.GIVEN, ConsentBy.TRUSTED_ROUTE, "", ("trusted",))
    was = incoming(marks=marks)
    assert counts(tried(THEN, stored(was))) == (0, 0, 0, 0)
    assert counts(tried(replace(THEN, groups={}), stored(was))) == (0, 1, 0, 0)
    asking = replace(THEN, groups={"trusted": GroupPolicy.CONSENT_IVR})
    assert counts(tried(asking, stored(was))) == (0, 1, 1, 0)


@pytest.mark.parametrize("broken", [{}, {"user": None}, {"marks": {"consent": "perhaps"}}, {"direction": "sideways"}])
def test_facts_of_another_kind_are_counted_and_not_guessed(broken: dict[str, Any]) -> None:
    good = stored(incoming())
    facts = {**good.decisions[0].facts, **broken} if broken else {}
    bad = good._replace(decisions=(good.decisions[0]._replace(facts=facts),))
    assert counts(tried(EVERYBODY, bad)) == (0, 0, 0, 1)


def test_calls_that_nobody_answered_are_counted_apart() -> None:
    result = tried(EVERYBODY, StoredCall("c", AT, ()), stored(incoming()))
    assert (result["calls"], result["calls_without_decision"], result["parts"]) == (2, 1, 1)


def test_examples_are_few_and_of_different_kinds() -> None:
    calls = [stored(outgoing().user(department_id=d), call=f"{d}{n}") for d in ("sales", "x", "y") for n in range(50)]
    result = tried(EVERYBODY, *calls)
    assert len(result["examples"]["gained"]) == 3 * ALIKE
    assert {example["department"] for example in result["examples"]["gained"]} == {"Sales", "x", "y"}


def test_what_a_trusted_route_gave_is_taken_back_before_the_draft_is_asked() -> None:
    given = Marks(Consent.GIVEN, ConsentBy.TRUSTED_ROUTE, "", ("trusted",))
    assert marks_before_groups(given, THEN) == (Marks(presented_to=("trusted",)),)


def test_marks_without_a_known_policy_may_be_either() -> None:
    required = Marks(Consent.REQUIRED, ConsentBy.OUR_IVR, "", ("recorded",))
    assert len(marks_before_groups(required, None)) == 2
    assert marks_before_groups(replace(required, presented_to=()), None) == (replace(required, presented_to=()),)
    assert marks_before_groups(required, replace(THEN, groups={})) == (required,)
