"""Bad lines: packets of calls come late, not at all or in disorder, or stop for a while; both sides stay together.

Both parties send the same bursts, one a second and no two alike, so that any second tells how far the sides of the
recording are apart. Their lines tell how far they were apart when they were sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from kinds import recorded
from scenes import Played
from stage import ANSWER_MS, Stage, hang_up, talk

from pbx_plugin import clock
from pbx_plugin.db.views import CallDetail
from pbx_plugin.domain.losses import LATE
from pbx_plugin.sandbox.listening import Offset, offset_ms, silence
from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.phone_line import FAIR, BadLine, Counted, Onset, Weather
from pbx_plugin.sandbox.signals import write_bursts
from pbx_plugin.sandbox.site_config import TRUNK_HOST
from pbx_plugin.sandbox.site_extras import VANISHED_S
from pbx_plugin.sandbox.site_people import ddi_of

WITHIN_MS = 60.0
"""Product row R2."""

FAIR_S, AFTER_S = 8.0, 8.0

JITTER = Weather(delay_ms=(0, 80))
DISORDER = Weather(delay_ms=(0, 80), in_order=False)
LOSS = Weather(lost=0.05, bursts=0.004, burst_packets=10)
ALL = Weather(delay_ms=(0, 60), lost=0.02, bursts=0.002)
SILENT = Weather(lost=1.0)
QUIET_S = VANISHED_S - 6.0
"""Not so long that Asterisk would give the phone up."""


@dataclass(frozen=True)
class Bad:
    """Whose line is bad, and how, towards Asterisk and from it."""

    user: str
    whose: str
    to_server: Weather
    to_phone: Weather
    seconds: float = 26.0


BAD = {
    "the caller's jitter": Bad("201", "caller", JITTER, JITTER),
    "the caller's disorder": Bad("202", "caller", DISORDER, DISORDER),
    "the caller's loss": Bad("203", "caller", LOSS, LOSS),
    "the user's all": Bad("233", "user", ALL, ALL),
    "the caller's silence": Bad("234", "caller", SILENT, FAIR, QUIET_S),
    "the user's silence": Bad("237", "user", SILENT, FAIR, QUIET_S),
}


@dataclass(frozen=True)
class Heard:
    """What came of a call over a bad line, and when the bursts came to both lines."""

    call: CallDetail
    counted: tuple[Counted, Counted]
    user: list[Onset]
    caller: list[Onset]

    user_spread_ms: float
    caller_spread_ms: float

    def apart_ms(self, at_s: float) -> tuple[float, float]:
        """How much later than the user's the caller's sound came to Asterisk about then: at least, at most."""
        (recording,) = self.call.recordings
        assert recording.in_at is not None
        # The lines keep time by a clock of their own.
        moment = recording.in_at.timestamp() - clock.now().timestamp() + time.monotonic() + at_s
        both = zip(self.user, self.caller, strict=False)
        sent = [(caller.came - user.came) * 1000 for user, caller in both if abs(user.came - moment) < 2.0]
        return min(sent) - self.user_spread_ms, max(sent) + self.caller_spread_ms


class Wires:
    """Phones that send bursts, over lines of their own."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self._folder = folder
        self._ends = ExitStack()

    def user(self, extension: str) -> tuple[Phone, BadLine]:
        line = self._ends.enter_context(BadLine(self.stage.server, seed=int(extension)))
        phone = Phone.start(
            extension,
            server=line.address,
            register=True,
            password=self.stage.site.secrets.phones,
            signal=self._signal(extension),
        )
        self._ends.enter_context(phone)
        phone.auto_answer(ANSWER_MS)
        return phone, line

    def caller(self, of: str) -> tuple[Phone, BadLine]:
        line = self._ends.enter_context(BadLine(self.stage.server, TRUNK_HOST, seed=1000 + int(of)))
        number = self.stage.fresh_number()
        signal = self._signal(of)
        phone = Phone.start(number, address=TRUNK_HOST, server=line.address, caller=number, signal=signal)
        self._ends.enter_context(phone)
        return phone, line

    def _signal(self, extension: str) -> Path:
        return write_bursts(self._folder / f"{extension}.wav", seed=int(extension), seconds=60)

    def close(self) -> None:
        self._ends.close()


@pytest.fixture(scope="module")
def wires(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wires]:
    made = Wires(stage, tmp_path_factory.mktemp("bursts"))
    yield made
    made.close()


def over_bad_line(stage: Stage, user: tuple[Phone, BadLine], caller: tuple[Phone, BadLine], bad: Bad) -> Heard:
    """A recorded call: the line is fair, then bad, then fair again."""
    line = user[1] if bad.whose == "user" else caller[1]
    number = caller[0].config.caller
    leg = caller[0].dial(ddi_of(bad.user))
    user[0].wait_incoming().wait("CONFIRMED")
    recorded(stage, number, bad.user)
    talk(FAIR_S)
    line.now(to_server=bad.to_server, to_phone=bad.to_phone)
    talk(bad.seconds)
    line.now()
    talk(AFTER_S)
    hang_up(leg)
    users, callers = user[1], caller[1]
    return Heard(
        stage.settled(number),
        line.counted,
        users.onsets(to_server=True),
        callers.onsets(to_server=True),
        users.spread_ms(to_server=True),
        callers.spread_ms(to_server=True),
    )


@pytest.fixture(scope="module")
def calls(stage: Stage, wires: Wires) -> Played[Heard]:
    scenes = {
        name: partial(over_bad_line, stage, wires.user(bad.user), wires.caller(bad.user), bad)
        for name, bad in BAD.items()
    }
    stage.from_now()
    return Played(scenes)


def offsets_of(stage: Stage, heard: Heard) -> list[Offset]:
    (recording,) = heard.call.recordings
    path = stage.file(recording)
    return offset_ms((path, 0), (path, 1))


@pytest.mark.parametrize("name", BAD)
def test_sides_are_no_farther_apart_than_the_line_made_them(calls: Played[Heard], stage: Stage, name: str) -> None:
    heard = calls[name]
    offsets = offsets_of(stage, heard)
    told = [(offset.at_s, offset.ms, *heard.apart_ms(offset.at_s)) for offset in offsets]
    # A machine that has no time for the phone on the fair line has none for Asterisk either: 5 ms on a quiet one.
    within = WITHIN_MS + min(heard.user_spread_ms, heard.caller_spread_ms)
    far = [one for one in told if not one[2] - within <= one[1] <= one[3] + within]
    assert not far, f"(second, heard apart, came apart at least, at most): {far}, of {told}"
    usable = BAD[name].seconds if "silence" not in name else 0.0
    assert len(offsets) >= 0.8 * (FAIR_S + usable + AFTER_S)


@pytest.mark.parametrize("name", BAD)
def test_no_time_is_lost(calls: Played[Heard], name: str) -> None:
    (recording,) = calls[name].call.recordings
    assert recording.in_at is not None
    assert recording.closed_at is not None
    wall_ms = (recording.closed_at - recording.in_at).total_seconds() * 1000
    assert abs(recording.length_ms - wall_ms) < 150
    assert [gap.reason for gap in calls[name].call.gaps if gap.reason != LATE] == []


@pytest.mark.parametrize("name", BAD)
def test_the_line_was_as_bad_as_meant(calls: Played[Heard], name: str) -> None:
    bad, (to_server, to_phone) = BAD[name], calls[name].counted
    for weather, counted in ((bad.to_server, to_server), (bad.to_phone, to_phone)):
        assert counted.came > 45 * (FAIR_S + bad.seconds + AFTER_S)
        packets = 50 * bad.seconds
        expected = packets * min(1.0, weather.lost + weather.bursts * weather.burst_packets)
        assert 0.5 * expected <= counted.lost <= 2.0 * expected
        assert weather.in_order or counted.overtaken > 0.2 * packets


@pytest.mark.parametrize(("name", "channel"), [("the caller's silence", 1), ("the user's silence", 0)])
def test_who_stopped_sending_is_silent_meanwhile_and_comes_back(
    calls: Played[Heard], stage: Stage, name: str, channel: int
) -> None:
    heard = calls[name]
    (recording,) = heard.call.recordings
    quiet = silence(stage.file(recording), channel, at_least_s=QUIET_S - 3)
    assert len(quiet) == 1, quiet
    (start, end) = quiet[0]
    assert QUIET_S - 2 <= end - start <= QUIET_S + 2
    assert [offset.at_s for offset in offsets_of(stage, heard) if offset.at_s > end + 1]


def test_nothing_is_left_behind(calls: Played[Heard], stage: Stage) -> None:
    assert calls["the caller's loss"]
    stage.assert_nothing_left()
