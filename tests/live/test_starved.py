"""Asterisk has no time for its recordings: what it throws away is told, and what it keeps is where it belongs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
from stage import Stage, hang_up, talk

from pbx_plugin.db.views import CallDetail
from pbx_plugin.domain.losses import STARVED
from pbx_plugin.domain.pacing import EMPTIED_MS
from pbx_plugin.sandbox.listening import Offset, offset_ms
from pbx_plugin.sandbox.signals import write_bursts
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_people import ddi_of

BEFORE_S, STARVED_S, AFTER_S = 6.0, 15.0, 8.0

FROZEN_S, EVERY_S = 0.1, 0.4
"""Each time Asterisk misses four or five wakings: 200 ms of every second stay in the queue."""

ONE_QUEUE_MS = 500.0
"""What Asterisk throws away at once: nobody can know more exactly than that how much it was."""


@dataclass(frozen=True)
class Heard:
    """A call of somebody who says bursts to somebody who echoes them, and what was said."""

    call: CallDetail
    said: Path

    def offsets(self, stage: Stage, side: int) -> list[Offset]:
        """How much later than in the recording each second was in what was said."""
        return offset_ms((stage.file(self.call.recordings[0]), side), (self.said, 0), within_ms=8000.0)


def starve(site: Site) -> None:
    """Let Asterisk stand still for a moment, again and again."""
    until = time.monotonic() + STARVED_S
    while time.monotonic() < until:
        site.asterisk.freeze()
        try:
            time.sleep(FROZEN_S)
        finally:
            site.asterisk.thaw()
        time.sleep(EVERY_S - FROZEN_S)


@pytest.fixture(scope="module")
def heard(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    said = write_bursts(tmp_path_factory.mktemp("said") / "bursts.wav", seed=7, seconds=90)
    stage.phone("202", signal=said)
    caller = stage.outside("echo")
    leg = caller.dial(ddi_of("202"))
    leg.wait("CONFIRMED")
    leg.send("echo")
    stage.recording_now(caller.config.caller)
    talk(BEFORE_S)
    starve(stage.site)
    talk(AFTER_S)
    hang_up(leg)
    return Heard(stage.settled(caller.config.caller), said)


@pytest.mark.parametrize("side", [0, 1], ids=["left", "right"])
def test_what_is_said_afterwards_is_where_it_was_said(heard: Heard, stage: Stage, side: int) -> None:
    offsets = heard.offsets(stage, side)
    end = heard.call.recordings[0].length_ms / 1000
    first = median(offset.ms for offset in offsets if offset.at_s < BEFORE_S - 2)
    last = median(offset.ms for offset in offsets if offset.at_s > end - AFTER_S + 3)
    assert abs(last - first) <= ONE_QUEUE_MS, [(offset.at_s, offset.ms) for offset in offsets]


def test_the_sides_stay_together(heard: Heard, stage: Stage) -> None:
    path = stage.file(heard.call.recordings[0])
    offsets = offset_ms((path, 0), (path, 1), within_ms=3000.0)
    last = [offset for offset in offsets if offset.at_s > heard.call.recordings[0].length_ms / 1000 - AFTER_S + 3]
    assert last
    assert all(abs(offset.ms) <= ONE_QUEUE_MS for offset in last), [(offset.at_s, offset.ms) for offset in offsets]


def test_the_recording_is_as_long_as_the_call(heard: Heard) -> None:
    (recording,) = heard.call.recordings
    assert recording.in_at is not None
    assert recording.closed_at is not None
    covered_ms = (recording.closed_at - recording.in_at).total_seconds() * 1000
    assert covered_ms - ONE_QUEUE_MS - 100 <= recording.length_ms <= covered_ms + 20


def test_what_was_thrown_away_is_told(heard: Heard) -> None:
    (recording,) = heard.call.recordings
    told = [gap for gap in heard.call.gaps if gap.reason.startswith(STARVED)]
    lost_ms = sum(gap.seconds(gap.until or gap.since) for gap in told) * 1000
    assert lost_ms >= 3 * EMPTIED_MS, heard.call.gaps
    assert recording.in_at is not None
    assert recording.closed_at is not None
    assert all(recording.in_at <= gap.since < (gap.until or gap.since) <= recording.closed_at for gap in told)
    for side in ("left", "right"):
        assert [remark for remark in recording.remarks if remark.startswith(STARVED) and f"the {side} side" in remark]


def test_nothing_is_left_behind(heard: Heard, stage: Stage) -> None:
    assert heard.call
    stage.assert_nothing_left()
