"""How calls begin late and end: before the answer, right at it, by voicemail, without a word, with nobody there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from kinds import TALK_S, Part, assert_one_journey, assert_segments, called, closed, ready, recorded
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.site_extras import VOICEMAIL
from pbx_plugin.sandbox.site_people import ddi_of

Scenes = dict[str, Callable[[Stage], CallDetail]]


def before_answer(stage: Stage) -> CallDetail:
    """The caller hangs up while it rings."""
    phone = ready(stage, "201", answers=False)
    caller = stage.outside("impatient")
    leg = caller.dial(ddi_of("201"))
    phone.wait_incoming().wait("EARLY")
    talk(0.5)
    hang_up(leg)
    return stage.settled(caller.config.caller)


def at_answer(stage: Stage, name: str, user: str, after_s: float) -> CallDetail:
    """The caller hangs up as soon as the call is answered."""
    phone = ready(stage, user, answers=False)
    caller = stage.outside(name)
    leg = caller.dial(ddi_of(user))
    mine = phone.wait_incoming()
    mine.wait("EARLY")
    mine.answer()
    leg.wait("CONFIRMED")
    talk(after_s)
    hang_up(leg)
    return stage.settled(caller.config.caller)


def between_users_at_once(stage: Stage) -> CallDetail:
    """Two users, without an announcement: hung up within 200 ms of the answer."""
    phone = ready(stage, "203", answers=False)
    mine = stage.phone("233").dial("203")
    theirs = phone.wait_incoming()
    theirs.wait("EARLY")
    theirs.answer()
    mine.wait("CONFIRMED")
    talk(0.1)
    hang_up(mine)
    return stage.settled("233")


def late_answer(stage: Stage) -> CallDetail:
    """It rings for ten seconds; then they talk."""
    phone = ready(stage, "202", answers=False)
    caller = stage.outside("patient")
    leg = caller.dial(ddi_of("202"))
    mine = phone.wait_incoming()
    talk(10)
    mine.answer()
    leg.wait("CONFIRMED")
    recorded(stage, caller.config.caller, "202")
    talk(TALK_S)
    hang_up(leg)
    return stage.settled(caller.config.caller)


def voicemail(stage: Stage) -> CallDetail:
    """A recorded caller is passed on to voicemail, which is no conversation."""
    call = called(stage, "237")
    recorded(stage, call.number, "237")
    talk(TALK_S)
    call.user.transfer(VOICEMAIL)
    closed(stage, call.number, "237")
    talk(4.0)
    assert not call.caller.ended
    hang_up(call.caller)
    return stage.settled(call.number)


def by_the_user(stage: Stage) -> CallDetail:
    """The user hangs up, not the caller."""
    call = called(stage, "238")
    recorded(stage, call.number, "238")
    talk(TALK_S)
    hang_up(call.user)
    call.caller.wait_ended()
    return stage.settled(call.number)


def without_a_word(stage: Stage) -> CallDetail:
    """The user's phone loses its power: no BYE. When the caller hangs up, it is over."""
    call = called(stage, "234")
    recorded(stage, call.number, "234")
    talk(TALK_S)
    stage.kill("234")
    talk(2.0)
    hang_up(call.caller)
    return stage.settled(call.number)


def refused(stage: Stage) -> CallDetail:
    """The user's phone is busy."""
    phone = ready(stage, "239", answers=False)
    caller = stage.outside("unlucky")
    leg = caller.dial(ddi_of("239"))
    phone.wait_incoming().hangup(486)
    talk(1.0)
    hang_up(leg)
    return stage.settled(caller.config.caller)


SCENES: Scenes = {
    "before answer": before_answer,
    "at answer": partial(at_answer, name="hasty", user="211", after_s=0.0),
    "in the announcement": partial(at_answer, name="quick", user="239", after_s=0.6),
    "users at once": between_users_at_once,
    "late": late_answer,
    "voicemail": voicemail,
    "by the user": by_the_user,
    "without a word": without_a_word,
}


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    for extension in ("201", "202", "203", "211", "233", "234", "237", "238", "239"):
        stage.phone(extension)
    for name in ("impatient", "hasty", "quick", "patient", "unlucky", *(f"caller of {u}" for u in (234, 237, 238))):
        stage.outside(name)
    stage.from_now()
    played = Played({name: partial(scene, stage) for name, scene in SCENES.items()})
    return played.joined(Played({"refused": partial(refused, stage)}))


@pytest.mark.parametrize(("scene", "caller"), [("before answer", "impatient"), ("refused", "unlucky")])
def test_a_call_that_nobody_answered_is_known_and_not_recorded(
    calls: Played[CallDetail], stage: Stage, scene: str, caller: str
) -> None:
    call = calls[scene]
    assert call.call.outcome == "not answered"
    assert (call.recordings, call.decisions, call.gaps) == ((), (), ())
    stage.assert_nowhere(caller)


def test_hung_up_right_at_the_answer_nothing_is_left_to_record(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["at answer"]
    assert call.call.outcome == "answered"
    assert (call.recordings, call.gaps) == ((), ())
    stage.assert_nowhere("hasty", "211")


def test_hung_up_in_the_announcement_nothing_was_recorded(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["in the announcement"]
    assert [decision.verdict for decision in call.decisions] == ["record"]
    assert call.recordings == ()
    stage.assert_nowhere("quick")


def test_two_users_who_hang_up_at_once_leave_a_short_recording_or_a_reason(calls: Played[CallDetail]) -> None:
    call = calls["users at once"]
    assert [recording.extension for recording in call.recordings] == ["233", "203"]
    for recording in call.recordings:
        assert (recording.state == "stored" and recording.length_ms < 1000) or recording.fail_reason


@pytest.mark.parametrize(
    ("scene", "user", "caller"),
    [
        ("late", "202", "patient"),
        ("by the user", "238", "caller of 238"),
        ("voicemail", "237", "caller of 237"),
    ],
)
def test_only_the_talk_is_recorded(calls: Played[CallDetail], stage: Stage, scene: str, user: str, caller: str) -> None:
    call = calls[scene]
    assert_segments(stage, call, Part(user, caller))
    assert_one_journey(call)
    assert call.recordings[0].length_ms < (TALK_S + 1.5) * 1000


def test_a_phone_that_went_without_a_word_is_a_side_that_fell_silent(calls: Played[CallDetail], stage: Stage) -> None:
    call = calls["without a word"]
    assert_segments(stage, call, Part("234", "caller of 234", keys=2.6))
    (recording,) = call.recordings
    assert recording.length_ms > (TALK_S + 1.5) * 1000


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["late"]
    stage.assert_nothing_left()
