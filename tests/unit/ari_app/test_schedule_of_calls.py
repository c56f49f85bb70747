"""The schedule as calls meet it: judged when a call begins, and not again while it runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from call_story import TENANT, Story, rules

from pbx_plugin.domain import entries as e
from pbx_plugin.domain.book import Book
from pbx_plugin.domain.schedule import Schedule, Span
from pbx_plugin.services.callmemory import recall, remember

ZONES = {"Europe/Copenhagen": ZoneInfo("Europe/Copenhagen")}
CALL = """
    0.0 ring T1 trunk +4531200118 > +4570100101
    0.1 down A1 101
    0.1 dial T1 A1 101
    3.0 dial T1 A1 101 ANSWER
    3.0 join A1 B1
    3.0 join T1 B1
"""
END = """
    9.0 left A1 B1
    9.0 gone A1
    9.1 left T1 B1
    9.1 gone T1
"""


def sunday(begins: int, ends: int) -> Schedule:
    """The stories begin on a Sunday at 13:00 in Copenhagen."""
    return Schedule("Europe/Copenhagen", (Span(6, begins * 60, ends * 60),))


def under(schedule: Schedule, **policy: object) -> Story:
    return Story(replace(rules(schedule=schedule, **policy), zones=ZONES))


@pytest.mark.parametrize(("begins", "ends", "verdict"), [(13, 14, "record"), (12, 13, "never"), (14, 15, "never")])
def test_a_call_outside_the_schedule_is_never_recorded(begins: int, ends: int, verdict: str) -> None:
    story = under(sunday(begins, ends)).tell(CALL + END)
    (decided,) = story.entries(e.Decided)
    (began,) = story.entries(e.CallBegan)
    assert decided.verdict == verdict
    assert began.off_at_start is (verdict == "never")
    where = "in" if verdict == "record" else "outside"
    assert decided.facts["off_why"] == f"Sunday 2026-11-22 13:00 (Europe/Copenhagen) is {where} the schedule"


def test_a_call_is_recorded_to_its_end_though_the_schedule_has_ended() -> None:
    story = under(sunday(13, 14)).tell(CALL)
    late = replace(story.book, policies={TENANT: replace(story.book.policies[TENANT], schedule=sunday(1, 2))})
    story.board.rules_changed(Book.of(late, story.at), story.at)
    story.tell(END)
    assert story.segments() == [("u101", 3.0, 9.0, "the conversation ended")]


def test_a_restarted_recorder_remembers_how_recording_stood() -> None:
    story = under(sunday(1, 2)).tell(CALL)
    again = recall(remember(story.call))
    assert again == story.call
    assert again.off_at_start
    assert "outside the schedule" in again.off_why
    assert again.policy.schedule == sunday(1, 2)


def test_without_its_time_zone_on_this_machine_nothing_is_recorded() -> None:
    story = Story(rules(schedule=sunday(0, 24))).tell(CALL + END)
    (decided,) = story.entries(e.Decided)
    assert (decided.verdict, decided.rule) == ("never", 6)
    assert "Europe/Copenhagen is not known on this machine" in decided.facts["off_why"]


def test_a_recording_is_kept_as_long_as_the_rule_that_began_it_says() -> None:
    story = Story(rules(retention_days=30, retention_rules={10: 90, 11: 14})).tell(CALL + END)
    (intent,) = story.entries(e.RecordingIntended)
    assert intent.retention_days == 90
    assert intent.at.tzinfo is UTC
