"""*5 while a card number is read out, *6 when consent is taken back: what must not be on disk is on no disk."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from rules import apply_policy
from scenes import Played
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_people import ddi_of

PAUSE, WITHDRAW = "*5", "*6"
LONGEST_PAUSE_S = 5


def answered(stage: Stage, user: str, caller: str) -> tuple[str, Leg, Leg]:
    """A call from outside to a user: the caller's number, the user's leg, the caller's leg."""
    phone = stage.phone(user, answers=False)
    outside = stage.outside(caller)
    leg = outside.dial(ddi_of(user))
    mine = phone.wait_incoming()
    mine.answer()
    leg.wait("CONFIRMED")
    return outside.config.caller, mine, leg


def noted(stage: Stage, number: str, what: str, times: int = 1) -> None:
    """Wait until that step is on the time line so many times."""

    def look() -> bool:
        found = stage.call(number)
        return found is not None and sum(step.what == what for step in found.timeline) >= times

    wait_for(look, f"{times} x {what} on the time line of {number}", 10.0)


def says_a_secret(leg: Leg, seconds: float) -> None:
    leg.unmute()
    talk(seconds)
    leg.mute()
    talk(0.4)


def card_number(stage: Stage) -> CallDetail:
    """The caller speaks in the pause only."""
    number, mine, leg = answered(stage, "203", "caller with a card")
    leg.mute()
    stage.recording_now(number, 1)
    talk(2)
    mine.dtmf(PAUSE)
    noted(stage, number, "pause", 1)
    says_a_secret(leg, 2)
    mine.dtmf(PAUSE)
    stage.recording_now(number, 2)
    talk(2)
    hang_up(leg)
    return stage.settled(number)


def forgotten(stage: Stage) -> CallDetail:
    """A user who switched on themselves pauses, and forgets to go on."""
    stage.world()
    number = stage.fresh_number()
    mine = stage.phone("212").dial(number)
    mine.wait("CONFIRMED")
    stage.decided(number, "212")
    mine.dtmf("*4")
    stage.recording_now(number, 1)
    talk(2)
    mine.dtmf(PAUSE)
    stage.recording_now(number, 2)
    talk(2)
    hang_up(mine)
    return stage.settled(number)


def without_right(stage: Stage) -> CallDetail:
    """A recorded user without the right presses, and the outside caller presses both codes."""
    number, mine, leg = answered(stage, "201", "caller with codes")
    stage.recording_now(number, 1)
    mine.dtmf(PAUSE)
    noted(stage, number, "pause")
    leg.dtmf(PAUSE)
    talk(1)
    leg.dtmf(WITHDRAW)
    mine.wait_digits("*5*6")
    talk(2)
    hang_up(leg)
    return stage.settled(number)


def no_after_all(stage: Stage) -> CallDetail:
    """A recorded call, until the caller says no after all."""
    number, mine, leg = answered(stage, "202", "caller who takes it back")
    stage.recording_now(number, 1)
    talk(3)
    mine.dtmf(WITHDRAW)
    noted(stage, number, "withdrawal")
    talk(2)
    hang_up(leg)
    return stage.settled(number)


def no_and_transferred(stage: Stage) -> CallDetail:
    """A user in mode never takes it back, and the caller goes to one in mode always."""
    stage.phone("239")
    number, mine, leg = answered(stage, "221", "caller sent on")
    stage.decided(number, "221")
    mine.dtmf(WITHDRAW)
    noted(stage, number, "withdrawal")
    mine.transfer("239")
    mine.wait_ended()
    stage.decided(number, "239")
    talk(3)
    hang_up(leg)
    return stage.settled(number)


SCENES = {
    "card": card_number,
    "forgotten": forgotten,
    "without right": without_right,
    "no after all": no_after_all,
    "transferred": no_and_transferred,
}


@pytest.fixture(scope="module")
def policy(site: Site) -> Iterator[None]:
    apply_policy(site, withdrawal_erases=True, pause_seconds=LONGEST_PAUSE_S)
    yield
    apply_policy(site, withdrawal_erases=False, pause_seconds=120)


@pytest.fixture(scope="module")
def calls(stage: Stage, policy: None) -> Played[CallDetail]:
    stage.world()
    return Played({name: partial(scene, stage) for name, scene in SCENES.items()})


def test_a_card_number_said_in_the_pause_is_on_no_disk(calls: Played[CallDetail], stage: Stage) -> None:
    assert [recording.state for recording in calls["card"].recordings] == ["stored", "stored"]
    stage.assert_nowhere("caller with a card")


@pytest.mark.parametrize(("scene", "user"), [("card", "Agnes Always"), ("forgotten", "Otto On-Demand")])
def test_the_pause_is_an_evident_gap_between_two_recordings(calls: Played[CallDetail], scene: str, user: str) -> None:
    call = calls[scene]
    first, second = call.recordings
    (gap,) = [gap for gap in call.gaps if gap.reason.startswith("paused")]
    assert (gap.reason, gap.user_name) == (f"paused by {user}", user)
    begins, ends = [step.at for step in call.timeline if step.what == "pause"]
    assert (gap.since, gap.until) == (begins, ends)
    assert first.closed_at == begins
    assert second.in_at is not None
    assert second.in_at >= ends


def test_a_forgotten_pause_ends_by_itself(calls: Played[CallDetail]) -> None:
    begins, ends = [step for step in calls["forgotten"].timeline if step.what == "pause"]
    assert ends.detail == "ended by itself"
    lasted = (ends.at - begins.at).total_seconds()
    assert LONGEST_PAUSE_S <= lasted < LONGEST_PAUSE_S + 1


def test_who_may_not_pauses_nothing_and_an_outside_partys_codes_pass(calls: Played[CallDetail]) -> None:
    call = calls["without right"]
    assert [step.detail for step in call.timeline if step.what == "pause"] == ["denied: user in mode always"]
    assert not [step for step in call.timeline if step.what == "withdrawal"]
    (recording,) = call.recordings
    assert recording.length_ms > 4000
    assert call.gaps == ()


def test_what_was_recorded_is_erased_with_the_consent(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["no after all"]
    (recording,) = call.recordings
    assert (recording.state, recording.path) == ("erased", "")
    assert [(d.verdict, d.rule) for d in call.decisions][-1] == ("never", 3)
    assert call.marks[-1].consent == "withdrawn"
    stage.assert_nowhere("caller who takes it back")


def test_no_transfer_washes_a_withdrawal_off(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["transferred"]
    (decision,) = [d for d in call.decisions if d.facts["user"]["extension"] == "239"][-1:]
    assert (decision.verdict, decision.rule) == ("never", 3)
    assert call.recordings == ()
    stage.assert_nowhere("caller sent on", "239")


def test_a_pause_outlives_the_recorder_and_is_ended_by_the_next(stage: Stage, policy: None) -> None:
    number, mine, leg = answered(stage, "203", "caller of two recorders")
    leg.mute()
    stage.recording_now(number, 1)
    talk(2)
    mine.dtmf(PAUSE)
    noted(stage, number, "pause", 1)
    stage.site.recorder.kill()
    says_a_secret(leg, 2)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    stage.recording_now(number, 2)
    talk(2)
    hang_up(leg)
    call = stage.settled(number)
    assert len(call.recordings) == 2
    (gap,) = call.gaps
    assert gap.until is not None
    assert (gap.until - gap.since).total_seconds() >= LONGEST_PAUSE_S
    stage.assert_nowhere("caller of two recorders")


def test_a_withdrawal_while_the_recorder_is_dead_is_found_and_obeyed(stage: Stage, policy: None) -> None:
    number, mine, leg = answered(stage, "202", "caller unheard")
    stage.recording_now(number, 1)
    talk(2)
    stage.site.recorder.kill()
    mine.dtmf(WITHDRAW)
    talk(2)
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    noted(stage, number, "withdrawal")
    talk(1)
    hang_up(leg)
    (recording,) = stage.settled(number).recordings
    assert recording.state == "erased"
    stage.assert_nowhere("caller unheard")


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["card"]
    stage.assert_nothing_left()
    left: list[Path] = [path for path in stage.site.archive.rglob("*") if path.name.startswith(".")]
    assert left == []
