"""A user's phone mixes two of its calls: neither is on hold, so they are one conversation, and the strictest wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from call_story import NOON, TENANT, Story, rules

from pbx_plugin.ari_app import switchboard
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain.callstate import CallState
from pbx_plugin.domain.mixing import mixings, unheld_unheard
from pbx_plugin.domain.policy import Announce, Exclusion, GroupPolicy
from pbx_plugin.services.callmemory import recall, remember

REFUSER_ON_HOLD = """
    0.0 ring T1 trunk +4531200118 > +4570100101
    0.0 mark T1 consent=refused
    0.1 down A1 101 linked-T1
    1.0 join T1 B1
    1.0 join A1 B1
    2.0 hold A1
"""
A_COLLEAGUE_IS_CALLED = """
    3.0 ring A2 101 > 102
    3.1 down C1 102 linked-A2
    4.0 join C1 B2
    4.0 join A2 B2
"""


def test_a_refuser_on_hold_bars_nothing_and_taken_into_the_talk_cuts_it() -> None:
    story = Story().tell(REFUSER_ON_HOLD + A_COLLEAGUE_IS_CALLED + "6.0 unhold A1\n 9.0 gone T1\n 9.0 gone A1")
    assert [segment[:3] for segment in story.segments()[:2]] == [("u101", 4.0, 6.0), ("u102", 4.0, 6.0)]
    assert [segment[1] for segment in story.segments()[2:]] == [9.0, 9.0], (
        "after the refuser is gone it is theirs again"
    )
    assert ("u102", "never", 3) in story.verdicts()


def test_a_talk_that_begins_beside_a_refuser_who_is_not_on_hold_never_begins_to_be_recorded() -> None:
    story = Story().tell(REFUSER_ON_HOLD.replace("2.0 hold A1", "") + A_COLLEAGUE_IS_CALLED)
    assert story.commands(c.StartCapture) == []
    assert [verdict[1:] for verdict in story.verdicts()[-2:]] == [("never", 3), ("never", 3)]


def test_a_refuser_who_is_answered_beside_a_recorded_talk_cuts_it_there() -> None:
    story = Story().tell(
        """
        0.0 ring A2 101 > 102
        0.1 down C1 102 linked-A2
        1.0 join C1 B2
        1.0 join A2 B2
        2.0 ring T1 trunk +4531200118 > +4570100101
        2.0 mark T1 consent=refused
        2.1 down A1 101 linked-T1
        5.0 join T1 B1
        5.0 join A1 B1
        8.0 hold A1
        """
    )
    assert [segment[:3] for segment in story.segments()] == [
        ("u101", 1.0, 5.0),
        ("u102", 1.0, 5.0),
        ("u101", 8.0, None),
        ("u102", 8.0, None),
    ]


def test_who_is_excluded_bars_the_other_call_too() -> None:
    book = replace(rules(), exclusions={TENANT: (Exclusion("x1", "+4531200118"),)})
    beside = REFUSER_ON_HOLD.replace("consent=refused", "").replace("2.0 hold A1", "")
    story = Story(book).tell(beside + A_COLLEAGUE_IS_CALLED)
    assert story.segments() == []
    assert {verdict[1:] for verdict in story.verdicts()} == {("never", 2)}


def test_a_mark_reaches_through_two_phones() -> None:
    """The colleague, too, mixes what she hears into a call of her own."""
    beside = REFUSER_ON_HOLD.replace("2.0 hold A1", "")
    story = Story().tell(
        beside
        + A_COLLEAGUE_IS_CALLED
        + """
        5.0 ring C2 102 > 103
        5.1 down D1 103 linked-C2
        6.0 join D1 B3
        6.0 join C2 B3
        """
    )
    assert story.segments() == []
    assert ("u103", "never", 3) in story.verdicts()


def test_two_calls_without_a_mark_are_both_recorded_and_not_cut() -> None:
    plain = REFUSER_ON_HOLD.replace("0.0 mark T1 consent=refused", "")
    story = Story().tell(plain + A_COLLEAGUE_IS_CALLED + "6.0 unhold A1\n 9.0 gone T1\n 9.0 gone A1")
    assert [(user, round(since, 1), until) for user, since, until, _ in story.segments()] == [
        ("u101", 1.0, 2.0),
        ("u101", 4.0, None),
        ("u102", 4.0, None),
        ("u101", 6.0, 9.0),
    ]


@pytest.mark.parametrize("press", ["withdraw A2", "withdraw C1"])
def test_consent_taken_back_in_one_call_ends_the_other_too(press: str) -> None:
    plain = REFUSER_ON_HOLD.replace("0.0 mark T1 consent=refused", "").replace("2.0 hold A1", "")
    story = Story().tell(plain + A_COLLEAGUE_IS_CALLED + f"6.0 {press}")
    assert [segment[:3] for segment in story.segments()] == [
        ("u101", 1.0, 6.0),
        ("u101", 4.0, 6.0),
        ("u102", 4.0, 6.0),
    ]


def test_an_exclusion_that_comes_into_force_cuts_what_is_mixed_with_it_at_once() -> None:
    """Of the excluded caller's own call nothing is recorded, so that nothing else happens in it."""
    armed = REFUSER_ON_HOLD.replace("0.0 mark T1 consent=refused", "").replace("2.0 hold A1", "").replace("101", "111")
    story = Story(answers=False).tell(armed + A_COLLEAGUE_IS_CALLED.replace("101", "111"))
    assert [segment[:3] for segment in story.segments()] == [("u102", 4.0, None)]
    story.exclude(6.0, "+4531200118")
    assert [segment[:3] for segment in story.segments()] == [("u102", 4.0, 6.0)]


def test_one_callers_consent_is_not_anothers_who_is_mixed_with_them() -> None:
    """The second caller consented to nothing: they are told first, though the first need not be."""
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(
        """
        0.0 ring T1 trunk +4531200118 > +4570100101
        0.0 mark T1 consent=given evidence=e1
        0.1 down A1 101 linked-T1
        1.0 join T1 B1
        1.0 join A1 B1
        2.0 ring T2 trunk +4531200119 > +4570100101
        2.1 down A2 101 linked-T2
        5.0 join T2 B2
        5.0 join A2 B2
        """
    )
    assert [told.channels for told in story.commands(c.PlayAnnouncement)] == [("T2",)]
    assert [segment[:3] for segment in story.segments()] == [("u101", 1.0, 5.0)]


def test_what_a_group_has_recorded_does_not_record_another_call_of_its_agent() -> None:
    recorded = {"g-ring": GroupPolicy.ALWAYS}
    story = Story(rules(groups=recorded)).tell(
        """
        0.0 ring T1 trunk +4531200118 > +4570100111
        0.0 mark T1 groups=g-ring
        0.1 down A1 111 linked-T1
        1.0 join T1 B1
        1.0 join A1 B1
        3.0 ring A2 111 > 121
        3.1 down C1 121 linked-A2
        4.0 join C1 B2
        4.0 join A2 B2
        """
    )
    assert [segment[:2] for segment in story.segments()] == [("u111", 1.0)]


def test_only_calls_that_a_phone_may_mix_are_looked_at_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def counted(calls: Iterable[CallState], coming: Any = None) -> Any:
        listed = list(calls)
        looked_at.append(len(listed))
        return mixings(listed, coming)

    monkeypatch.setattr(switchboard, "mixings", counted)
    story = Story()
    for number in range(30):
        story.tell(f"0.0 ring X{number} trunk +45312002{number:02} > +4570100121\n0.1 join X{number} Y{number}")
    assert max(looked_at) == 0
    story.tell(REFUSER_ON_HOLD + A_COLLEAGUE_IS_CALLED + "6.0 unhold A1")
    assert max(looked_at) == 2
    assert ("u102", "never", 3) in story.verdicts()
    story.tell("9.0 gone T1\n9.0 gone A1\n9.5 gone A2\n9.5 gone C1\n10.0 gone X0")
    assert looked_at[-1] == 0


def test_a_refuser_on_hold_may_have_been_taken_back_while_nobody_listened() -> None:
    """No log tells of holds: what was recorded beside them since is not kept, and begins anew when all is known."""
    story = Story().tell(REFUSER_ON_HOLD + A_COLLEAGUE_IS_CALLED)
    story.at = NOON + timedelta(seconds=20)
    for happening in tuple(unheld_unheard(story.board.calls.values(), NOON + timedelta(seconds=10))):
        story.happen(happening)
    assert [segment[:3] for segment in story.segments()] == [("u101", 4.0, 10.0), ("u102", 4.0, 10.0)]
    story.tell("20.0 hold A1")
    assert [segment[1] for segment in story.segments()] == [4.0, 4.0, 20.0, 20.0]


@pytest.mark.parametrize("text", [REFUSER_ON_HOLD, A_COLLEAGUE_IS_CALLED, ""], ids=["alone", "no mark", "nothing"])
def test_of_other_holds_nothing_is_assumed(text: str) -> None:
    story = Story().tell(text + ("5.0 hold A2" if "A2" in text else ""))
    assert list(unheld_unheard(story.board.calls.values(), NOON)) == []


A_CALLER = """
    0.0 ring T1 trunk +4531200118 > +4570100101
    0.1 down A1 101 linked-T1
    1.0 join T1 B1
    1.0 join A1 B1
"""
ANOTHER_CALLER = """
    4.0 ring T2 trunk +4531200119 > +4570100101
    4.1 down A2 101 linked-T2
    5.0 join T2 B2
    5.0 join A2 B2
"""
NOT_TOLD = "somebody in another call on the same phone has not been told yet"


def telling(**policy: Any) -> Story:
    return Story(rules(**{"announce": Announce.OR_DO_NOT_RECORD, **policy}))


def of_an_on_demand_user(text: str) -> str:
    return text.replace("101", "111")


def announced(story: Story) -> list[tuple[str, ...]]:
    return [told.channels for told in story.commands(c.PlayAnnouncement)]


def times(story: Story) -> list[tuple[str, float, float | None]]:
    return [segment[:3] for segment in story.segments()]


def erased(story: Story) -> list[int]:
    """Which segments were erased, by their place."""
    made = [intended.media_id for intended in story.entries(e.RecordingIntended)]
    return [made.index(command.media) for command in story.commands(c.EraseMedia)]


def test_a_second_caller_is_heard_in_no_recording_before_they_were_told() -> None:
    story = telling().tell(A_CALLER + "2.0 told 1" + ANOTHER_CALLER)
    assert announced(story) == [("T1",), ("T2",)]
    assert times(story) == [("u101", 2.0, 5.0)], "the first call has a pause for as long as the second is being told"
    story.tell("7.0 told 2")
    assert sorted(times(story)[1:]) == [("u101", 7.0, None), ("u101", 7.0, None)]
    assert story.missed() == [("u101", 5.0, 7.0, NOT_TOLD)]


def test_two_callers_who_are_told_at_the_same_time_wait_for_each_other() -> None:
    story = telling().tell(A_CALLER + ANOTHER_CALLER)
    assert announced(story) == [("T1",), ("T2",)]
    assert times(story) == []
    story.tell("6.0 told 1")
    assert times(story) == []
    story.tell("7.0 told 2")
    assert sorted(times(story)) == [("u101", 7.0, None), ("u101", 7.0, None)]


def test_who_is_in_a_call_that_is_not_recorded_is_told_for_the_other_call_and_only_once() -> None:
    story = telling().tell(of_an_on_demand_user(A_CALLER + "1.5 press A1\n2.0 told 1" + ANOTHER_CALLER))
    assert announced(story) == [("T1",), ("T2",)]
    assert times(story) == [("u111", 2.0, 5.0)]
    story.tell("7.0 told 2")
    assert times(story)[1:] == [("u111", 7.0, None)]
    story.tell("8.0 press A2")
    assert announced(story) == [("T1",), ("T2",)], "their own call knows that they were told"
    assert times(story)[2:] == [("u111", 8.0, None)]


def test_who_cannot_be_told_is_in_no_recording_and_when_they_are_gone_it_goes_on() -> None:
    story = telling().tell(of_an_on_demand_user(A_CALLER + "1.5 press A1\n2.0 told 1" + ANOTHER_CALLER))
    story.tell("6.0 untold 2\n6.5 hold T1\n6.6 unhold T1")
    assert announced(story) == [("T1",), ("T2",)], "it is not tried for ever"
    assert times(story) == [("u111", 2.0, 5.0)]
    story.tell("9.0 gone T2\n9.0 gone A2\n9.5 clock")
    assert times(story)[1:] == [("u111", 9.0, None)]


def test_an_internal_call_into_which_a_caller_is_mixed_waits_until_they_were_told() -> None:
    story = telling().tell(A_COLLEAGUE_IS_CALLED + ANOTHER_CALLER.replace("A2", "A3").replace("B2", "B3"))
    assert [segment[:3] for segment in story.segments()] == [("u101", 4.0, 5.0), ("u102", 4.0, 5.0)]
    assert announced(story) == [("T2",)]
    story.tell("7.0 told 1")
    assert sorted(times(story)[2:]) == [("u101", 7.0, None), ("u101", 7.0, None), ("u102", 7.0, None)]


def test_where_nobody_is_told_two_callers_are_not_cut() -> None:
    story = Story().tell(A_CALLER + ANOTHER_CALLER)
    assert times(story) == [("u101", 1.0, None), ("u101", 5.0, None)]


@pytest.mark.parametrize("policy", [{"withdrawal_erases": True}, {}])
def test_who_withdraws_takes_back_what_the_other_call_recorded_of_them(policy: dict[str, bool]) -> None:
    story = Story(rules(**policy)).tell(A_CALLER + ANOTHER_CALLER + "8.0 withdraw A2")
    assert times(story) == [("u101", 1.0, 8.0), ("u101", 5.0, 8.0)]
    assert sorted(erased(story)) == ([0, 1] if policy else [])


def test_who_was_mixed_in_before_and_withdraws_later_takes_it_back_and_the_other_call_goes_on() -> None:
    story = Story(rules(withdrawal_erases=True)).tell(A_CALLER + ANOTHER_CALLER + "6.0 hold A2\n8.0 withdraw A2")
    assert sorted(erased(story)) == [0, 1]
    assert times(story) == [("u101", 1.0, 8.0), ("u101", 5.0, 6.0), ("u101", 8.0, None)]
    audits = {(entry.action, entry.subject) for entry in story.entries(e.Audited)}
    assert len(audits) == 2, "each call's own audit has it"


def test_what_a_call_that_is_over_recorded_of_them_is_taken_back_by_their_own() -> None:
    story = Story(rules(withdrawal_erases=True)).tell(A_CALLER + ANOTHER_CALLER + "6.0 gone T1\n6.0 gone A1")
    assert len(story.board.calls) == 1
    story.tell("8.0 withdraw A2")
    assert sorted(erased(story)) == [0, 1]
    story.tell("9.0 gone T2\n9.0 gone A2")
    assert story.board.calls == {}


def test_what_was_recorded_while_the_other_call_was_on_hold_is_not_theirs_to_take_back() -> None:
    story = Story(rules(withdrawal_erases=True)).tell(
        A_CALLER + "2.0 hold A1" + ANOTHER_CALLER + "6.0 hold A2\n7.0 unhold A1\n8.0 withdraw A2"
    )
    assert erased(story) == [1]
    assert times(story) == [("u101", 1.0, 2.0), ("u101", 5.0, 6.0), ("u101", 7.03, None)]


def test_a_caller_on_hold_who_was_not_told_may_have_been_taken_back_while_nobody_listened() -> None:
    story = telling().tell(of_an_on_demand_user(A_CALLER + "2.0 hold A1") + A_COLLEAGUE_IS_CALLED.replace("101", "111"))
    found = list(unheld_unheard(story.board.calls.values(), NOON))
    assert [happening.channel for happening in found] == ["A1"]


def test_what_a_phone_mixes_rests_on_the_consent_of_both_callers() -> None:
    given = "    4.5 mark T2 consent=given evidence=e2\n"
    first = A_CALLER.replace("    1.0 join T1", "    0.5 mark T1 consent=given evidence=e1\n    1.0 join T1", 1)
    story = telling().tell(first + ANOTHER_CALLER.replace("    5.0", f"{given}    5.0", 1) + "8.0 hold A2")
    one, two = (intended.media_id for intended in story.entries(e.RecordingIntended))
    assert times(story) == [("u101", 1.0, None), ("u101", 5.0, 8.0)]
    assert {(said.media_id, said.evidence_id) for said in story.entries(e.ConsentRests)} == {(one, "e2"), (two, "e1")}


def test_a_call_that_is_mixed_is_remembered_whole() -> None:
    story = telling().tell(A_CALLER + "2.0 told 1" + ANOTHER_CALLER + "7.0 told 2")
    for call in story.board.calls.values():
        assert call.lent
        assert recall(remember(call)) == call
