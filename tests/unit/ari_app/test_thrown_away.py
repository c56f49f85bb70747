"""What Asterisk threw away for want of CPU is a gap of its own, once for each user, and survives a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from call_story import NOON, Story
from test_calls import END, INCOMING

from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.losses import ENDED_EARLY, STARVED, losses
from pbx_plugin.domain.pacing import KEPT_TIME, Lag, Pace, Paces
from pbx_plugin.services.callmemory import recall, remember

BOTH, LEFT, RIGHT = f"{STARVED}: both sides", f"{STARVED}: the left side", f"{STARVED}: the right side"

ONCE: Pace = (Lag(9_000, 0), Lag(11_000, 960), Lag(50_000, 970))
"""Two queues at about ten seconds."""

LATER: Pace = (Lag(9_500, 0), Lag(11_500, 960), Lag(50_000, 970))

AT_THE_END: Pace = (Lag(58_000, 0), Lag(59_500, 400))


def second(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


WANTED = c.FinaliseMedia("m", "t", "in", "out", "right", NOON, NOON, NOON, second(60))


def told(paces: Paces, length_s: float = 60.0, **other: Any) -> list[tuple[float, float, str]]:
    became = e.RecordingStored("m", NOON, "a.wav", "a.json", "", 1, 8000, round(length_s * 1000), False, False)
    found = losses(replace(WANTED, paces=paces, **other), became)
    return [(rounded(one.since), rounded(one.until), one.reason) for one in found]


def rounded(at: datetime) -> float:
    return round((at - NOON).total_seconds(), 1)


@pytest.mark.parametrize(
    ("paces", "expected"),
    [
        (KEPT_TIME, []),
        ((ONCE, ()), [(10.5, 11.5, RIGHT)]),
        (((), ONCE), [(10.5, 11.5, LEFT)]),
        ((ONCE, ONCE), [(10.5, 11.5, BOTH)]),
        ((ONCE, LATER), [(10.5, 12.0, BOTH)]),
        ((AT_THE_END, ()), [(59.6, 60.0, RIGHT)]),
        (((Lag(58_000, 0), Lag(59_500, 200)), ()), []),
    ],
    ids=["none", "right", "left", "both", "overlapping", "in the queue at the end", "not worth a word"],
)
def test_each_place_is_told_once_whatever_the_sides(paces: Paces, expected: list[tuple[float, float, str]]) -> None:
    assert told(paces) == expected


def test_the_other_side_began_later() -> None:
    assert told(((), ONCE), out_at=second(0.5)) == [(11.0, 12.0, LEFT)]


def test_what_is_behind_the_end_of_the_file_is_told_once() -> None:
    assert told((ONCE, ONCE), 40.0) == [(10.5, 11.5, BOTH), (40.0, 60.0, ENDED_EARLY)]
    assert told(((), (*ONCE, Lag(52_000, 8000))), 50.0)[-1] == (50.0, 60.0, ENDED_EARLY)


def test_what_is_known_by_its_end_only_is_told_as_much_as_it_is() -> None:
    """The recorder was away while it happened."""
    alone: Pace = (Lag(56_700, 3300),)
    assert told((alone, alone), 56.7) == [(56.7, 60.0, f"{STARVED}: nobody saw where in the recording")]


def finalised(paces: Paces) -> tuple[Story, c.FinaliseMedia]:
    story = Story(answers=False).tell(INCOMING.format(to=101))
    (start,) = story.commands(c.StartCapture)
    story.happen(h.CaptureStarted(second(3.1), start.media, second(3.1), second(3.1)))
    story.tell(END)
    story.happen(h.CaptureEnded(second(9.2), start.media, paces))
    (wanted,) = story.commands(c.FinaliseMedia)
    return story, wanted


def test_the_finaliser_is_told_how_the_files_were_written_again_after_a_restart() -> None:
    paces: Paces = ((Lag(2000, 0), Lag(4000, 900)), ())
    story, wanted = finalised(paces)
    assert wanted.paces == paces
    assert recall(remember(story.call)) == story.call
    story.happen(h.FinaliserLost(second(20), wanted.media))
    assert [command.paces for command in story.commands(c.FinaliseMedia)] == [paces, paces]


def test_each_stretch_is_a_gap_and_one_complaint() -> None:
    story, wanted = finalised(((Lag(2000, 0), Lag(3000, 500)), ()))
    became = e.RecordingStored(wanted.media, NOON, "a.wav", "a.json", "", 1, 8000, 5900, False, False)
    stretches = losses(wanted, became)
    twice = (*stretches, replace(stretches[0], since=second(7), until=second(7.5)))
    story.happen(h.MediaSettled(second(10), wanted.media, twice))
    assert [(user, reason) for user, _, _, reason in story.missed()] == [("u101", RIGHT), ("u101", RIGHT)]
    assert len(story.commands(c.Complain)) == 1
