"""Incoming, outgoing and internal calls of users in each mode: who is recorded, on which side, and who is not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site_people import ddi_of

TALK_S = 4.0
USERS = {
    "always": {"incoming": "201", "outgoing": "202", "internal": "203"},
    "on demand": {"incoming": "211", "outgoing": "212", "internal": "213"},
    "never": {"incoming": "221", "outgoing": "222", "internal": "223"},
}
COLLEAGUE = "229"
"""Not enrolled: never records, and must be heard on an internal recording of somebody else."""
VERDICTS = {"always": ("record", 10), "on demand": ("armed", 12), "never": ("never", 5)}
PAIRS = [(direction, mode) for direction in ("incoming", "outgoing", "internal") for mode in USERS]


def incoming(stage: Stage, user: str) -> CallDetail:
    stage.phone(user)
    caller = stage.outside(f"caller-{user}")
    leg = caller.dial(ddi_of(user))
    return _talked(stage, leg, caller.config.caller, user)


def outgoing(stage: Stage, user: str) -> CallDetail:
    stage.world()
    number = stage.fresh_number()
    leg = stage.phone(user).dial(number)
    return _talked(stage, leg, number, user)


def internal(stage: Stage, user: str) -> CallDetail:
    stage.phone(COLLEAGUE)
    leg = stage.phone(user).dial(COLLEAGUE)
    return _talked(stage, leg, user, user)


def _talked(stage: Stage, leg: Leg, number: str, user: str) -> CallDetail:
    leg.wait("CONFIRMED")
    if stage.decided(number, user).verdict == "record":
        stage.recording_now(number)
    talk(TALK_S)
    hang_up(leg)
    return stage.settled(number)


KINDS: dict[str, Callable[[Stage, str], CallDetail]] = {
    "incoming": incoming,
    "outgoing": outgoing,
    "internal": internal,
}


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    stage.world()
    for users in USERS.values():  # a phone that starts makes its neighbours stutter
        stage.outside(f"caller-{users['incoming']}")
        for user in (*users.values(), COLLEAGUE):
            stage.phone(user)
    return Played({f"{kind} {mode}": partial(KINDS[kind], stage, USERS[mode][kind]) for kind, mode in PAIRS})


@pytest.mark.parametrize(("direction", "mode"), PAIRS)
def test_the_decision_follows_mode_and_direction(calls: Played[CallDetail], direction: str, mode: str) -> None:
    call, user = calls[f"{direction} {mode}"], USERS[mode][direction]
    mine = [decision for decision in call.decisions if decision.facts["user"]["extension"] == user]
    assert (mine[-1].verdict, mine[-1].rule) == VERDICTS[mode]
    assert mine[-1].facts["direction"] == direction
    assert [step["matched"] for step in mine[-1].trace][-1] is True


@pytest.mark.parametrize("direction", KINDS)
def test_an_always_user_is_left_and_the_other_party_right(
    calls: Played[CallDetail], stage: Stage, direction: str
) -> None:
    user = USERS["always"][direction]
    (recording,) = calls[f"{direction} always"].recordings
    assert recording.state == "stored"
    assert recording.extension == user
    other = {"incoming": f"caller-{user}", "outgoing": "world", "internal": COLLEAGUE}[direction]
    assert recording.length_ms > (TALK_S - 0.5) * 1000
    stage.assert_sides(recording, user, other)


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
def test_an_outside_party_hears_the_announcement_before_the_first_recorded_second(
    calls: Played[CallDetail], direction: str
) -> None:
    call = calls[f"{direction} always"]
    (recording,) = call.recordings
    told = [step.at for step in call.timeline if step.what == "announcement" and "end" in step.detail]
    assert recording.in_at is not None
    assert told
    assert told[0] <= recording.in_at


def test_colleagues_hear_no_announcement(calls: Played[CallDetail]) -> None:
    assert not [step for step in calls["internal always"].timeline if step.what == "announcement"]


@pytest.mark.parametrize(("direction", "mode"), [pair for pair in PAIRS if pair[1] != "always"])
def test_nobody_else_is_recorded(calls: Played[CallDetail], stage: Stage, direction: str, mode: str) -> None:
    assert calls[f"{direction} {mode}"].recordings == ()
    user = USERS[mode][direction]
    stage.assert_nowhere(user, *([f"caller-{user}"] if direction == "incoming" else []))


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["incoming always"]
    stage.assert_nothing_left()


def test_our_snoops_leave_no_call_records(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["incoming always"]
    records = stage.site.asterisk.cdr_path.read_text()
    assert "PJSIP/201" in records
    assert "Snoop" not in records
