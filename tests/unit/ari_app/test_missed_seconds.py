"""Every second that should have been recorded and was not is told: the recorder away, files lost, recordings cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from call_story import NOON, Story, rules
from test_calls import END, INCOMING

from pbx_plugin.ari_app.resync import missed
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.losses import NO_SOUND, Loss, losses
from pbx_plugin.domain.policy import Announce

AWAY = "the recorder was away"


def second(seconds: float) -> Any:
    return NOON + timedelta(seconds=seconds)


def found(story: Story, at: float, *channels: tuple[str, str], made: float, deaf_since: float | None) -> Story:
    """The recorder comes back and finds these channels in one bridge, made at that second."""
    shown = [
        {
            "id": channel,
            "name": f"PJSIP/{device}-00000001",
            "state": "Up",
            "caller": {"number": ""},
            "dialplan": {"app_name": "AppDial" if device != "trunk" else "Dial", "exten": "+4570100101"},
            "channelvars": {"CHANNEL(linkedid)": "linked-T1", "PBXREC_CONSENT": ""},
            "creationtime": second(made - 3).isoformat(),
        }
        for channel, device in channels
    ]
    bridge = {
        "id": "B1",
        "technology": "simple_bridge",
        "channels": [one["id"] for one in shown],
        "creationtime": second(made).isoformat(timespec="milliseconds").replace("+00:00", "+0000"),
    }
    deaf = None if deaf_since is None else second(deaf_since)
    story.at = second(at)
    for happening in missed(tuple(story.board.calls.values()), shown, [bridge], second(at), deaf):
        story.happen(happening)
    story.tell(f"{at + 1} clock")
    return story


BOTH = (("T1", "trunk"), ("A1", "101"))


@pytest.mark.parametrize(
    ("began", "closed", "told"),
    [(3.4, 9.0, []), (10.5, 12.0, [(3.0, 10.5)]), (10.5, 5.0, [(3.0, 5.0)])],
    ids=["in time", "late", "later than the call lasted"],
)
def test_what_a_recording_missed_that_began_late_is_told(
    began: float, closed: float, told: list[tuple[float, float]]
) -> None:
    story = Story(answers=False).tell(INCOMING.format(to=101))
    (media,) = story.call.captures
    steps: list[tuple[float, h.Happening]] = [
        (began, h.CaptureStarted(second(began), media, second(began), second(began + 0.01))),
        (closed, h.LegGone(second(closed), "A1")),
    ]
    for at, step in sorted(steps, key=lambda one: one[0]):
        story.at = second(at)
        story.happen(step)
    found_late = [("u101", since, until, "the recording began late") for since, until in told]
    assert story.missed() == found_late


def test_a_call_that_began_while_the_recorder_was_away_was_missed_from_its_beginning() -> None:
    story = found(Story(), 60, *BOTH, made=50, deaf_since=20)
    ((user, since, until, why),) = story.missed()
    assert (user, since, why) == ("u101", 50, AWAY)
    (start,) = story.entries(e.RecordingStarted)
    assert until == (start.in_at - NOON).total_seconds()


def test_one_that_was_there_before_was_missed_from_when_asterisk_was_last_heard() -> None:
    story = Story().tell("0.0 ring T1 trunk +4531200118 > +4570100101\n0.1 down A1 101\n0.1 dial T1 A1 101")
    ((_, since, _, why),) = found(story, 60, *BOTH, made=15, deaf_since=20).missed()
    assert (since, why) == (20, AWAY)


def test_what_asterisk_went_on_recording_was_not_missed() -> None:
    story = Story().tell(INCOMING.format(to=101))
    assert found(story, 60, *BOTH, made=3, deaf_since=20).missed() == []
    assert len(story.commands(c.StartCapture)) == 1


def test_a_recorder_that_never_ran_before_has_missed_nothing() -> None:
    assert found(Story(), 60, *BOTH, made=50, deaf_since=None).missed() == []


def test_the_gap_lasts_until_the_announcement_was_heard_and_recording_began() -> None:
    story = found(Story(rules(announce=Announce.OR_DO_NOT_RECORD)), 60, *BOTH, made=50, deaf_since=20)
    assert [(since, until) for _, since, until, _ in story.missed()] == [(50, None)]
    story.tell("66 told 1")
    assert [(since, until) for _, since, until, _ in story.missed()] == [(50, 66)]


def test_one_that_hangs_up_before_it_is_recorded_was_missed_whole() -> None:
    story = found(Story(rules(announce=Announce.OR_DO_NOT_RECORD)), 60, *BOTH, made=50, deaf_since=20)
    story.tell("64 gone T1\n64 gone A1")
    assert [(since, until) for _, since, until, _ in story.missed()] == [(50, 64)]
    assert story.segments() == []


def test_a_refusal_at_the_return_follows_the_absence_without_an_overlap() -> None:
    story = Story().tell("0 full")
    found(story, 60, *BOTH, made=50, deaf_since=20)
    (_, away_since, away_until, why), (_, since, until, no_room) = story.missed()
    assert (away_since, why, until) == (50, AWAY, None)
    assert (away_until, no_room) == (since, "no room: a disk is nearly full")


def test_a_recording_that_could_not_begin_is_missed_from_the_moment_it_should_have() -> None:
    story = Story(answers=False).tell(INCOMING.format(to=101))
    (start,) = story.commands(c.StartCapture)
    story.happen(h.CaptureFailed(second(5), start.media, "Asterisk did not record"))
    assert story.missed() == [("u101", 3.0, None, "Asterisk did not record")]
    assert [told.reason for told in story.commands(c.Complain)] == ["Asterisk did not record"]
    story.tell(END)
    assert story.missed() == [("u101", 3.0, 9.0, "Asterisk did not record")]


def settled(what: Loss | None, **policy: object) -> Story:
    story = Story(rules(**policy), answers=False).tell(INCOMING.format(to=101))
    (start,) = story.commands(c.StartCapture)
    story.happen(h.CaptureStarted(second(3.1), start.media, second(3.1), second(3.1)))
    story.tell("7 withdraw A1" if policy else END)
    story.happen(h.CaptureEnded(second(9.2), start.media))
    story.happen(h.MediaSettled(second(10), start.media, () if what is None else (what,)))
    return story


def test_what_the_finaliser_could_not_keep_is_a_gap_and_loud() -> None:
    story = settled(Loss(second(3.1), second(9), "nothing could be kept: damaged"))
    assert story.missed() == [("u101", 3.1, 9.0, "nothing could be kept: damaged")]
    assert len(story.commands(c.Complain)) == 1


def test_what_was_kept_is_no_gap() -> None:
    assert settled(None).gaps() == []


def test_what_was_erased_at_the_callers_wish_is_no_gap() -> None:
    assert settled(Loss(second(3.1), second(7), "nothing could be kept"), withdrawal_erases=True).gaps() == []


WANTED = c.FinaliseMedia("m", "t", "in", "out", "right", second(3), second(3.1), second(3.2), second(9))


def stored(length_ms: int) -> e.RecordingStored:
    return e.RecordingStored("m", NOON, "a.wav", "a.json", "", 1, 8000, length_ms, False, False)


@pytest.mark.parametrize(("length_ms", "since"), [(5900, None), (4950, None), (4800, 7.9), (0, 3.1)])
def test_a_recording_that_ends_too_early_is_missed_from_there(length_ms: int, since: float | None) -> None:
    lost = [(one.since, one.until) for one in losses(WANTED, stored(length_ms))]
    assert lost == ([] if since is None else [(second(since), second(9))])


@pytest.mark.parametrize(
    ("left", "right", "length_ms", "missed"),
    [(True, True, 5900, True), (True, False, 5900, False), (False, True, 5900, False), (True, True, 2900, False)],
)
def test_a_recording_without_any_sound_is_missed_whole(left: bool, right: bool, length_ms: int, missed: bool) -> None:
    became = replace(stored(length_ms), left_silent=left, right_silent=right)
    wanted = replace(WANTED, closed_at=second(3.2 + length_ms / 1000))
    assert losses(wanted, became) == ((Loss(second(3.1), wanted.closed_at, NO_SOUND),) if missed else ())


def test_two_presses_in_a_row_are_no_loss() -> None:
    short = c.FinaliseMedia("m", "t", "in", "out", "right", second(3), second(3.1), None, second(3.2))
    assert losses(short, e.RecordingFailed("m", NOON, "too short")) == ()
    never = c.FinaliseMedia("m", "t", "in", "out", "right", second(3), None, None, second(4))
    assert losses(never, e.RecordingFailed("m", NOON, "x")) == (Loss(second(3), second(4), "nothing could be kept: x"),)


def test_a_talk_that_ends_before_its_recording_failed_to_begin_is_missed_whole() -> None:
    story = Story(answers=False).tell(
        """
        0.0 ring T1 trunk +4531200118 > +4570100101
        0.1 down A1 101
        3.0 join T1 B1
        3.0 join A1 B1
        4.5 gone T1
        4.5 gone A1
        """
    )
    (wanted,) = story.commands(c.StartCapture)
    story.happen(h.CaptureFailed(NOON + timedelta(seconds=5), wanted.media, "Asterisk did not record"))
    assert story.missed() == [("u101", 3.0, 4.5, "Asterisk did not record")]
    assert story.board.calls == {}


def test_a_talk_of_a_moment_whose_recording_was_called_off_is_no_loss() -> None:
    story = Story(answers=False).tell(
        """
        0.0 ring T1 trunk +4531200118 > +4570100101
        0.1 down A1 101
        3.0 join T1 B1
        3.0 join A1 B1
        3.1 gone T1
        3.1 gone A1
        """
    )
    (wanted,) = story.commands(c.StartCapture)
    story.happen(h.CaptureFailed(NOON + timedelta(seconds=3.2), wanted.media, "no longer wanted"))
    assert story.missed() == []
