"""The clock is set in mid-call, back or forward: lengths stay lengths, what came first stays first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from call_story import NOON, Story
from pbx_double import until
from test_calls import END, INCOMING

from pbx_plugin.ari_app.clock_watch import ClockWatch
from pbx_plugin.ari_app.heard import Heard
from pbx_plugin.ari_app.resync import missed
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.services.callmemory import recall, remember

HOUR = timedelta(hours=1)
SET = pytest.mark.parametrize("by", [-HOUR, HOUR], ids=["back", "forward"])


def later(text: str, by: timedelta) -> str:
    """Tell what happens by a clock that was set."""
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return "\n".join(f"{float(second) + by.total_seconds()} {rest}" for second, rest in lines)


def clock_set(story: Story, by: timedelta) -> None:
    story.board.clock_moved(story.at + by, by)


@SET
class TestInMidCall:
    def test_a_segment_is_as_long_as_it_was(self, by: timedelta) -> None:
        story = Story().tell(INCOMING.format(to=101))
        clock_set(story, by)
        story.tell(later(END, by))
        assert story.segments() == [("u101", 3.0, 9.0, "the conversation ended")]
        assert story.missed() == []
        (ended,) = story.entries(e.CallEnded)
        assert ended.at == NOON + timedelta(seconds=9.1)
        (made,) = story.commands(c.FinaliseMedia)
        assert made.in_at is not None
        assert made.closed_at - made.in_at == timedelta(seconds=6)

    def test_a_pause_lasts_as_long_as_it_should(self, by: timedelta) -> None:
        story = Story().tell(INCOMING.format(to=103) + "4.0 pause A1")
        clock_set(story, by)
        story.tell(later("123.9 clock", by))
        assert len(story.segments()) == 1, "a card number is being read out"
        story.tell(later("124.0 clock", by))
        assert [start for _, start, _, _ in story.segments()] == [3.0, 124.0]
        assert story.missed() == [("u103", 4.0, 124.0, "paused by User 103")]

    def test_a_segment_that_begins_after_it_comes_after_those_before(self, by: timedelta) -> None:
        story = Story().tell(INCOMING.format(to=111) + "4.0 press A1\n5.0 press A1")
        clock_set(story, by)
        story.tell(later("7.0 press A1\n" + END, by))
        assert [(start, end) for _, start, end, _ in story.segments()] == [(4.0, 5.0), (7.0, 9.0)]
        assert len({command.spool_in for command in story.commands(c.StartCapture)}) == 2
        steps = [step.at for step in story.entries(e.LegMoved)]
        assert steps == sorted(steps)

    def test_it_is_written_down(self, by: timedelta) -> None:
        story = Story().tell(INCOMING.format(to=101))
        clock_set(story, by)
        (step,) = [step for step in story.entries(e.LegMoved) if step.what == "clock"]
        assert step.detail.startswith(f"set {by.total_seconds():+.1f} s")

    def test_the_next_call_is_told_by_the_new_clock(self, by: timedelta) -> None:
        story = Story().tell(INCOMING.format(to=101))
        clock_set(story, by)
        story.tell(later("5.0 ring T2 trunk +4531200119 > +4570100121", by))
        assert [call.at - NOON for call in story.entries(e.CallBegan)] == [
            timedelta(),
            by + timedelta(seconds=5),
        ]

    def test_a_restarted_recorder_goes_on_by_the_calls_clock(self, by: timedelta) -> None:
        story = Story().tell(INCOMING.format(to=101))
        clock_set(story, by)
        call = story.call
        next_run = Story()
        next_run.board.adopt(recall(remember(call)))
        next_run.tell(later(END, by))
        assert [entry.at for entry in next_run.entries(e.RecordingClosed)] == [NOON + timedelta(seconds=9)]

    def test_two_calls_that_become_one_are_told_by_the_clock_of_the_older(self, by: timedelta) -> None:
        story = Story().tell(INCOMING.format(to=101))
        clock_set(story, by)
        story.tell(
            later("5.0 ring T2 trunk +4531200119 > +4570100103\n5.1 down A2 103 linked-T2\n6.0 join T2 B2", by)
            + "\n"
            + later("6.0 join A2 B2\n7.0 pause A2", by)
        )
        story.tell(later("8.0 left A1 B1\n8.0 gone A1\n8.0 left A2 B2\n8.0 gone A2\n8.1 join T2 B1", by))
        (call,) = story.board.calls.values()
        assert call.clock_off == by
        assert {pause.since for pause in call.pauses.values()} == {NOON + timedelta(seconds=7)}
        story.tell(later("9.0 gone T1\n9.0 gone T2", by))
        (ended,) = story.entries(e.CallEnded)
        assert ended.at == NOON + timedelta(seconds=9)
        assert all(gap.until and gap.until >= gap.since for gap in story.gaps())


class Clocks:
    """Three clocks: a steady one, ours and Asterisk's."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.ours, self.theirs = timedelta(), timedelta()
        self.watch = ClockWatch(lambda: self.true + self.ours, lambda: self.seconds)

    @property
    def true(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def hear(self, *, age: float = 0.01) -> timedelta:
        """Hear of a moment some seconds ago; return how far off our idea of it is."""
        told = self.true - timedelta(seconds=age) + self.theirs
        return self.watch.ours(told) - (self.true - timedelta(seconds=age) + self.ours)


class TestTheWatch:
    def test_a_steady_clock_is_left_alone(self) -> None:
        clocks = Clocks()
        clocks.seconds += 3600
        assert clocks.watch.look() == timedelta()
        assert clocks.hear() == clocks.hear(age=40) == timedelta()

    def test_a_clock_that_is_drawn_right_slowly_is_followed(self) -> None:
        clocks = Clocks()
        for _ in range(100):
            clocks.ours += timedelta(milliseconds=100)
            assert clocks.watch.look() == timedelta()

    @SET
    @pytest.mark.parametrize("asterisk_too", [True, False])
    def test_a_step_is_noticed_once_and_asterisks_word_is_still_understood(
        self, by: timedelta, asterisk_too: bool
    ) -> None:
        clocks = Clocks()
        clocks.hear()
        clocks.ours = by
        clocks.theirs = by if asterisk_too else timedelta()
        assert clocks.watch.look() == by
        assert clocks.watch.look() == timedelta()
        assert clocks.watch.moved == by
        for _ in range(2):
            assert abs(clocks.hear()) <= timedelta(seconds=0.01)
            assert abs(clocks.hear(age=20)) <= timedelta(seconds=0.01)

    def test_a_machine_too_busy_to_compare_them_once_compares_them_again(self) -> None:
        clocks = Clocks()
        held_up = iter([0.2, 0.2, 0.0, 0.0, 0.0, 0.0])

        def steady() -> float:
            clocks.seconds += next(held_up, 0.0)
            return clocks.seconds

        clocks.ours = timedelta(hours=-1)
        clocks.watch._steady = steady
        assert clocks.watch.look() == timedelta(hours=-1)

    @SET
    def test_when_asterisks_clock_alone_is_set_its_word_counts_from_when_it_is_heard(self, by: timedelta) -> None:
        clocks = Clocks()
        clocks.hear()
        clocks.theirs = by
        assert abs(clocks.hear()) <= timedelta(seconds=0.01)
        assert abs(clocks.hear(age=3)) <= timedelta(seconds=0.01)

    @SET
    def test_what_was_on_its_way_when_the_clock_was_set_is_from_just_now(self, by: timedelta) -> None:
        clocks = Clocks()
        clocks.ours = by
        clocks.watch.look()
        assert clocks.hear() == timedelta()
        clocks.theirs = by
        assert clocks.hear() == timedelta()

    def test_small_steps_of_both_are_told_from_slowness(self) -> None:
        clocks = Clocks()
        clocks.ours = clocks.theirs = timedelta(seconds=-5)
        clocks.watch.look()
        assert clocks.hear() == timedelta()


async def test_the_moment_of_last_hearing_is_kept_by_a_clock_that_was_set_back(tmp_path: Path) -> None:
    heard = Heard(tmp_path / "heard")
    heard.note(NOON)
    await until(lambda: Heard(tmp_path / "heard").last == NOON)
    heard.clock_moved(-HOUR)
    assert heard.last == NOON - HOUR
    heard.note(NOON - HOUR)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert Heard(tmp_path / "heard").last == NOON - HOUR


def test_a_conversation_found_by_a_clock_that_was_set_back_did_not_begin_in_the_future() -> None:
    channel = {"id": "T1", "name": "PJSIP/trunk-00000001", "state": "Up"}
    bridge = {"id": "B1", "channels": ["T1"], "creationtime": (NOON + HOUR).isoformat()}
    (joined,) = [
        one
        for one in missed((), [channel], [bridge], NOON, NOON - timedelta(seconds=9))
        if isinstance(one, h.LegJoined)
    ]
    assert joined.unheard_since == NOON.astimezone(UTC)
