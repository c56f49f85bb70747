"""The recorder comes back in the middle of a call: what it can know again, it knows again."""

from __future__ import annotations

from datetime import timedelta

from call_story import Story

from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h

ANSWERED = """
0.0 ring  T1 trunk +4531200118 > +4570100101
0.1 down  A1 101
0.2 dial  T1 A1 101
3.0 join  A1 B1
3.0 join  T1 B1
"""


def test_a_recording_that_a_killed_recorder_had_only_asked_for_is_asked_for_anew() -> None:
    story = Story(answers=False).tell(ANSWERED)
    (asked,) = story.commands(c.StartCapture)
    story.happen(h.CaptureEnded(story.at + timedelta(milliseconds=50), asked.media))
    assert [command.media != asked.media for command in story.commands(c.StartCapture)] == [False, True]
    assert story.entries(e.Gap) == []


def test_one_press_that_is_told_twice_switches_once() -> None:
    story = Story().tell(ANSWERED.replace("101", "111"))
    press = h.TogglePressed(story.at + timedelta(seconds=1), "A1")
    story.happen(press)
    story.happen(press)
    assert [command.tone for command in story.commands(c.PlayTone)] == ["toggle-on"]
    story.happen(h.TogglePressed(story.at + timedelta(seconds=2), "A1"))
    assert [command.tone for command in story.commands(c.PlayTone)] == ["toggle-on", "toggle-off"]
