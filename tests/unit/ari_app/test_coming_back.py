"""The recorder comes back in the middle of a call: what it can know again, it knows again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from call_story import Story

from pbx_plugin.ari_app.resync import changed_unheard, missed
from pbx_plugin.asterisk import variables
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import Phase

ANSWERED = """
0.0 ring  T1 trunk +4531200118 > +4570100101
0.1 down  A1 101
0.2 dial  T1 A1 101
3.0 join  A1 B1
3.0 join  T1 B1
"""
HELD, FREE = {"on_hold": True}, {"on_hold": False}


def channel(channel_id: str, device: str, **more: Any) -> dict[str, Any]:
    marks = dict.fromkeys(variables.CHANNEL_VARIABLES, "") | {variables.LINKEDID: "linked-T1"}
    return {"id": channel_id, "name": f"PJSIP/{device}-00000001", "state": "Up", "channelvars": marks, **more}


def come_back(story: Story, seconds: float, *channels: dict[str, Any]) -> None:
    """Look at Asterisk, where these channels are in one bridge, after ``seconds`` without a word from it."""
    at = story.at + timedelta(seconds=seconds)
    bridge = {"id": "B1", "technology": "simple_bridge", "channels": [one["id"] for one in channels]}
    for happening in missed(tuple(story.board.calls.values()), list(channels), [bridge], at):
        story.happen(happening)


@pytest.mark.parametrize(("before", "trunk", "recorded"), [("hold", FREE, True), ("unhold", HELD, False)])
def test_a_hold_that_began_or_ended_unheard_is_known_from_who_is_on_hold(
    before: str, trunk: dict[str, Any], recorded: bool
) -> None:
    story = Story().tell(ANSWERED + f"4.0 {before} A1")
    come_back(story, 60, channel("A1", "101", on_hold=False), channel("T1", "trunk", **trunk))
    story.happen(h.RulesChanged(story.at + timedelta(seconds=61)))
    assert any(capture.live for capture in story.call.captures.values()) is recorded


def test_without_asterisks_word_on_it_a_hold_stays_as_it_was() -> None:
    story = Story().tell(ANSWERED + "4.0 hold A1")
    come_back(story, 60, channel("A1", "101"), channel("T1", "trunk"))
    assert story.call.legs["A1"].held


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RECORDING])
def test_nothing_is_kept_of_a_conversation_that_ended_unheard(phase: Phase) -> None:
    story = Story(answers=phase is Phase.RECORDING).tell(ANSWERED)
    story.answers = False
    before = {media: capture.phase for media, capture in story.call.captures.items()}
    assert list(before.values()) == [phase]
    heard = story.at
    come_back(story, 60, channel("T1", "trunk"))
    (changed,) = changed_unheard(story.board.calls.values(), before, heard)
    story.happen(changed)
    assert story.entries(e.RecordingClosed)[-1].at == heard


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


def test_the_direct_number_stays_known_when_the_caller_is_joined_to_a_call_that_is_older() -> None:
    story = Story().tell("""
        0.0 ring A2 102 > 101
        0.1 down A1 101 linked-A2
        1.0 join A2 B1
        1.0 join A1 B1
        2.0 ring T1 trunk +4531200118 > +4570100101
        2.1 down A3 101 linked-T1
        3.0 join A3 B2
        3.0 join T1 B2
        9.0 left T1 B2
        9.0 left A1 B1
        9.0 join T1 B1
        9.0 gone A1
        9.0 gone A3
        9.5 hold A2
        9.9 unhold A2
       12.0 mark T1
    """)
    assert {
        intent.ddi for intent in story.entries(e.RecordingIntended) if intent.at > story.at - timedelta(seconds=3)
    } == {"+4570100101"}
