"""A call's recording follows the people in it: told as traces, asserted by who was recorded from when to when."""

from __future__ import annotations

from typing import Any

import pytest
from call_story import Story, rules

from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.policy import Announce
from pbx_plugin.services.callmemory import recall, remember

INCOMING = """
    0.0 ring T1 trunk +4531200118 > +4570100{to}
    0.1 down A1 {to}
    0.1 dial T1 A1 {to}
    3.0 dial T1 A1 {to} ANSWER
    3.0 join A1 B1
    3.0 join T1 B1
"""
END = """
    9.0 left A1 B1
    9.0 gone A1
    9.1 left T1 B1
    9.1 gone T1
"""


def test_a_caller_reaches_a_user_who_is_always_recorded() -> None:
    story = Story().tell(INCOMING.format(to=101) + END)
    assert story.verdicts() == [("u101", "record", 10)]
    assert story.segments() == [("u101", 3.0, 9.0, "the conversation ended")]
    assert story.board.calls == {}
    (intent,) = story.entries(e.RecordingIntended)
    assert (intent.in_side, intent.user_side, intent.direction) == ("right", "left", "incoming")
    assert (intent.anchor_channel, intent.other_e164, intent.ddi) == ("T1", "+4531200118", "+4570100101")
    (ended,) = story.entries(e.CallEnded)
    assert ended.outcome == "answered"


def test_nobody_answers() -> None:
    story = Story().tell("""
        0.0 ring T1 trunk +4531200118 > +4570100101
        0.1 down A1 101
        0.1 dial T1 A1 101
        9.0 gone A1
        9.0 gone T1
    """)
    assert story.verdicts() == []
    assert [entry.outcome for entry in story.entries(e.CallEnded)] == ["not answered"]


def test_a_user_calls_out_and_the_other_side_is_the_anchor() -> None:
    story = Story().tell("""
        0.0 ring A1 101 > 31200118
        0.1 down T1 trunk linked-A1
        0.1 dial A1 T1 31200118
        2.0 join T1 B1
        2.0 join A1 B1
        5.0 gone T1
        5.0 gone A1
    """)
    (intent,) = story.entries(e.RecordingIntended)
    assert (intent.anchor_channel, intent.direction, intent.other_e164) == ("T1", "outgoing", "+4531200118")
    assert intent.in_side == "right"


def test_an_internal_call_of_always_and_never_has_one_recording_and_two_decisions() -> None:
    story = Story().tell("""
        0.0 ring A1 101 > 121
        0.1 down N1 121 linked-A1
        2.0 join A1 B1
        2.0 join N1 B1
        6.0 gone A1
        6.0 gone N1
    """)
    assert sorted(story.verdicts()) == [("u101", "record", 10), ("u121", "never", 5)]
    (intent,) = story.entries(e.RecordingIntended)
    assert (intent.user_id, intent.anchor_channel, intent.in_side, intent.user_side) == ("u101", "A1", "left", "left")


def test_two_always_users_own_a_recording_each_on_one_capture() -> None:
    story = Story().tell("""
        0.0 ring A1 101 > 102
        0.1 down A2 102 linked-A1
        2.0 join A1 B1
        2.0 join A2 B1
        6.0 gone A2
        6.0 gone A1
    """)
    assert len(story.commands(c.StartCapture)) == 1
    sides = {entry.user_id: entry.user_side.value for entry in story.entries(e.RecordingIntended)}
    assert sides == {"u101": "left", "u102": "right"}


def test_a_user_on_demand_presses_on_off_on() -> None:
    story = Story().tell(
        INCOMING.format(to=111)
        + """
        4.0 press A1
        5.0 press A1
        6.0 press A1
        """
        + END
    )
    assert [(start, end) for _, start, end, _ in story.segments()] == [(4.0, 5.0), (6.0, 9.0)]
    assert [tone.tone for tone in story.commands(c.PlayTone)] == ["toggle-on", "toggle-off", "toggle-on"]


def test_an_outside_caller_presses_the_code_and_nothing_happens() -> None:
    story = Story().tell(INCOMING.format(to=111) + "4.0 press T1" + END)
    assert story.segments() == []
    assert story.commands(c.PlayTone) == []


def test_a_user_who_is_never_recorded_is_refused_with_a_tone() -> None:
    story = Story().tell(INCOMING.format(to=121) + "4.0 press A1" + END)
    assert story.segments() == []
    assert [tone.tone for tone in story.commands(c.PlayTone)] == ["denied"]


def test_the_announcement_is_heard_before_recording_starts() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(INCOMING.format(to=101) + "6.0 told 1" + END)
    assert story.segments() == [("u101", 6.0, 9.0, "the conversation ended")]
    (played,) = story.commands(c.PlayAnnouncement)
    assert played.channels == ("T1",)
    assert len(story.verdicts()) == 1


def test_an_announcement_that_could_not_be_played_leaves_a_gap_and_no_recording() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(INCOMING.format(to=101) + "6.0 untold 1" + END)
    assert story.segments() == []
    (gap,) = story.gaps()
    assert "announcement" in gap.reason


def test_best_effort_records_though_nobody_was_told() -> None:
    story = Story(rules(announce=Announce.BEST_EFFORT)).tell(INCOMING.format(to=101) + "6.0 untold 1" + END)
    assert [segment[1] for segment in story.segments()] == [6.0]


@pytest.mark.parametrize(
    ("told", "recorded"),
    [
        ({"announce": Announce.BEST_EFFORT, "announce_rules": {10: Announce.OR_DO_NOT_RECORD}}, []),
        ({"announce": Announce.OR_DO_NOT_RECORD, "announce_rules": {10: Announce.BEST_EFFORT}}, [6.0]),
    ],
    ids=["harder for the rule", "softer for the rule"],
)
def test_what_an_unheard_announcement_means_is_what_the_policy_says_of_the_rule(
    told: dict[str, Any], recorded: list[float]
) -> None:
    story = Story(rules(**told)).tell(INCOMING.format(to=101) + "6.0 untold 1" + END)
    assert [segment[1] for segment in story.segments()] == recorded


def test_the_announcement_is_heard_once_although_recording_is_switched_twice() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(
        INCOMING.format(to=111)
        + """
        4.0 press A1
        5.0 told 1
        6.0 press A1
        7.0 press A1
        """
        + END
    )
    assert [(start, end) for _, start, end, _ in story.segments()] == [(5.0, 6.0), (7.0, 9.0)]
    assert len(story.commands(c.PlayAnnouncement)) == 1


def test_recording_switched_off_during_the_announcement_never_starts() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(
        INCOMING.format(to=111) + "4.0 press A1\n 4.5 press A1\n 6.0 told 1" + END
    )
    assert story.segments() == []
    assert len(story.commands(c.StopAnnouncement)) == 1


@pytest.mark.parametrize(
    ("marks", "rule"),
    [
        ("consent=required groups=g-ring", 4),
        ("consent=refused groups=g-refused", 3),
        ("consent=refused", 3),
        ("groups=g-ring", 4),
    ],
)
def test_marks_of_the_caller_bar_an_always_user(marks: str, rule: int) -> None:
    story = Story().tell(INCOMING.replace("0.1 down", f"0.05 mark T1 {marks}\n    0.1 down").format(to=101) + END)
    assert story.verdicts() == [("u101", "never", rule)]
    assert story.segments() == []


def test_consent_given_in_the_recorded_group_is_recorded() -> None:
    story = Story().tell(
        INCOMING.replace("0.1 down", "0.05 mark T1 consent=given evidence=ev1 groups=g-ring\n    0.1 down").format(
            to=111
        )
        + END
    )
    assert story.verdicts() == [("u111", "record", 9)]
    (intent,) = story.entries(e.RecordingIntended)
    assert (intent.evidence_id, intent.group_id) == ("ev1", "g-ring")


def test_a_refusal_stays_when_the_call_is_transferred_and_its_leg_is_gone() -> None:
    story = Story().tell(
        INCOMING.replace("0.1 down", "0.05 mark T1 consent=refused\n    0.1 down").format(to=121)
        + """
        5.0 left A1 B1
        5.1 gone A1
        5.1 down A2 101
        6.0 join A2 B1
        9.0 gone A2
        9.0 gone T1
        """
    )
    assert ("u101", "never", 3) in story.verdicts()
    assert story.segments() == []


def test_a_second_leg_with_clean_variables_does_not_wash_the_mark_off() -> None:
    story = Story().tell(
        INCOMING.replace("0.1 down", "0.05 mark T1 consent=refused\n    0.1 down").format(to=121)
        + "4.0 mark T1 consent=given\n"
    )
    assert story.call.marks.consent is Consent.REFUSED


def test_a_caller_who_must_be_asked_stays_so_though_the_variable_is_gone() -> None:
    story = Story().tell(
        INCOMING.replace("0.1 down", "0.05 mark T1 consent=required\n    2.9 mark T1\n    0.1 down").format(to=101)
        + END
    )
    assert story.verdicts() == [("u101", "never", 4)]
    assert story.segments() == []


def test_a_blind_transfer_starts_a_new_segment_for_the_new_user() -> None:
    story = Story().tell(
        INCOMING.format(to=101)
        + """
        5.0 left A1 B1
        5.0 gone A1
        5.2 down A2 102
        6.0 join A2 B1
        8.0 gone A2
        8.0 gone T1
        """
    )
    assert story.segments() == [
        ("u101", 3.0, 5.0, "the conversation ended"),
        ("u102", 6.0, 8.0, "the conversation ended"),
    ]


def test_hold_closes_the_segment_and_taking_back_opens_the_next() -> None:
    story = Story().tell(INCOMING.format(to=101) + "4.0 hold A1\n 6.0 unhold A1" + END)
    assert story.segments() == [("u101", 3.0, 4.0, "hold"), ("u101", 6.03, 9.0, "the conversation ended")]


def test_parking_is_no_conversation() -> None:
    story = Story().tell(
        INCOMING.format(to=101) + "4.0 left A1 B1\n 4.0 gone A1\n 4.0 left T1 B1\n 4.1 park T1 P1\n 8.0 gone T1"
    )
    assert story.segments() == [("u101", 3.0, 4.0, "the conversation ended")]


def test_a_queue_member_behind_a_local_channel_is_found() -> None:
    story = Story().tell("""
        0.0 ring T1 trunk +4531200118 > +4570100101
        0.1 down L1 Local/101@agents-00000001;1
        0.1 down L2 Local/101@agents-00000001;2
        0.2 down A1 101
        3.0 join L2 B2
        3.0 join A1 B2
        3.1 join T1 B1
        3.1 join L1 B1
        9.0 gone A1
    """)
    assert story.segments() == [("u101", 3.1, 9.0, "the conversation ended")]
    (intent,) = story.entries(e.RecordingIntended)
    assert intent.anchor_channel == "T1"


def test_a_completed_attended_transfer_of_a_refuser_stops_at_the_merge() -> None:
    story = Story().tell("""
        0.0 ring T1 trunk +4531200118 > +4570100121
        0.0 mark T1 consent=refused
        0.1 down A1 121 linked-T1
        1.0 join T1 B1
        1.0 join A1 B1
        2.0 hold A1
        3.0 ring A2 121 > 101
        3.1 down C1 101 linked-A2
        4.0 join A2 B2
        4.0 join C1 B2
        7.0 left A1 B1
        7.0 left C1 B2
        7.0 join C1 B1
        7.0 gone A1
        7.0 gone A2
        9.0 gone C1
        9.0 gone T1
    """)
    assert story.segments() == [("u101", 4.0, 7.0, "the conversation ended")]
    assert ("u101", "never", 3) in story.verdicts()
    assert len(story.entries(e.CallMerged)) == 1


def test_a_new_exclusion_acts_on_a_running_call() -> None:
    story = Story().tell(INCOMING.format(to=101)).exclude(5.0, "+4531200118").tell(END)
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 5.0)]
    assert story.verdicts()[-1] == ("u101", "never", 2)


def test_the_intent_is_said_before_the_capture_is_asked_for() -> None:
    order: list[str] = []
    story = Story(answers=False)
    inner = story.board._perform

    def watch(call: object, commands: list[c.Command]) -> None:
        for command in commands:
            kinds = (
                [entry.kind for entry in command.entries] if isinstance(command, c.Write) else [type(command).__name__]
            )
            order.extend(kinds)
        inner(call, commands)  # type: ignore[arg-type]

    story.board._perform = watch
    story.tell(INCOMING.format(to=101))
    assert order.index("recording intended") < order.index("Remember", order.index("recording intended"))
    assert order.index("recording intended") < order.index("StartCapture")


def test_every_event_may_come_twice() -> None:
    once, twice = Story(), Story()
    lines = (INCOMING.format(to=101) + END).splitlines()
    once.tell("\n".join(lines))
    twice.tell("\n".join(line for line in lines for _ in (1, 2)))
    assert twice.segments() == once.segments()
    assert twice.verdicts() == once.verdicts()


def test_what_is_remembered_comes_back_whole() -> None:
    story = Story().tell(INCOMING.format(to=101))
    assert recall(remember(story.call)) == story.call


def test_consent_given_on_one_call_does_not_lift_what_a_group_asks_of_the_other() -> None:
    story = Story().tell("""
        0.0 ring T1 trunk +4531200118 > +4570100121
        0.0 mark T1 consent=given evidence=ev1 groups=g-ring
        0.1 down A1 121 linked-T1
        1.0 join T1 B1
        1.0 join A1 B1
        3.0 ring T2 trunk +4531200119 > +4570100101
        3.0 mark T2 groups=g-ring
        3.1 down C1 101 linked-T2
        4.0 join T2 B2
        4.0 join C1 B2
        7.0 left A1 B1
        7.0 gone A1
        7.0 left C1 B2
        7.0 join C1 B1
        9.0 gone C1
    """)
    assert story.segments() == []


def test_an_exclusion_that_was_found_stays_with_the_call() -> None:
    story = Story().exclude(0.0, "+4531200118")
    story.tell(INCOMING.format(to=101)).exclude(5.0, "+4531200999").tell(END)
    assert story.segments() == []
