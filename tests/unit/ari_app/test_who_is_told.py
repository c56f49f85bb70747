"""Who is told that a call is recorded, when, and what comes of it when they could not be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from call_story import TENANT, Story, rules

from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import Announce
from pbx_plugin.services.explanation import explain_untold

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


INCOMING = """
    0.0 ring T1 trunk {number} > +4570100101
    0.1 down A1 101
    3.0 dial T1 A1 101 ANSWER
    3.0 join A1 B1
    3.0 join T1 B1
"""
OUTGOING = """
    0.0 ring A1 101 > +4531200118
    0.1 down T1 trunk linked-A1
    0.1 dial A1 T1 +4531200118
    3.0 join T1 B1
    3.0 join A1 B1
"""
INTERNAL = """
    0.0 ring A1 101 > 102
    0.1 down A2 102 linked-A1
    3.0 join A2 B1
    3.0 join A1 B1
"""
EVERY_DIRECTION = frozenset(Direction)


def asking(**policy: Any) -> Story:
    return Story(rules(**{"announce": Announce.OR_DO_NOT_RECORD, **policy}))


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


def test_the_time_line_and_the_explanation_say_which_announcement_each_heard() -> None:
    story = asking().tell(CONSENTED + A_SECOND_CALLER)
    (played,) = story.commands(c.PlayAnnouncement)
    spoken = h.Spoken("da", "own 7, draft", "5e" * 32)
    story.happen(h.AnnouncementDone(story.at, played.media, True, spoken={"T2": spoken}))
    assert heard(story)[-1] == ("T2", f"heard to its end: da, text version own 7, draft, SHA-256 {'5e' * 32}")
    call_id = story.call.call_id
    told = explain_untold(story.said, call_id, TENANT, {})
    assert told is not None
    begins, done = told["announcements"]
    assert (done["language"], done["text_version"], done["prompt_sha256"]) == ("da", "own 7, draft", "5e" * 32)
    assert (begins["language"], begins["text_version"], begins["prompt_sha256"]) == ("", "", "")


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


def rests(story: Story) -> list[tuple[int, str]]:
    """Which segment, by its place, rests on which consent beside the one that it names."""
    made = [intended.media_id for intended in story.entries(e.RecordingIntended)]
    return [(made.index(said.media_id), said.evidence_id) for said in story.entries(e.ConsentRests)]


def test_a_recording_of_two_who_consented_rests_on_both_consents() -> None:
    story = asking().tell(CONSENTED + A_SECOND_CALLER.replace("5.1", "5.0 mark T2 consent=given evidence=e2\n5.1"))
    assert [intended.evidence_id for intended in story.entries(e.RecordingIntended)] == ["e1", "e1"]
    assert rests(story) == [(1, "e2")], "the first caller's own part does not"
    story.tell("6.0 hold A1\n7.0 unhold A1\n8.0 gone T1")
    assert rests(story) == [(1, "e2"), (2, "e2"), (3, "e2")]


def test_the_second_who_was_told_is_not_told_again_when_the_first_has_left() -> None:
    story = asking().tell(CONSENTED + A_SECOND_CALLER + "7.0 told 1\n9.0 gone T1")
    assert told(story) == [("T2",)]
    assert [segment[1] for segment in story.segments()] == [3.0, 7.0, 9.0]


@pytest.mark.parametrize(
    ("number", "language"),
    [
        ("+4531200118", "da"),
        ("+46701234567", "sv"),
        ("+31612345678", "nl"),
        ("+4915123456789", "de"),
        ("+436641234567", "de"),
        ("+447400123456", "en"),
        ("+41781234567", "fr"),
        ("anonymous", "fr"),
    ],
)
def test_the_outside_is_told_in_the_language_of_its_country_else_in_the_companys(number: str, language: str) -> None:
    book = rules(announce=Announce.OR_DO_NOT_RECORD)
    tenants = {tenant_id: replace(tenant, language="fr") for tenant_id, tenant in book.tenants.items()}
    story = Story(replace(book, tenants=tenants)).tell(INCOMING.format(number=number))
    (played,) = story.commands(c.PlayAnnouncement)
    assert played.hearers == (c.Hearer("T1", language),)


@pytest.mark.parametrize(
    ("call", "direction", "others"),
    [
        (INCOMING.format(number="+4531200118"), Direction.INCOMING, ("T1",)),
        (OUTGOING, Direction.OUTGOING, ("T1",)),
        (INTERNAL, Direction.INTERNAL, ()),
    ],
    ids=["incoming", "outgoing", "internal"],
)
def test_users_are_told_in_the_directions_that_the_policy_names(
    call: str, direction: Direction, others: tuple[str, ...]
) -> None:
    users = ("A1",) if others else ("A1", "A2")
    assert told(asking(announce_user=EVERY_DIRECTION - {direction}).tell(call)) == ([others] if others else [])
    story = asking(announce_user=frozenset({direction})).tell(call)
    assert told(story) == [others + users]
    assert story.segments() == []
    story.tell("6.0 told 1")
    assert {segment[1] for segment in story.segments()} == {6.0}


def test_users_are_told_in_their_own_language() -> None:
    book = rules(announce_user=EVERY_DIRECTION)
    story = Story(replace(book, users=tuple(replace(user, language="sv") for user in book.users))).tell(INTERNAL)
    (played,) = story.commands(c.PlayAnnouncement)
    assert {hearer.language for hearer in played.hearers} == {"sv"}


def test_a_user_is_told_once_a_call_and_with_them_who_comes_to_it() -> None:
    story = asking(announce_user=EVERY_DIRECTION).tell(INCOMING.format(number="+4531200118") + "5.0 told 1")
    story.tell("6.0 hold A1\n7.0 unhold A1")
    assert told(story) == [("T1", "A1")]
    story.tell("8.0 down A2 102\n8.1 join A2 B1")
    assert told(story)[1:] == [("A2",)]


def test_where_only_users_are_told_consent_of_the_caller_does_not_spare_them() -> None:
    story = asking(announce_user=EVERY_DIRECTION).tell(CONSENTED)
    assert told(story) == [("A1",)]
    story.tell("5.0 untold 1")
    assert story.segments() == []
    assert [gap[3] for gap in story.missed()] == ["the announcement could not be played: gone"]


def test_one_who_did_not_hear_it_bars_the_recording_and_who_heard_it_is_not_told_again() -> None:
    story = asking().tell(
        INCOMING.format(number="+4531200118").replace("101", "111") + A_SECOND_CALLER + "6.0 press A1"
    )
    (played,) = story.commands(c.PlayAnnouncement)
    story.happen(h.AnnouncementDone(story.at, played.media, False, "busy", {"T2": "busy"}))
    assert heard(story)[2:] == [("T1", "heard to its end"), ("T2", "not heard: busy")]
    assert story.segments() == []
    story.tell("9.0 gone T2")
    assert told(story) == [("T1", "T2")]
    assert [segment[:3] for segment in story.segments()] == [("u111", 9.0, None)]


@pytest.mark.parametrize("end", ["5.0 mark T1 consent=refused", "5.0 hold A1", "5.0 press A1"])
def test_an_announcement_that_is_broken_off_says_so(end: str) -> None:
    story = asking().tell(INCOMING.format(number="+4531200118").replace("101", "111") + "4.0 press A1" + f"\n{end}")
    assert heard(story) == [("T1", "begins"), ("T1", "broken off")]
    assert len(story.commands(c.StopAnnouncement)) == 1


def test_who_is_put_through_to_somebody_else_is_not_told_again() -> None:
    story = asking().tell(INCOMING.format(number="+4531200118") + "5.0 told 1\n6.0 left A1 B1\n6.0 gone A1")
    story.tell("7.0 down A2 102\n8.0 join A2 B1")
    assert told(story) == [("T1",)]
    assert [segment[:2] for segment in story.segments()] == [("u101", 5.0), ("u102", 8.0)]
