"""Every row of the specification's two tables on a real site: the thirteen rules, and the sixteen worked examples.

Each row's decision is looked at as it was stored: which rule won, why each before it did not, by which version. The
policy is changed by commands meanwhile, as an administrator does, and put back in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from administrator import IN_FORCE_S, PROMISED_S, apply, command, restoring
from decision_scenes import (
    COLLEAGUE,
    Consulted,
    answered,
    between_users,
    consulted_about_a_refuser,
    outgoing,
    over,
    plain,
    sent_on,
    sent_outside,
    toggle_refused,
    toggled_three_times,
    whitelisted,
    withdrawn,
)
from kinds import recorded
from scenes import Played
from stage import Stage, talk

from pbx_plugin.db.views import CallDetail, DecisionView
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.decide import RULES
from pbx_plugin.sandbox.site_people import ddi_of

RECORD, ARMED, NEVER = "record", "armed", "never"
Scene = Callable[[], CallDetail | Consulted]
NOT_REFUSED = {2: "nobody on the call is in the excluded list", 3: "neither refused nor withdrawn"}
PASSED = {**NOT_REFUSED, 1: "no emergency number", 4: "consent is not required", 6: "recording was on"}
"""Why the rules that bar a recording did not, on a call like any other."""


@dataclass(frozen=True)
class Row:
    """What must be decided for whom: the rule that won and why, and why others lost. ``nth`` is which decision."""

    scene: str
    user: str
    verdict: str
    rule: int
    why: str
    losers: Mapping[int, str] = field(default_factory=dict)
    nth: int = -1


THE_RULES = {
    "1 emergency number": Row("emergency", "202", NEVER, 1, "112 is an emergency number"),
    "2 excluded": Row("excluded", "213", NEVER, 2, "is in the excluded list (asked us)", {1: "no emergency number"}, 0),
    "3 refused": Row("refused", "233", NEVER, 3, "consent to recording was refused", {2: NOT_REFUSED[2]}),
    "4 required and not given": Row(
        "straight in", "235", NEVER, 4, "consent is required and was not given", NOT_REFUSED
    ),
    "5 user in mode never": Row("never", "221", NEVER, 5, "the user's own mode is never", {4: PASSED[4]}),
    "5 user not enrolled": Row("not enrolled", "229", NEVER, 5, "the user is not enrolled", {4: PASSED[4]}),
    "6 recording off": Row(
        "off", "202", NEVER, 6, "recording was off when the call began", {5: "their mode is always"}
    ),
    "7 whitelisted direct number": Row(
        "whitelisted", "213", RECORD, 7, "calls to the direct number +4570100900 are always recorded", PASSED
    ),
    "8 group always recorded": Row(
        "group", "239", RECORD, 8, "which is always recorded", {**PASSED, 7: "+4570100605 is not whitelisted"}
    ),
    "9 group recorded with consent": Row(
        "consenting", "231", RECORD, 9, "the caller's consent was given",
        {4: "consent was given", 7: "is not whitelisted", 8: "not presented to a group that is always recorded"},
    ),
    "10 user in mode always": Row(
        "always", "201", RECORD, 10, "the user's own mode is always",
        {**PASSED, 9: "not presented to a group that is recorded with consent"},
    ),
    "11 department policy": Row(
        "department", "212", RECORD, 11, "outgoing calls of the user's department are recorded by policy",
        {**PASSED, 7: "no direct number was dialled", 10: "the user's own mode is on demand, not always"},
    ),
    "12 user on demand": Row(
        "toggled", "211", ARMED, 12, "the user is on demand, and did not switch it on",
        {**PASSED, 11: "incoming calls of the user's department are not recorded by policy"}, nth=0,
    ),
}  # fmt: skip
"""The first table. Its last line is :func:`test_rule_13_nothing_applies_is_for_no_user_that_can_be_kept`."""

EXAMPLES = {
    "an excluded number, typed nationally, calls a whitelisted number": Row(
        "excluded", "213", NEVER, 2, "is in the excluded list", nth=0
    ),
    "recording off, an excluded caller, and the user presses the code": Row(
        "excluded while off", "211", NEVER, 2, "is in the excluded list", nth=0
    ),
    "presses 2, and is transferred to an always user: before": Row("refused", "233", NEVER, 3, "was refused"),
    "presses 2, and is transferred to an always user: after": Row(
        "refused", COLLEAGUE, NEVER, 3, "was refused, and that stays with the call"
    ),
    "the company's own IVR sends the caller to the refusers' group: before": Row(
        "own IVR", "237", NEVER, 3, "which is never recorded (refused via IVR)"
    ),
    "the company's own IVR sends the caller to the refusers' group: after": Row(
        "own IVR", "241", NEVER, 3, "which is never recorded (refused via IVR)"
    ),
    "the consent service is down, and the call overflows to an always user": Row(
        "no service", "239", NEVER, 4, "consent is required and was not given", {3: "neither refused nor withdrawn"}
    ),
    "presses 1, recorded group, agent on demand": Row("consenting", "231", RECORD, 9, "consent was given"),
    "dials the recorded group itself": Row(
        "straight in", "235", NEVER, 4, "is recorded with consent only", {3: "neither refused nor withdrawn"}
    ),
    "the same, the group is a trusted route": Row(
        "trusted", "235", RECORD, 9, "given by a trusted route, unproven", {4: "by a trusted route, unproven"}
    ),
    "an agent in mode never takes a call to a whitelisted number": Row(
        "never", "221", NEVER, 5, "the user's own mode is never"
    ),
    "Sales records outgoing only, and takes an incoming call": Row(
        "toggled", "211", ARMED, 12, "did not switch it on", {11: "incoming calls of the user's department are not"}, 0
    ),
    "the same user presses *4 three times": Row("toggled", "211", RECORD, 12, "and switched recording on"),
    "asks a colleague about a refusing caller: the consultation": Row(
        "consultation before", "233", RECORD, 10, "the user's own mode is always", {3: "neither refused nor withdrawn"}
    ),
    "asks a colleague about a refusing caller: from the merge on": Row(
        "consultation", COLLEAGUE, NEVER, 3, "consent to recording was refused, and that stays with the call"
    ),
    "internal call, always and never: the first user": Row("internal", "242", RECORD, 10, "own mode is always"),
    "internal call, always and never: the second user": Row("internal", "222", NEVER, 5, "own mode is never"),
    "a recorded caller is transferred outside": Row("sent outside", "245", RECORD, 10, "own mode is always"),
    "says no after all": Row("withdrawn", "243", NEVER, 3, "consent to recording was withdrawn"),
    "recording off at 17:00, a recorded call is running": Row(
        "running", "201", RECORD, 10, "own mode is always", {6: "recording was on when the call began"}
    ),
    "recording off at 17:00, a call that begins now": Row("off", "202", NEVER, 6, "was off when the call began"),
}
"""The second table; rows in which two things happen have a line for each."""
RECORDS = {
    "whitelisted",
    "group",
    "consenting",
    "always",
    "department",
    "trusted",
    "sent outside",
    "running",
    "internal",
}
"""Scenes of which one recording is kept."""


class Stories:
    """What came of each scene, and by which version of the policy it was to be judged."""

    def __init__(self) -> None:
        self.outcomes: dict[str, tuple[Played[CallDetail | Consulted], int]] = {}
        self.numbers: dict[str, str] = {}

    def play(self, version: int, scenes: Mapping[str, Scene]) -> None:
        played = Played(scenes)
        self.outcomes |= dict.fromkeys(scenes, (played, version))

    def version(self, scene: str) -> int:
        return self.outcomes[scene.removesuffix(" before")][1]

    def __getitem__(self, scene: str) -> CallDetail:
        found = self.outcomes[scene.removesuffix(" before")][0][scene.removesuffix(" before")]
        if isinstance(found, Consulted):
            return found.before if scene.endswith(" before") else found.after
        return found


def decision(call: CallDetail, user: str, nth: int) -> DecisionView:
    return [one for one in call.decisions if one.facts["user"]["extension"] == user][nth]


@pytest.fixture(scope="module")
def company(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two users in a department; the excluded number is typed as Danes do. All of it is taken back in the end."""
    folder = tmp_path_factory.mktemp("policies")
    command(stage, "departments", "add", "Sales")
    command(stage, "users", "set", "211", "212", "--department", "Sales")
    with restoring(stage, folder):
        yield folder
    command(stage, "users", "set", "211", "212", "--department", "Undefined")
    command(stage, "departments", "remove", "Sales")


@pytest.fixture(scope="module")
def stories(stage: Stage, company: Path) -> Iterator[Stories]:
    made = Stories()
    excluded = stage.fresh_number()
    national = excluded.removeprefix("+45")
    command(stage, "exclude", "add", national, "--reason", "asked us")
    try:
        told = apply(
            stage,
            company,
            departments={"outgoing": ["Sales"]},
            whitelisted_ddis=["+4570100900", ddi_of("221")],
            groups={"ring-plain": "always (whitelisted)"},
            withdrawal_erases=True,
        )
        for user in (
            *("201", "202", COLLEAGUE, "211", "212", "213", "221", "222", "229", "231", "233", "235", "237", "239"),
            *("241", "242", "243", "245"),
        ):
            stage.phone(user)  # a phone that starts makes its neighbours stutter
        for line in ("first", "second", "refusing"):
            stage.outside(line)
        stage.world()
        stage.from_now()
        made.play(told, first_scenes(stage, excluded))
        trusted = apply(stage, company, groups={"queue-recorded": "always (consent via trusted route)"})
        talk(IN_FORCE_S)
        made.play(trusted, second_scenes(stage))
        switched_off(stage, company, made, trusted, excluded)
        unserved(stage, made)
        yield made
    finally:
        command(stage, "exclude", "remove", national)


def first_scenes(stage: Stage, excluded: str) -> dict[str, Scene]:
    incoming = partial(plain, stage)
    return {
        "refused": partial(sent_on, stage, "refusing", ddi_of("701"), "233", COLLEAGUE, "2"),
        "consenting": partial(incoming, "first", ddi_of("701"), "231", "1", records=True),
        "toggled": partial(toggled_three_times, stage, "second", "211"),
        "own IVR": partial(sent_on, stage, "first", ddi_of("604"), "237", "241"),
        "excluded": partial(whitelisted, stage, "second", excluded, records=False),
        "withdrawn": partial(withdrawn, stage, "second", "243"),
        "sent outside": partial(sent_outside, stage, "first", "245"),
        "department": partial(outgoing, stage, "212"),
        "emergency": partial(outgoing, stage, "202", "112"),
        "straight in": partial(incoming, "refusing", ddi_of("603"), "235", records=False),
        "never": partial(incoming, "refusing", ddi_of("221"), "221", records=False),
        "not enrolled": partial(incoming, "refusing", ddi_of("229"), "229", records=False),
        "group": partial(incoming, "first", ddi_of("605"), "239", records=True),
        "always": partial(incoming, "second", ddi_of("201"), "201", records=True),
        "internal": partial(between_users, stage, "242", "222"),
    }


def second_scenes(stage: Stage) -> dict[str, Scene]:
    return {
        "consultation": partial(consulted_about_a_refuser, stage, "refusing", "233", COLLEAGUE),
        "trusted": partial(plain, stage, "first", ddi_of("603"), "235", records=True),
        "whitelisted": partial(whitelisted, stage, "second", records=True),
    }


def switched_off(stage: Stage, folder: Path, made: Stories, before: int, excluded: str) -> None:
    """Recording is switched off while a recorded call is running, for calls that begin from now on."""
    running = answered(stage, "first", ddi_of("201"), "201")
    recorded(stage, running.number, "201")
    off = int(command(stage, "policy", "off", "--comment", "five o'clock")["number"])
    talk(PROMISED_S)
    made.play(
        off,
        {
            "off": partial(plain, stage, "second", ddi_of("202"), "202", records=False),
            "excluded while off": partial(toggle_refused, stage, "refusing", "211", excluded),
        },
    )
    made.numbers["running at the end"] = "yes" if not running.caller.ended else ""
    made.play(before, {"running": lambda: over(stage, running.number, running.caller)})
    on = int(command(stage, "policy", "on")["number"])
    talk(PROMISED_S)
    made.play(on, {"on again": partial(plain, stage, "second", ddi_of("202"), "202", records=True)})


def unserved(stage: Stage, made: Stories) -> None:
    """The consent service is down."""
    stage.site.agi.stop()
    try:
        version = made.version("on again")
        scene = partial(plain, stage, "first", ddi_of("703"), "239", records=False)
        made.play(version, {"no service": scene})
        assert made["no service"]
    finally:
        stage.site.agi.start()
        stage.site.agi.wait_ready()


def assert_row(stories: Stories, row: Row) -> None:
    call = stories[row.scene]
    found = decision(call, row.user, row.nth)
    assert (found.verdict, found.rule) == (row.verdict, row.rule)
    assert found.policy_version == stories.version(row.scene)
    assert [step["rule"] for step in found.trace] == list(range(1, row.rule + 1))
    assert [step["name"] for step in found.trace] == [rule.name for rule in RULES[: row.rule]]
    assert [step["matched"] for step in found.trace] == [False] * (row.rule - 1) + [True]
    assert row.why in found.trace[-1]["why"]
    for number, why in row.losers.items():
        if number < row.rule:
            assert why in found.trace[number - 1]["why"], found.trace[number - 1]


@pytest.mark.parametrize("name", THE_RULES)
def test_every_rule_of_the_table_decides_a_real_call(stories: Stories, name: str) -> None:
    assert_row(stories, THE_RULES[name])


def test_rule_13_nothing_applies_is_for_no_user_that_can_be_kept(stage: Stage, stories: Stories) -> None:
    """Rules 5, 10 and 12 take every mode that there is, and no other can be set: the last rule is for what may come."""
    assert stories
    assert set(Mode) == {Mode.NEVER, Mode.ALWAYS, Mode.ON_DEMAND}
    with pytest.raises(AssertionError, match="mode"):
        command(stage, "users", "set", "239", "--mode", "sometimes")
    decided = {
        one.rule
        for call in stage.queries.list_calls(limit=200)
        for one in stage.queries.call_detail(call.call_id).decisions
    }
    assert 13 not in decided


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_worked_example_comes_out_as_written(stories: Stories, name: str) -> None:
    assert_row(stories, EXAMPLES[name])


@pytest.mark.parametrize("scene", sorted(RECORDS))
def test_what_is_to_be_recorded_is_recorded_once(stories: Stories, scene: str) -> None:
    (recording,) = stories[scene].recordings
    assert recording.state == "stored"
    assert recording.deletable_by_hand is (scene != "whitelisted")


@pytest.mark.parametrize(
    "scene",
    [
        *("emergency", "excluded", "refused", "straight in", "never", "not enrolled", "off", "own IVR", "no service"),
        "excluded while off",
    ],
)
def test_what_is_never_recorded_is_nowhere(stories: Stories, scene: str) -> None:
    assert stories[scene].recordings == ()


def test_nothing_of_who_refused_is_on_disk(stories: Stories, stage: Stage) -> None:
    assert stories["refused"]
    stage.assert_nowhere("refusing")


def test_an_emergency_call_is_not_announced(stories: Stories) -> None:
    assert not [step for step in stories["emergency"].timeline if step.what == "announcement"]


def test_who_is_on_the_excluded_list_cannot_be_switched_on(stories: Stories) -> None:
    assert {(one.verdict, one.rule) for one in stories["excluded while off"].decisions} == {(NEVER, 2)}
    pressed = [step.detail for step in stories["excluded while off"].timeline if step.what == "toggle"]
    assert pressed == ["denied: excluded"]


def test_three_presses_make_two_recordings_and_the_gap_belongs_to_neither(stories: Stories) -> None:
    call = stories["toggled"]
    told = [step for step in call.timeline if step.what == "announcement" and "end" in step.detail]
    presses = [step.at for step in call.timeline if step.what == "toggle"]
    first, second = call.recordings
    assert (len(told), len(presses)) == (1, 3)
    assert first.in_at is not None
    assert first.closed_at is not None
    assert second.in_at is not None
    assert told[0].at <= first.in_at
    assert first.closed_at <= presses[1]
    assert second.in_at >= presses[2]


def test_the_consultation_is_recorded_until_the_merge_and_nothing_after(stories: Stories) -> None:
    before, after = stories["consultation before"], stories["consultation"]
    assert [recording.extension for recording in before.recordings] == ["233", COLLEAGUE]
    merge = decision(after, COLLEAGUE, -1).at
    kept = after.recordings
    assert [recording.state for recording in kept] == ["stored", "stored"]
    for recording in kept:
        assert recording.closed_at is not None
        assert recording.closed_at <= merge


def test_one_recording_of_an_internal_call_is_the_first_users(stories: Stories) -> None:
    (recording,) = stories["internal"].recordings
    assert (recording.extension, recording.rule) == ("242", 10)


def test_a_trusted_routes_consent_is_unproven(stories: Stories) -> None:
    trusted = decision(stories["trusted"], "235", -1)
    asked = decision(stories["consenting"], "231", -1)
    assert (trusted.consent_by, trusted.evidence_id) == ("trusted route", "")
    assert asked.consent_by == "our IVR"
    assert asked.evidence_id == stories["consenting"].consents[0].evidence_id


def test_a_transfer_outside_ends_the_recording_and_not_the_call(stories: Stories) -> None:
    call = stories["sent outside"]
    (recording,) = call.recordings
    assert recording.closed_at is not None
    assert call.call.ended_at is not None
    assert (call.call.ended_at - recording.closed_at).total_seconds() > 1


def test_what_was_recorded_before_consent_was_withdrawn_is_erased(stories: Stories) -> None:
    call = stories["withdrawn"]
    (recording,) = call.recordings
    assert (recording.state, recording.path) == ("erased", "")
    assert (call.decisions[0].verdict, call.decisions[0].rule) == (RECORD, 10)


def test_a_policy_is_in_force_within_five_seconds_and_never_for_a_call_that_runs(stories: Stories) -> None:
    assert stories.numbers["running at the end"]
    (recording,) = stories["running"].recordings
    assert recording.length_ms > PROMISED_S * 1000
    assert stories.version("running") < stories.version("off") < stories.version("on again")
    assert {one.policy_version for one in stories["off"].decisions} == {stories.version("off")}
    assert {one.policy_version for one in stories["on again"].decisions} == {stories.version("on again")}
    assert len(stories["on again"].recordings) == 1


@pytest.mark.parametrize("name", ["9 group recorded with consent", "3 refused", "12 user on demand"])
def test_the_administrator_is_told_the_same(stories: Stories, stage: Stage, name: str) -> None:
    row = THE_RULES[name]
    told: dict[str, Any] = command(stage, "explain", stories[row.scene].call.call_id)
    mine = [one for one in told["decisions"] if one["facts"]["user"]["extension"] == row.user][row.nth]
    assert (mine["rule"], mine["policy_version"]) == (row.rule, stories.version(row.scene))
    assert any(row.why in sentence for sentence in mine["words"])


def test_nothing_is_left_behind(stories: Stories, stage: Stage) -> None:
    assert stories["running"]
    stage.assert_nothing_left()
