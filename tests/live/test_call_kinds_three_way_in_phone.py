"""A user's phone mixes two calls by itself: to Asterisk they are two, to those who speak they are one."""

from __future__ import annotations

from functools import partial

import pytest
from kinds import TALK_S, called, closed, ready, recorded
from scenes import Played
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.db.views import CallDetail
from pbx_plugin.domain.reconcile import UNTOLD
from pbx_plugin.sandbox.listening import assert_side, heard_anywhere
from pbx_plugin.sandbox.site_people import ddi_of

REFUSER = "refuser in a three-way"
FIRST, SECOND = "first of two customers", "second of two customers"


def with_refuser(stage: Stage) -> tuple[CallDetail, CallDetail]:
    """A refuser is on hold, a colleague is asked; then all three talk; then the refuser is put on hold again."""
    caller = stage.outside(REFUSER)
    mine, number = ready(stage, "239"), caller.config.caller
    leg = caller.dial(ddi_of("703"))
    leg.wait("CONFIRMED")
    talk(1.0)
    leg.dtmf("2")
    first = mine.wait_incoming(20.0)
    first.wait("CONFIRMED")
    assert stage.decided(number, "239").verdict == "never"
    first.hold()
    second = mine.dial("202")
    second.wait("CONFIRMED")
    recorded(stage, "239", "202")
    talk(TALK_S)
    first.mix(second)
    first.unhold()
    closed(stage, "239", "202")
    talk(TALK_S + 1)
    first.hold()
    recorded(stage, "239", "202", 2)
    talk(TALK_S)
    hang_up(second, leg)
    return stage.settled(number), stage.settled("239")


def with_customer(stage: Stage) -> tuple[CallDetail, CallDetail]:
    """Nobody objects: a customer and a colleague, mixed by the phone, are recorded in a call each."""
    call = called(stage, "201")
    recorded(stage, call.number, "201")
    mine = stage.phone("201")
    talk(TALK_S)
    call.user.hold()
    closed(stage, call.number, "201")
    second = mine.dial("203")
    second.wait("CONFIRMED")
    recorded(stage, "201", "203")
    call.user.mix(second)
    call.user.unhold()
    recorded(stage, call.number, "201", 2)
    talk(TALK_S)
    hang_up(second, call.caller)
    return stage.settled(call.number), stage.settled("201")


def with_second_customer(stage: Stage) -> tuple[CallDetail, CallDetail]:
    """A customer is recorded, and a second one is taken into the talk before they were told that it is recorded."""
    call = called(stage, "233", FIRST)
    recorded(stage, call.number, "233")
    talk(TALK_S)
    call.user.hold()
    closed(stage, call.number, "233")
    other = stage.outside(SECOND)
    leg = other.dial(ddi_of("233"))
    second = stage.phone("233").wait_incoming()
    second.wait("CONFIRMED")
    call.user.mix(second)
    call.user.unhold()
    recorded(stage, other.config.caller, "233")
    recorded(stage, call.number, "233", 2)
    talk(TALK_S)
    hang_up(leg, call.caller)
    return stage.settled(call.number), stage.settled(other.config.caller)


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[tuple[CallDetail, CallDetail]]:
    for extension in ("201", "202", "203", "233", "239"):
        stage.phone(extension)
    for name in (REFUSER, "caller of 201", FIRST, SECOND):
        stage.outside(name)
    stage.from_now()
    return Played(
        {
            "refuser": partial(with_refuser, stage),
            "customer": partial(with_customer, stage),
            "second customer": partial(with_second_customer, stage),
        }
    )


Calls = Played[tuple[CallDetail, CallDetail]]


def test_the_colleague_heard_the_refuser_and_no_recording_did(calls: Calls, stage: Stage) -> None:
    assert calls["refuser"]
    wait_for(lambda: stage.heard_by("202", stage.voice(REFUSER)), "the colleague to have heard the refuser", 2.0)
    stage.assert_nowhere(REFUSER)


def test_the_recording_is_cut_while_the_refuser_is_in_the_talk(calls: Calls, stage: Stage) -> None:
    refusers, colleagues = calls["refuser"]
    assert refusers.recordings == ()
    theirs = [one for one in colleagues.recordings if one.extension == "202"]
    assert [one.state for one in theirs] == ["stored", "stored"]
    verdicts = [d.rule for d in colleagues.decisions if d.facts["user"]["extension"] == "202"]
    assert 3 in verdicts
    assert verdicts[0] == verdicts[-1] == 10
    for one in theirs:
        path, end = stage.file(one), one.length_ms / 1000
        left, right = ("202", "239") if one.user_side == "left" else ("239", "202")
        assert_side(path, 0, stage.voice(left), 0.5, end - 0.5)
        assert_side(path, 1, stage.voice(right), 0.5, end - 0.5)


def test_a_customer_who_may_be_recorded_is_heard_in_both(calls: Calls, stage: Stage) -> None:
    customers, colleagues = calls["customer"]
    assert [one.state for one in customers.recordings] == ["stored", "stored"]
    mixed = stage.file(customers.recordings[1])
    assert heard_anywhere(mixed, stage.voice("203"))
    theirs = [one for one in colleagues.recordings if one.extension == "203"]
    assert theirs
    assert any(heard_anywhere(stage.file(one), stage.voice("caller of 201")) for one in theirs)
    assert customers.gaps == colleagues.gaps == ()


def test_a_second_customer_is_in_no_recording_before_they_were_told(calls: Calls, stage: Stage) -> None:
    firsts, seconds = calls["second customer"]
    (told,) = (s.at for s in seconds.timeline if s.what == "announcement" and s.detail.startswith("heard to its end"))
    mixed = [one for one in firsts.recordings if heard_anywhere(stage.file(one), stage.voice(SECOND))]
    assert mixed
    assert all(one.at >= told for one in (*mixed, *seconds.recordings))
    assert [gap.reason for gap in firsts.gaps] in ([], [UNTOLD]), "however quickly they were taken into the talk"


def test_nothing_is_left_behind(calls: Calls, stage: Stage) -> None:
    assert calls["customer"]
    stage.assert_nothing_left()
