"""One segment's way from the announcement to its end: whatever answers come, and in whichever order."""

from __future__ import annotations

from datetime import timedelta

from call_story import NOON, Story, rules

from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.policy import Announce

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
THREE = """
    4.0 ring T2 trunk +4531200119 > +4570100101
    4.1 join T2 B1
"""


def test_everybody_outside_is_told_before_a_call_of_three_is_recorded_and_nobody_twice() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(INCOMING.format(to=101) + "3.9 told 1" + THREE)
    assert [played.channels for played in story.commands(c.PlayAnnouncement)] == [("T1",), ("T2",)]
    assert len(story.segments()) == 1
    story.tell("6.0 told 2\n 8.0 gone T2")
    assert [segment[1:3] for segment in story.segments()] == [(3.9, 4.1), (6.0, 8.0), (8.0, None)]
    assert len(story.commands(c.PlayAnnouncement)) == 2


def test_two_outside_parties_who_were_never_told_are_both_told() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(INCOMING.format(to=111) + THREE + "5.0 press A1")
    assert [played.channels for played in story.commands(c.PlayAnnouncement)] == [("T1", "T2")]


def test_a_recording_that_asterisk_refused_is_not_tried_in_a_loop() -> None:
    story = Story(answers=False).tell(INCOMING.format(to=101))
    (asked,) = story.commands(c.StartCapture)
    story.happen(h.CaptureFailed(story.at, asked.media, "no space"))
    story.happen(h.CaptureEnded(story.at, asked.media))
    assert len(story.commands(c.StartCapture)) == 1
    assert story.commands(c.FinaliseMedia) == []


def test_a_recording_that_failed_is_tried_again_when_the_recorder_is_connected_anew() -> None:
    story = Story(answers=False).tell(INCOMING.format(to=101))
    (asked,) = story.commands(c.StartCapture)
    story.happen(h.CaptureFailed(story.at, asked.media, "no answer"))
    story.happen(h.TryAgain(story.at, asked.media))
    assert [gap.reason for gap in story.gaps()] == ["no answer"]
    first, second = story.commands(c.StartCapture)
    assert second.media != first.media


def test_an_announcement_that_a_restart_broke_off_is_made_again() -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(INCOMING.format(to=101))
    (played,) = story.commands(c.PlayAnnouncement)
    story.happen(h.TryAgain(story.at, played.media))
    story.tell("7.0 told 2")
    assert [segment[:2] for segment in story.segments()] == [("u101", 7.0)]


def test_a_stop_in_the_middle_of_a_start_ends_in_one_outcome_whichever_answer_comes_first() -> None:
    for answers in (("failed", "ended"), ("started", "ended"), ("ended", "failed"), ("ended", "started")):
        story = Story(answers=False).tell(INCOMING.format(to=101) + "3.0 mark T1 consent=refused")
        (asked,) = story.commands(c.StartCapture)
        assert len(story.commands(c.StopCapture)) == 1
        for answer in answers:
            match answer:
                case "failed":
                    story.happen(h.CaptureFailed(story.at, asked.media, "not wanted"))
                case "started":
                    story.happen(h.CaptureStarted(story.at, asked.media, story.at, story.at))
                case "ended":
                    story.happen(h.CaptureEnded(story.at, asked.media))
        if story.call.captures:
            assert len(story.commands(c.FinaliseMedia)) == 1
            story.happen(h.MediaSettled(story.at, asked.media))
        assert story.call.captures == {}
        assert len(story.commands(c.StartCapture)) == 1


def test_a_recording_of_three_names_the_outside_party_not_the_colleague() -> None:
    story = Story().tell("""
        0.0 ring A2 102 > 101
        0.1 down A1 101 linked-A2
        1.0 join A2 B1
        1.0 join A1 B1
        2.0 ring T1 trunk +4531200118 > +4570100101
        3.0 join T1 B1
    """)
    last = [intent for intent in story.entries(e.RecordingIntended) if intent.anchor_channel == "T1"]
    assert {(intent.user_id, intent.other_e164) for intent in last} == {
        ("u101", "+4531200118"),
        ("u102", "+4531200118"),
    }


def test_a_recording_that_asterisk_ends_at_once_is_not_begun_again_and_again() -> None:
    story = Story().tell(INCOMING.format(to=101))
    (first,) = story.call.captures
    story.at = NOON + timedelta(seconds=3.3)
    story.happen(h.CaptureEnded(story.at, first))
    assert len(story.commands(c.StartCapture)) == 1
    story.tell(END)
    assert [gap.reason for gap in story.gaps()] == ["Asterisk ended the recording at once"]
    assert story.board.calls == {}


def test_what_asterisk_refused_is_tried_again_now_and_then_and_the_gap_is_whole() -> None:
    story = Story().tell(INCOMING.format(to=111) + "4.0 press A1")
    (first,) = story.call.captures
    story.at = NOON + timedelta(seconds=6.1)  # a disk is full: its first 32 kB could not be written
    story.happen(h.CaptureEnded(story.at, first))
    story.tell("16.0 clock")
    assert len(story.commands(c.StartCapture)) == 1
    story.tell("16.2 clock\n16.5 clock")
    assert len(story.commands(c.StartCapture)) == 2
    assert story.tones() == ["toggle-on"], "nobody hears a tone for each attempt"
    story.tell("19.0 gone A1\n19.0 gone T1")
    assert story.missed() == [("u111", 6.1, 16.2, "Asterisk ended the recording at once")]


def test_a_recording_that_asterisk_ended_later_goes_on_as_a_new_segment() -> None:
    story = Story().tell(INCOMING.format(to=101))
    (first,) = story.call.captures
    story.at = NOON + timedelta(seconds=8.5)
    story.happen(h.CaptureEnded(story.at, first))
    assert [segment[1:3] for segment in story.segments()] == [(3.0, 8.5), (8.5, None)]
