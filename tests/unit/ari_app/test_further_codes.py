"""The two further codes: a pause leaves an evident gap and ends by itself; a withdrawal is for good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from call_story import NOON, Story, rules
from test_calls import END, INCOMING

from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.policy import Announce
from pbx_plugin.services.callmemory import recall, remember

CALL = INCOMING.format(to=103)
PAUSE_OVER = 4.0 + 120


def steps(story: Story, what: str) -> list[str]:
    return [entry.detail for entry in story.entries(e.LegMoved) if entry.what == what]


class TestPause:
    def test_what_is_said_between_two_presses_is_in_no_recording_and_is_a_gap(self) -> None:
        story = Story().tell(CALL + "4.0 pause A1\n6.0 pause A1" + END)
        assert story.segments() == [
            ("u103", 3.0, 4.0, "paused by User 103"),
            ("u103", 6.0, 9.0, "the conversation ended"),
        ]
        assert story.missed() == [("u103", 4.0, 6.0, "paused by User 103")]
        assert story.tones() == ["paused", "resumed"]
        assert steps(story, "pause") == ["for at most 120 s", "ended by the user"]
        assert story.commands(c.Complain) == []

    def test_the_gap_is_on_record_while_it_lasts(self) -> None:
        story = Story().tell(CALL + "4.0 pause A1")
        assert story.missed() == [("u103", 4.0, None, "paused by User 103")]

    def test_a_forgotten_pause_ends_by_itself_and_not_before(self) -> None:
        story = Story().tell(CALL + f"4.0 pause A1\n{PAUSE_OVER - 0.1} clock")
        assert len(story.segments()) == 1
        story.tell(f"{PAUSE_OVER} clock\n{PAUSE_OVER + 1} clock")
        assert [(start, end) for _, start, end, _ in story.segments()] == [(3.0, 4.0), (PAUSE_OVER, None)]
        assert story.missed() == [("u103", 4.0, PAUSE_OVER, "paused by User 103")]
        assert story.tones() == ["paused", "resumed"]

    def test_the_policy_says_how_long(self) -> None:
        story = Story(rules(pause_seconds=30)).tell(CALL + "4.0 pause A1\n33.9 clock\n34.0 clock")
        assert story.missed() == [("u103", 4.0, 34.0, "paused by User 103")]

    def test_a_restarted_recorder_knows_of_the_pause_and_ends_it(self) -> None:
        before = Story().tell(CALL + "4.0 pause A1")
        after = Story()
        after.board.adopt(recall(remember(before.call)))
        after.tell("60 clock")
        assert after.segments() == []
        after.tell(f"{PAUSE_OVER} clock")
        assert [start for _, start, _, _ in after.segments()] == [PAUSE_OVER]
        (gap,) = after.gaps()
        assert gap.gap_id == before.gaps()[0].gap_id
        assert gap.until == NOON + timedelta(seconds=PAUSE_OVER)

    def test_who_has_no_right_to_it_hears_no_and_is_recorded_on(self) -> None:
        story = Story().tell(INCOMING.format(to=101) + "4.0 pause A1" + END)
        assert story.tones() == ["denied"]
        assert story.segments() == [("u101", 3.0, 9.0, "the conversation ended")]
        assert steps(story, "pause") == ["denied: user in mode always"]

    def test_where_nothing_is_recorded_there_is_nothing_to_pause(self) -> None:
        story = Story(rules(recording_off=True)).tell(CALL + "4.0 pause A1" + END)
        assert story.tones() == ["denied"]
        assert story.gaps() == []

    def test_an_outside_caller_cannot_pause(self) -> None:
        story = Story().tell(CALL + "4.0 pause T1" + END)
        assert story.tones() == []
        assert len(story.segments()) == 1

    def test_a_press_after_the_conversation_does_nothing(self) -> None:
        story = Story().tell(CALL + "4.0 left T1 B1\n5.0 pause A1")
        assert story.tones() == []

    def test_one_users_pause_holds_for_the_other_users_recording_too(self) -> None:
        story = Story().tell("""
            0.0 ring A1 101 > 103
            0.1 down A3 103 linked-A1
            2.0 join A1 B1
            2.0 join A3 B1
            4.0 pause A3
            6.0 pause A3
            9.0 gone A1
            9.0 gone A3
        """)
        assert len(story.commands(c.StartCapture)) == 2
        assert [(user, since, until) for user, since, until, _ in story.missed()] == [
            ("u101", 4.0, 6.0),
            ("u103", 4.0, 6.0),
        ]

    def test_the_call_ends_in_a_pause(self) -> None:
        story = Story().tell(CALL + "4.0 pause A1" + END)
        assert story.missed() == [("u103", 4.0, 9.0, "paused by User 103")]
        assert story.board.calls == {}

    def test_a_transfer_takes_the_caller_out_of_the_pause(self) -> None:
        story = Story().tell(
            CALL
            + """
            4.0 pause A1
            5.0 left A1 B1
            5.0 left T1 B1
            5.0 gone A1
            6.0 down A2 101
            7.0 join A2 B2
            7.0 join T1 B2
            """
        )
        assert [(user, start) for user, start, _, _ in story.segments()] == [("u103", 3.0), ("u101", 7.0)]
        assert story.missed() == [("u103", 4.0, 5.0, "paused by User 103")]

    def test_the_caller_is_not_told_again_after_a_pause(self) -> None:
        story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(CALL + "3.5 told 1\n4.0 pause A1\n6.0 pause A1")
        assert len(story.commands(c.PlayAnnouncement)) == 1
        assert [start for _, start, _, _ in story.segments()] == [3.5, 6.0]

    def test_a_pause_during_the_announcement_stops_it(self) -> None:
        story = Story(rules(announce=Announce.OR_DO_NOT_RECORD)).tell(CALL + "3.2 pause A1\n6.0 pause A1\n9.0 told 2")
        assert len(story.commands(c.StopAnnouncement)) == 1
        assert [start for _, start, _, _ in story.segments()] == [9.0]
        assert story.missed() == [("u103", 3.2, 6.0, "paused by User 103")]

    def test_every_event_doubled_comes_to_the_same(self) -> None:
        once = Story().tell(CALL + "4.0 pause A1\n6.0 clock" + END)
        doubled = Story()
        for line in (CALL + "4.0 pause A1\n6.0 clock" + END).splitlines():
            doubled.tell(f"{line}\n{line}")
        assert doubled.segments() == once.segments()
        assert doubled.missed() == once.missed()


class TestWithdrawal:
    @pytest.mark.parametrize("user", ["101", "111", "121"])
    def test_any_user_in_any_mode_takes_it_back_for_good(self, user: str) -> None:
        story = Story().tell(INCOMING.format(to=user) + "4.0 press A1\n5.0 withdraw A1\n6.0 press A1\n7.0 pause A1")
        assert story.verdicts()[-1] == (f"u{user}", "never", 3)
        assert all(until == 5.0 for _, _, until, _ in story.segments()[-1:] if user != "121")
        assert story.tones()[-3:] == ["withdrawn", "denied", "denied"]
        assert story.call.marks.consent is Consent.WITHDRAWN
        assert story.gaps() == []

    def test_the_recording_ends_at_the_press(self) -> None:
        story = Story().tell(CALL + "5.0 withdraw A1" + END)
        assert story.segments() == [("u103", 3.0, 5.0, "now never: consent refused or withdrawn")]
        assert story.commands(c.EraseMedia) == []
        assert steps(story, "withdrawal") == ["what was recorded is kept"]

    def test_it_is_audited_once_however_often_it_is_pressed(self) -> None:
        story = Story().tell(CALL + "5.0 withdraw A1\n6.0 withdraw A1" + END)
        (audited,) = story.entries(e.Audited)
        assert (audited.action, audited.actor) == ("consent withdrawn", "User 103 (103)")
        assert audited.detail["recorded"] == [entry.media_id for entry in story.entries(e.RecordingIntended)]
        assert story.tones() == ["withdrawn", "withdrawn"]

    def test_the_evidence_of_what_was_given_before_is_kept(self) -> None:
        given = "0.05 mark T1 consent=given groups=g-ring evidence=ev-1\n"
        story = Story().tell(
            given.join(CALL.partition("    0.1 down")[::2]).replace("A1 103", "    0.1 down A1 103", 1)
        )
        story.tell("5.0 withdraw A1")
        assert story.call.marks.consent is Consent.WITHDRAWN
        assert story.call.marks.evidence_id == "ev-1"

    def test_an_outside_callers_press_passes(self) -> None:
        story = Story().tell(CALL + "5.0 withdraw T1" + END)
        assert story.tones() == []
        assert story.segments() == [("u103", 3.0, 9.0, "the conversation ended")]

    def test_it_stays_after_a_transfer(self) -> None:
        story = Story().tell(
            INCOMING.format(to=121)
            + """
            4.0 withdraw A1
            5.0 left A1 B1
            5.0 left T1 B1
            5.0 gone A1
            6.0 down A2 101
            7.0 join A2 B2
            7.0 join T1 B2
            """
        )
        assert story.verdicts()[-1] == ("u101", "never", 3)
        assert story.segments() == []

    def test_it_stays_after_a_restart(self) -> None:
        before = Story().tell(INCOMING.format(to=121) + "4.0 withdraw A1")
        after = Story()
        after.board.adopt(recall(remember(before.call)))
        after.tell("6.0 down A2 101\n7.0 join A2 B1")
        assert ("u101", "never", 3) in after.verdicts()
        assert after.segments() == []

    def test_a_press_while_the_recorder_was_away_is_found_on_the_channel(self) -> None:
        story = Story(rules(withdrawal_erases=True)).tell(CALL + "5.0 mark A1 consent=withdrawn")
        assert story.segments()[0][2] == 5.0
        assert len(story.commands(c.EraseMedia)) == 1
        assert len(story.entries(e.Audited)) == 1


class TestErasing:
    def test_all_that_was_recorded_of_the_call_is_erased_and_nothing_finalised_anew(self) -> None:
        story = Story(rules(withdrawal_erases=True)).tell(
            INCOMING.format(to=111) + "3.5 press A1\n4.0 press A1\n4.5 press A1"
        )
        story.tell("5.0 withdraw A1" + END)
        made = {entry.media_id for entry in story.entries(e.RecordingIntended)}
        assert len(made) == 2
        assert {command.media for command in story.commands(c.EraseMedia)} == made
        assert len(story.commands(c.FinaliseMedia)) == 1
        assert story.board.calls == {}

    def test_a_running_recording_is_ended_before_it_is_erased(self) -> None:
        story = Story(rules(withdrawal_erases=True), answers=False).tell(CALL)
        (start,) = story.commands(c.StartCapture)
        story.happen(h.CaptureStarted(story.at, start.media, story.at, story.at))
        story.tell("5.0 withdraw A1")
        assert len(story.commands(c.StopCapture)) == 1
        assert story.commands(c.EraseMedia) == []
        story.happen(h.CaptureEnded(story.at, start.media))
        (erase,) = story.commands(c.EraseMedia)
        assert (erase.media, erase.spool_in, erase.intended_at) == (
            start.media,
            start.spool_in,
            NOON + timedelta(seconds=3),
        )
        assert story.commands(c.FinaliseMedia) == []

    def test_one_that_was_just_about_to_begin_is_erased_too(self) -> None:
        story = Story(rules(withdrawal_erases=True), answers=False).tell(CALL + "3.1 withdraw A1")
        (start,) = story.commands(c.StartCapture)
        story.happen(h.CaptureFailed(story.at, start.media, "it was no longer wanted"))
        assert [command.media for command in story.commands(c.EraseMedia)] == [start.media]

    def test_one_that_is_being_finalised_is_erased_at_once(self) -> None:
        story = Story(rules(withdrawal_erases=True), answers=False).tell(CALL)
        (start,) = story.commands(c.StartCapture)
        story.happen(h.CaptureStarted(story.at, start.media, story.at, story.at))
        story.tell("4.0 hold A1")
        story.happen(h.CaptureEnded(story.at, start.media))
        assert len(story.commands(c.FinaliseMedia)) == 1
        story.tell("5.0 withdraw A1")
        assert [command.media for command in story.commands(c.EraseMedia)] == [start.media]

    def test_the_call_is_not_over_before_all_is_erased_and_a_restart_asks_again(self) -> None:
        before = Story(rules(withdrawal_erases=True), answers=False).tell(CALL)
        (start,) = before.commands(c.StartCapture)
        before.happen(h.CaptureStarted(before.at, start.media, before.at, before.at))
        before.tell("5.0 withdraw A1")
        before.happen(h.CaptureEnded(before.at, start.media))
        before.tell(END)
        assert before.entries(e.CallEnded) == []
        after = Story()
        after.board.adopt(recall(remember(before.call)))
        after.tell("60 clock")
        after.happen(h.EraserLost(after.at, start.media))
        assert [command.media for command in after.commands(c.EraseMedia)] == [start.media]
        (ended,) = after.entries(e.CallEnded)
        assert ended.at == NOON + timedelta(seconds=9.1)
        assert after.board.calls == {}

    def test_what_another_call_recorded_before_they_became_one_is_not_touched_by_an_older_withdrawal(self) -> None:
        story = Story(rules(withdrawal_erases=True)).tell(CALL + "5.0 withdraw A1")
        story.tell("""
            6.0 ring A2 101 > 31200119
            6.1 down T2 trunk linked-A2
            7.0 join A2 B2
            7.0 join T2 B2
            8.0 left A2 B2
            8.0 join A2 B1
        """)
        first, second = (entry.media_id for entry in story.entries(e.RecordingIntended))
        assert [command.media for command in story.commands(c.EraseMedia)] == [first]
        assert story.segments()[-1][2] == 8.0
        assert second in story.call.made
