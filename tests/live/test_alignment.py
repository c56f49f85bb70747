"""Both sides of a recording run together: noise bursts of one side, echoed by the other, by cross-correlation."""

from __future__ import annotations

from pathlib import Path

from stage import Stage, hang_up, talk

from pbx_plugin.sandbox.listening import offset_ms
from pbx_plugin.sandbox.signals import write_bursts
from pbx_plugin.sandbox.site_people import ddi_of

TALK_S = 20.0
WITHIN_MS = 60.0
"""Product row R2. The echo's own way there and back takes one or two packets of 20 ms of it."""


def test_the_echo_of_an_outside_party_is_where_it_belongs_in_every_second(stage: Stage, tmp_path: Path) -> None:
    stage.phone("202", signal=write_bursts(tmp_path / "bursts.wav", seed=7, seconds=60))
    caller = stage.outside("echo")
    leg = caller.dial(ddi_of("202"))
    leg.wait("CONFIRMED")
    leg.send("echo")
    stage.recording_now(caller.config.caller)
    talk(TALK_S)
    hang_up(leg)
    (recording,) = stage.settled(caller.config.caller).recordings
    path = stage.file(recording)
    offsets = offset_ms((path, 0), (path, 1))
    assert len(offsets) >= TALK_S - 4
    worst = max(offsets, key=lambda offset: abs(offset.ms))
    assert abs(worst.ms) <= WITHIN_MS, [(offset.at_s, offset.ms) for offset in offsets]
