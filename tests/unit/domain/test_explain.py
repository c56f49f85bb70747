"""A stored decision is told in words that need no knowledge of the code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from decision_builder import AT, DDI, Situation, a_colleague, a_user, incoming, internal, outgoing
from decision_cases import all_cases

from pbx_plugin.domain.call import Consent, Direction, Mode, Switch
from pbx_plugin.domain.decide import RULES
from pbx_plugin.domain.entries import Decided
from pbx_plugin.domain.explain import LAST_RULE, explain, explain_entry, facts_as_dict, facts_from_dict, trace_as_list
from pbx_plugin.domain.policy import Announce, GroupPolicy


def stored(situation: Situation) -> Decided:
    """Return the journal entry, through JSON and back as the database gives it."""
    decision, facts = situation.decide(), situation.facts
    data = json.loads(json.dumps({"facts": facts_as_dict(facts), "trace": trace_as_list(decision)}))
    return Decided(
        "d1", "c1", facts.user.id, AT, decision.verdict.value, decision.rule, decision.rule_name,
        decision.policy_version, data["facts"], data["trace"],
    )  # fmt: skip


def told(situation: Situation, **names: str) -> list[str]:
    return explain_entry(stored(situation), names)


def test_a_consented_recording_in_plain_words() -> None:
    call = incoming().consent(Consent.GIVEN).through("g7").under(groups={"g7": GroupPolicy.CONSENT_IVR})
    lines = told(call, g7="Support")
    assert lines == [
        "Recording of Mia (101, mode on demand) on an incoming call from +4531200118, dialled as +4533445566: "
        "to be recorded.",
        "Rule 9 (group recorded with consent) decided, under policy version 4: "
        "the call was presented to group Support, and the caller's consent was given.",
        "Consent: given (asked by our IVR), evidence evidence-1.",
        "Switch: not touched; the user may switch off.",
        "Announcement: none needed.",
        "Rule 1 (emergency number) did not match: no emergency number was dialled or is on the call.",
        "Rule 2 (excluded) did not match: nobody on the call is in the excluded list.",
        "Rule 3 (consent refused or withdrawn) did not match: "
        "consent was neither refused nor withdrawn, and no group on the way is for those who refused.",
        "Rule 4 (consent required and not given) did not match: consent was given.",
        "Rule 5 (user not enrolled or in mode never) did not match: the user is enrolled, and their mode is on demand.",
        "Rule 6 (recording off) did not match: recording was on when the call began.",
        "Rule 7 (whitelisted direct number) did not match: the direct number +4533445566 is not whitelisted.",
        "Rule 8 (group always recorded) did not match: the call was not presented to a group that is always recorded.",
        "Rules 10 to 13 were not asked: the first rule that matches decides.",
    ]


def test_every_rule_of_the_table_is_told_of_or_named_as_not_asked() -> None:
    assert RULES[-1].number == LAST_RULE
    for case in all_cases():
        last = told(case.situation)[-1]
        rest = {12: "Rule 13 was not asked", 13: "Rule 12 (user on demand) did not match"}
        assert last.startswith(rest.get(case.rule, f"Rules {case.rule + 1} to 13 were not asked"))


@pytest.mark.parametrize(
    ("situation", "line"),
    [
        (incoming(Mode.ALWAYS).consent(Consent.REFUSED), "Consent: refused (asked by our IVR), evidence evidence-1."),
        (incoming().through("recorded"), "Consent: required, and not given (asked by our IVR)."),
        (incoming().through("trusted"), "Consent: given, unproven (trusted route)."),
        (incoming(), "Consent: not required."),
        (incoming(), "Switch: not touched; the user may switch on."),
        (incoming(switch=Switch.OFF), "Switch: switched off by the user; the user may switch on."),
        (incoming(Mode.NEVER, switch=Switch.ON), "Switch: switched on by the user; the user may not change it."),
        (incoming(switch=Switch.ON).user(may_pause=True),
         "Switch: switched on by the user; the user may switch off and pause."),
        (incoming(), "Announcement: the other side must be told before anything is recorded, or nothing is."),
        (incoming().under(announce=Announce.BEST_EFFORT),
         "Announcement: the other side is told before recording if that is possible."),
        (incoming().under(announce=Announce.NONE),
         "Announcement: the other side has not consented and is not told, by the company's own setting."),
        (incoming(Mode.ALWAYS).under(announce_rules={10: Announce.BEST_EFFORT}),
         "Announcement: the other side is told before recording if that is possible."),
        (incoming(Mode.ALWAYS).under(announce_rules={11: Announce.BEST_EFFORT}),
         "Announcement: the other side must be told before anything is recorded, or nothing is."),
        (outgoing(Mode.ALWAYS).under(announce_directions={Direction.OUTGOING: Announce.NONE}),
         "Announcement: the other side has not consented and is not told, by the company's own setting."),
        (incoming(off_at_start=True, off_why="Monday 2025-03-31 17:02 (Europe/Copenhagen) is outside the schedule"),
         "Rule 6 (recording off) decided, under policy version 4: recording was off when the call began: "
         "Monday 2025-03-31 17:02 (Europe/Copenhagen) is outside the schedule."),
        (incoming(off_why="Monday 2025-03-31 16:02 (Europe/Copenhagen) is in the schedule"),
         "Rule 6 (recording off) did not match: recording was on when the call began: "
         "Monday 2025-03-31 16:02 (Europe/Copenhagen) is in the schedule."),
        (incoming(announced=True), "Announcement: the other side was told."),
        (incoming(Mode.NEVER), "Announcement: none, as nothing is recorded."),
        (incoming().under(whitelisted_ddis=frozenset({DDI.e164})),
         "A recording of this call cannot be deleted by hand."),
        (outgoing(Mode.NEVER, "anonymous"),
         "Recording of Mia (101, mode never) on an outgoing call to anonymous: must not be recorded."),
        (internal(a_user(Mode.ALWAYS), a_colleague()),
         "Recording of Mia (101, mode always) on an internal call with Bo (102, mode on demand): to be recorded."),
        (incoming(others=()),
         "Recording of Mia (101, mode on demand) on an incoming call from nobody known, dialled as +4533445566: "
         "not recorded, unless the user switches it on."),
    ],
)  # fmt: skip
def test_what_was_known_is_told(situation: Situation, line: str) -> None:
    assert line in told(situation)


def test_every_case_can_be_told_and_names_every_rule_once() -> None:
    for case in all_cases():
        lines = told(case.situation)
        assert [sum(line.startswith(f"Rule {n} (") for line in lines) for n in range(1, case.rule + 1)] == (
            [1] * case.rule
        )
        assert f"under policy version {case.situation.policy.number}" in lines[1]


def test_stored_facts_have_a_stable_shape() -> None:
    facts = facts_as_dict(internal(a_user(), a_colleague(devices=("PJSIP/102",))).facts)
    assert sorted(facts) == [
        "announced", "consented", "ddi", "dialled", "direction", "excluded", "marks", "off_at_start", "off_why",
        "others", "switch", "user",
    ]  # fmt: skip
    assert facts["others"][0]["user"]["devices"] == ["PJSIP/102"]
    assert facts["marks"] == {"consent": "not required", "consent_by": "nobody", "evidence_id": "", "presented_to": []}


def test_the_trace_ends_with_what_the_user_may_do() -> None:
    trace = trace_as_list(incoming(Mode.ALWAYS).user(may_pause=True).decide())
    assert sorted(trace[0]) == ["matched", "name", "rule", "why"]
    won: dict[str, Any] = trace[-1]
    assert (won["rule"], won["matched"], won["may"]) == (10, True, ["pause"])
    assert (won["announce"], won["deletable_by_hand"]) == ("announce or do not record", True)


def test_every_cases_facts_come_back_from_the_database_whole() -> None:
    for case in all_cases():
        if case.situation.facts.user.mode in list(Mode):
            assert facts_from_dict(stored(case.situation).facts) == case.situation.facts


def test_names_replace_ids_and_are_never_read_as_ids() -> None:
    entry = stored(incoming().through("sales"))
    names = {"sales": "always", "sales-2": "Sales two", "always": "wrong", "": "wrong", "sale": "wrong"}
    lines = explain(
        verdict=entry.verdict, rule=8, rule_name="r", policy_version=4, facts=entry.facts,
        trace=[{**entry.trace[-1], "why": "groups sales and sales-2"}], names=names,
    )  # fmt: skip
    assert lines[1] == "Rule 8 (r) decided, under policy version 4: groups always and Sales two."
