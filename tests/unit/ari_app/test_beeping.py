"""The periodic beep: at its seconds, to whom the policy says, and only while somebody is recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from call_story import NOON, Story, rules
from pbx_double import Works, found_sound

from pbx_plugin.ari_app.beeping import Beeper
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.beeping import Beep, beep_which
from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import BeepTo

BEEP = Beep("T1", "every 15 s on incoming calls")

CALL = """
    0.0 ring T1 trunk +4531200118 > +4570100111
    0.1 down A1 111
    3.0 join A1 B1
    3.0 join T1 B1
    4.0 press A1
"""
INTERNAL = """
    0.0 ring A1 101 > 121
    0.1 down A2 121 linked-A1
    3.0 join A2 B1
    3.0 join A1 B1
"""


OUTGOING = """
    0.0 ring A1 111 > +4531200118
    0.1 down T1 +4531200118 linked-A1
    3.0 join A1 B1
    3.0 join T1 B1
    4.0 press A1
"""


class Listener:
    """Looks at a story's calls four times a second, and writes down who heard a beep when."""

    def __init__(self, story: Story, since: float = 4.0) -> None:
        self.story, self.at = story, since
        self.heard: list[tuple[float, str]] = []
        self.settings: set[str] = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        self._beeper = Beeper(lambda call, beep: self._hear(beep))

    def _hear(self, beep: Beep) -> None:
        self.heard.append((self.at, beep.channel))
        self.settings.add(beep.setting)

    def until(self, seconds: float) -> Listener:
        while self.at < seconds:
            self._beeper.look(self.story.board.calls.values(), NOON + timedelta(seconds=self.at))
            self.at += 0.25
        return self


def story(**policy: Any) -> Story:
    return Story(rules(**{"beep_seconds": 15, **policy}))


@pytest.mark.parametrize(
    ("beep_to", "call", "channels"),
    [
        (BeepTo.BOTH, CALL, ["T1", "A1"]),
        (BeepTo.OTHER, CALL, ["T1"]),
        (BeepTo.USER, CALL, ["A1"]),
        (BeepTo.USER, INTERNAL, ["A1"]),
        (BeepTo.OTHER, INTERNAL, ["A2"]),
    ],
)
def test_the_beep_is_heard_by_those_whom_the_policy_names(beep_to: BeepTo, call: str, channels: list[str]) -> None:
    heard = Listener(story(beep_to=beep_to).tell(call)).until(20).heard
    assert [channel for _, channel in heard] == channels


@pytest.mark.parametrize(
    ("direction", "call", "every"),
    [(Direction.INCOMING, CALL, 15), (Direction.INTERNAL, INTERNAL, 20), (Direction.OUTGOING, OUTGOING, 30)],
)
def test_each_direction_has_its_own_seconds_and_ears(direction: Direction, call: str, every: int) -> None:
    told = story(
        beep_to=BeepTo.OTHER,
        beep_to_directions={direction: BeepTo.USER},
        beep_seconds_directions={Direction.INTERNAL: 20, Direction.OUTGOING: 30},
    ).tell(call)
    listener = Listener(told).until(34.5)
    (segment,) = told.call.captures.values()
    assert segment.in_at is not None
    begins = (segment.in_at - NOON).total_seconds()
    due = [begins + every * n for n in range(1, 3) if begins + every * n < 34.5]
    assert listener.heard == [(at, "A1") for at in due]
    assert listener.settings == {f"every {every} s on {direction.value} calls"}


def test_a_direction_can_beep_alone_or_be_spared_alone() -> None:
    alone = {"beep_seconds": 0, "beep_seconds_directions": {Direction.INCOMING: 10}}
    spared = {"beep_seconds": 10, "beep_seconds_directions": {Direction.INTERNAL: 0}}
    for policy in (alone, spared):
        assert Listener(story(**policy).tell(CALL)).until(20).heard != []
        assert Listener(story(**policy).tell(INTERNAL)).until(20).heard == []


def test_it_comes_every_so_often_and_not_at_the_beginning() -> None:
    heard = Listener(story(beep_to=BeepTo.USER).tell(CALL)).until(60).heard
    assert heard == [(19.0, "A1"), (34.0, "A1"), (49.0, "A1")]


def test_nobody_hears_one_by_default() -> None:
    assert Listener(Story().tell(CALL)).until(130).heard == []


@pytest.mark.parametrize("end", ["press A1", "hold A1", "gone T1", "mark T1 consent=refused"])
def test_it_stops_with_the_recording(end: str) -> None:
    told = story().tell(CALL)
    listener = Listener(told).until(20)
    told.tell(f"20.0 {end}")
    assert len(listener.until(60).heard) == 2


def test_a_recording_that_asterisk_has_yet_to_close_beeps_no_more() -> None:
    told = Story(rules(beep_seconds=15), answers=False).tell(CALL)
    (asked,) = told.commands(c.StartCapture)
    told.happen(h.CaptureStarted(told.at, asked.media, told.at, told.at))
    listener = Listener(told).until(10)
    told.tell("10.0 hold A1")
    assert list(told.call.captures) == [asked.media]
    assert listener.until(40).heard == []


def test_what_is_recorded_anew_counts_its_seconds_anew() -> None:
    told = story(beep_to=BeepTo.USER).tell(CALL)
    listener = Listener(told).until(10)
    told.tell("10.0 press A1\n12.0 press A1")
    assert listener.until(45).heard == [(27.0, "A1"), (42.0, "A1")]


def test_a_recorder_that_was_away_makes_up_for_none() -> None:
    listener = Listener(story(beep_to=BeepTo.USER).tell(CALL)).until(10)
    listener.at = 50.0
    listener.begin_anew()
    assert listener.until(70).heard == [(64.0, "A1")]


def test_one_that_comes_late_comes_once() -> None:
    listener = Listener(story(beep_to=BeepTo.USER).tell(CALL)).until(10)
    listener.at = 51.0
    assert listener.until(63).heard == [(51.0, "A1")]


def test_a_clock_that_is_set_does_not_hurry_it() -> None:
    told = story(beep_to=BeepTo.USER).tell(CALL)
    listener = Listener(told).until(10)
    told.board.clock_moved(NOON + timedelta(seconds=3610), timedelta(seconds=3600))
    listener.at += 3600
    assert listener.until(3600 + 40).heard == [(3619.0, "A1"), (3634.0, "A1")]


async def test_each_beep_is_in_the_time_line_by_the_calls_own_clock() -> None:
    works = Works()
    works.performer.beep(works.call, BEEP)
    await works.done()
    (step,) = works.disk.said
    assert isinstance(step, e.LegMoved)
    assert (step.call_id, step.channel_id, step.what) == (works.call.call_id, "T1", "beep")
    assert step.detail.startswith("heard: every 15 s on incoming calls, ")
    sound = found_sound("", "beep")
    assert beep_which(step.detail) == h.Spoken("", sound.text_version, sound.sha256)
    assert works.asterisk.told == ["T1"]
    assert works.asterisk.snoops == set()


async def test_of_a_tone_that_is_replaced_while_it_is_heard_nobody_says_which_it_was() -> None:
    works = Works()
    sounds = iter([found_sound("", "beep"), found_sound("other", "beep")])
    works.performer._find_sound = lambda *_: next(sounds)
    works.performer.beep(works.call, BEEP)
    await works.done()
    (step,) = works.disk.said
    assert isinstance(step, e.LegMoved)
    assert step.detail.startswith("heard: every 15 s on incoming calls, and which tone is not known")
    assert beep_which(step.detail) is None


@pytest.mark.parametrize("missing", [True, False])
async def test_a_beep_that_could_not_be_played_says_so_and_ends_nothing(missing: bool) -> None:
    works = Works()
    if missing:
        works.performer._find_sound = lambda *_: None
    else:
        works.asterisk.away["play"] = 1
    works.performer.beep(works.call, BEEP)
    await works.done()
    (step,) = works.disk.said
    assert isinstance(step, e.LegMoved)
    assert step.detail.startswith("not heard: ")
    assert works.heard == []


async def test_a_full_disk_takes_the_word_of_a_beep_and_not_the_beep() -> None:
    works = Works()
    works.disk.refusing = 1
    works.performer.beep(works.call, BEEP)
    await works.done()
    assert works.asterisk.told == ["T1"]
    assert works.disk.said == []
