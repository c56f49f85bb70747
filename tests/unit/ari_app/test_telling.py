"""Who is told that a call is recorded, when, and what comes of it when they could not be."""

from __future__ import annotations

from call_story import Story, rules

from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain.policy import Announce

CONSENTED = """
    0.0 ring T1 trunk +4531200118 > +4570100101
    0.5 mark T1 consent=given evidence=e1
    1.0 down A1 101
    1.1 dial T1 A1 101
    3.0 dial T1 A1 101 ANSWER
    3.0 join A1 B1
    3.0 join T1 B1
"""
A_SECOND_CALLER = """
    5.0 ring T2 trunk +4531200119 > +4570100101
    5.1 join T2 B1
"""
SOMEBODY_DIALLED_BY_THE_CALLER = """
    5.0 down T2 trunk linked-T1
    5.0 dial T1 T2 +4531200119
    5.0 mark T2 consent=given evidence=e1
    5.1 join T2 B1
"""


def asking() -> Story:
    return Story(rules(announce=Announce.OR_DO_NOT_RECORD))


def told(story: Story) -> list[tuple[str, ...]]:
    return [played.channels for played in story.commands(c.PlayAnnouncement)]


def heard(story: Story) -> list[tuple[str, str]]:
    steps = (step for step in story.entries(e.LegMoved) if step.what == "announcement")
    return [(step.channel_id, step.detail) for step in steps]


def test_who_consented_is_not_told_and_who_joins_them_is() -> None:
    story = asking().tell(CONSENTED + A_SECOND_CALLER + "7.0 told 1")
    assert told(story) == [("T2",)]
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 5.1), ("u101", 7.0, None)]
    assert heard(story) == [("T2", "begins"), ("T2", "heard to its end")]


def test_one_callers_consent_does_not_stand_for_another_who_is_alone_with_the_user() -> None:
    story = asking().tell(CONSENTED + A_SECOND_CALLER + "6.0 gone T1")
    assert told(story)[-1] == ("T2",)
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 5.1)], "nothing before T2 was told"
    story.tell("8.0 told 2")
    assert [segment[:3] for segment in story.segments()][1:] == [("u101", 8.0, None)]


def test_a_channel_that_inherited_the_callers_consent_has_not_consented() -> None:
    story = asking().tell(CONSENTED + SOMEBODY_DIALLED_BY_THE_CALLER + "6.0 gone T1")
    assert told(story) == [("T2",), ("T2",)]
    assert len(story.segments()) == 1


def test_two_who_both_consented_are_recorded_at_once() -> None:
    story = asking().tell(CONSENTED + A_SECOND_CALLER.replace("5.1", "5.0 mark T2 consent=given evidence=e2\n5.1"))
    assert told(story) == []
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 5.1), ("u101", 5.1, None)]


def test_the_second_who_was_told_is_not_told_again_when_the_first_has_left() -> None:
    story = asking().tell(CONSENTED + A_SECOND_CALLER + "7.0 told 1\n9.0 gone T1")
    assert told(story) == [("T2",)]
    assert [segment[1] for segment in story.segments()] == [3.0, 7.0, 9.0]
