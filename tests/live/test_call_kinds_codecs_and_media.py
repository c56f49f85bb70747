"""Codecs, changes of them in a call, silence, no packets at all, and keys by both methods: each side stays itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from kinds import TALK_S, Part, assert_one_journey, assert_segments, recorded
from scenes import Played
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.listening import assert_side
from pbx_plugin.sandbox.phone import DtmfMethod, Leg, Phone, Sends
from pbx_plugin.sandbox.site_people import ddi_of

CODE = "*4"
Scenes = dict[str, Callable[[Stage], CallDetail]]

USERS = {"201": ("PCMU",), "202": ("PCMA",), "203": ("G722",), "233": ("GSM",), "237": ("G722", "PCMA", "PCMU")}
"""Users on phones that know these codecs only."""
CALLERS = {"201": ("PCMA",), "202": ("GSM",), "203": ("PCMU",), "233": ("PCMA",), "237": ("G722",)}
"""What the line of whoever calls them offers."""


def user_phone(stage: Stage, extension: str) -> Phone:
    phone = stage.phone(extension, codecs=USERS[extension])
    phone.disregard_incoming()
    return phone


def joined(stage: Stage, extension: str, codecs: tuple[str, ...] = ("PCMA", "PCMU")) -> tuple[str, Leg, Leg]:
    """Return the caller's number, the caller's leg and the user's."""
    phone = user_phone(stage, extension) if extension in USERS else stage.phone(extension)
    phone.disregard_incoming()
    outside = stage.outside(f"caller of {extension}", codecs=codecs)
    leg = outside.dial(ddi_of(extension))
    mine = phone.wait_incoming()
    mine.wait("CONFIRMED")
    leg.wait("CONFIRMED")
    return outside.config.caller, leg, mine


def in_codecs(stage: Stage, user: str) -> CallDetail:
    """A recorded call between two codecs."""
    number, caller, mine = joined(stage, user, CALLERS[user])
    recorded(stage, number, user)
    talk(TALK_S)
    assert mine.rtp().codec == USERS[user][0]
    assert caller.rtp().codec == CALLERS[user][0]
    hang_up(caller)
    return stage.settled(number)


def changed(stage: Stage, user: str, codec: str) -> CallDetail:
    """The user's phone changes its codec by a re-INVITE in the middle of the call."""
    number, caller, mine = joined(stage, user)
    recorded(stage, number, user)
    talk(2.0)
    stage.phone(user).use_codecs(codec)
    mine.unhold()
    talk(3.0)
    assert mine.rtp().codec == codec
    hang_up(caller)
    return stage.settled(number)


def one_side(stage: Stage, user: str, what: Sends) -> CallDetail:
    """The user sends silence, or nothing at all."""
    number, caller, mine = joined(stage, user)
    mine.send(what)
    recorded(stage, number, user)
    talk(4.0)
    hang_up(caller)
    return stage.settled(number)


def keyed(stage: Stage, user: str, method: DtmfMethod) -> CallDetail:
    """A user on demand presses the code by that method; the caller's digits reach the user."""
    number, caller, mine = joined(stage, user)
    stage.decided(number, user)
    mine.dtmf(CODE, method)
    recorded(stage, number, user)
    talk(TALK_S)
    mine.dtmf(CODE, method)
    talk(0.5)
    caller.dtmf("159", method)
    mine.wait_digits("159")
    hang_up(caller)
    return stage.settled(number)


ROUNDS: tuple[Scenes, ...] = (
    {f"codecs of {user}": partial(in_codecs, user=user) for user in USERS},
    {
        "changed to G722": partial(changed, user="234", codec="G722"),
        "changed to PCMU": partial(changed, user="239", codec="PCMU"),
        "silent": partial(one_side, user="238", what="silence"),
        "nothing": partial(one_side, user="237", what="nothing"),
    },
    {
        "keys by rfc4733": partial(keyed, user="211", method="rfc4733"),
        "keys by info": partial(keyed, user="212", method="info"),
    },
)


@pytest.fixture(scope="module")
def calls(stage: Stage) -> Played[CallDetail]:
    for extension in USERS:
        user_phone(stage, extension)
        stage.outside(f"caller of {extension}", codecs=CALLERS[extension])
    for extension in ("234", "239", "238", "211", "212"):
        stage.outside(f"caller of {extension}")
    stage.phone("234", codecs=("PCMA", "G722"))
    stage.phone("239", codecs=("PCMA", "PCMU"))
    for extension in ("238", "211", "212"):
        stage.phone(extension)
    played: Played[CallDetail] = Played({})
    for scenes in ROUNDS:
        stage.from_now()
        played = played.joined(Played({name: partial(scene, stage) for name, scene in scenes.items()}))
    return played


@pytest.mark.parametrize("user", USERS)
def test_both_voices_whatever_the_codecs(calls: Played[CallDetail], stage: Stage, user: str) -> None:
    call = calls[f"codecs of {user}"]
    assert_segments(stage, call, Part(user, f"caller of {user}"))
    assert call.gaps == ()


@pytest.mark.parametrize(("codec", "user"), [("G722", "234"), ("PCMU", "239")])
def test_a_change_of_codec_cuts_nothing(calls: Played[CallDetail], stage: Stage, codec: str, user: str) -> None:
    call = calls[f"changed to {codec}"]
    assert_segments(stage, call, Part(user, f"caller of {user}"))
    (recording,) = call.recordings
    assert recording.length_ms > 4500
    assert_one_journey(call)


def test_who_sends_silence_is_a_silent_side(calls: Played[CallDetail], stage: Stage) -> None:
    (recording,) = calls["silent"].recordings
    assert recording.left_silent
    assert not recording.right_silent
    end = recording.length_ms / 1000
    assert_side(stage.file(recording), 0, None, 0.5, end)
    assert_side(stage.file(recording), 1, stage.voice("caller of 238"), 0.25, end - 0.25)


def test_who_sends_no_packets_leaves_the_other_side_in_time(calls: Played[CallDetail], stage: Stage) -> None:
    (recording,) = calls["nothing"].recordings
    assert recording.in_at is not None
    assert recording.closed_at is not None
    wall_ms = (recording.closed_at - recording.in_at).total_seconds() * 1000
    assert abs(recording.length_ms - wall_ms) < 150
    end = recording.length_ms / 1000
    assert_side(stage.file(recording), 0, None, 0.5, end)
    assert_side(stage.file(recording), 1, stage.voice("caller of 237"), 0.25, end - 0.25)


@pytest.mark.parametrize(("method", "user"), [("rfc4733", "211"), ("info", "212")])
def test_keys_by_both_methods(calls: Played[CallDetail], stage: Stage, method: str, user: str) -> None:
    call = calls[f"keys by {method}"]
    assert_segments(stage, call, Part(user, f"caller of {user}", keys=0.8))
    assert [step.detail for step in call.timeline if step.what == "toggle"] == ["on", "off"]


def test_nothing_is_left_behind(calls: Played[CallDetail], stage: Stage) -> None:
    assert calls["silent"]
    stage.assert_nothing_left()
