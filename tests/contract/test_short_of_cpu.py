"""A recording whose files Asterisk wrote late and with losses: both sides stay together, and all of it is told."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pbx_plugin.domain.entries import Side
from pbx_plugin.domain.naming import Sense, spool_name
from pbx_plugin.domain.pacing import EMPTIED_MS, Lag, Pace
from pbx_plugin.storage.finalise import finalise
from pbx_plugin.storage.job import FinaliseJob, FinaliseResult
from pbx_plugin.storage.wav import header, open_pcm

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MEDIA = "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11"
TENANT = "7e57ab1e-0000-4000-8000-000000000001"
SECONDS = 30
Samples = NDArray[np.int16]


def talk(rate: int, hertz: float) -> Samples:
    """A tone that begins anew in every second, as loud as that second is late: what is heard tells when it was said."""
    at = np.arange(SECONDS * rate)
    sound: Samples = (np.sin(2 * np.pi * hertz * at / rate) * (1000 + 500 * (at // rate))).astype(np.int16)
    sound[at % rate > rate // 2] = 0
    return sound


def second_of(sound: Samples, rate: int, frame: int) -> int:
    """Which second was said there."""
    loudest = int(np.abs(sound[frame : frame + rate // 10].astype(int)).max())
    return round((loudest - 1000) / 500)


class Segment:
    """A segment in a spool: what was said, less what Asterisk threw away."""

    def __init__(self, folder: Path, rates: tuple[int, int] = (8000, 8000)) -> None:
        (folder / "archive").mkdir()
        self.rates = rates
        self.job = FinaliseJob(
            media_id=MEDIA,
            tenant_id=TENANT,
            spool=folder / "spool",
            archive=folder / "archive",
            spool_in=spool_name(MEDIA, NOON, Sense.IN),
            spool_out=spool_name(MEDIA, NOON, Sense.OUT),
            in_side=Side.RIGHT,
            intended_at=NOON,
            in_at=NOON,
            out_at=NOON,
            closed_at=NOON + timedelta(seconds=SECONDS),
            shortest_ms=200,
        )
        for path in self.job.spool_files:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.lost: list[list[float]] = [[], []]

    def written(self, side: int, *lost_s: float, queue_ms: int = 0) -> Segment:
        """Write a side that lost one queue at each of these moments, and what was in it at the end."""
        rate, paces = self.rates[side], list(self.job.paces)
        sound, lags = talk(rate, 400 + 300 * side), [Lag(2048, 0)]
        keep = np.ones(len(sound), bool)
        for number, at in enumerate(lost_s):
            keep[round(at * rate) : round(at * rate) + EMPTIED_MS * rate // 1000] = False
            place = round(at * 1000) - number * EMPTIED_MS
            full = (number + 1) * EMPTIED_MS
            lags += [Lag(place - 1000, full - 20), Lag(place + 1000, full + 20)]
        if queue_ms:
            keep[-queue_ms * rate // 1000 :] = False
        kept = sound[keep]
        late = len(lost_s) * EMPTIED_MS + queue_ms
        paces[side] = (*lags, Lag(len(kept) * 1000 // rate, late)) if late else ()
        self.job.spool_files[side].write_bytes(header(rate, 1, len(kept)) + kept.tobytes())
        self.job = replace(self.job, paces=(paces[0], paces[1]))
        return self

    def stored(self) -> tuple[FinaliseResult, Samples, Samples]:
        """Finalise, and return what was answered, and the left and the right."""
        result = finalise(self.job)
        with open_pcm(self.job.archive / result.path) as pcm:
            assert pcm is not None
            both = pcm.read(0, pcm.frames).reshape(-1, 2)
        return result, both[:, 0].copy(), both[:, 1].copy()


@pytest.mark.parametrize("rates", [(8000, 8000), (16_000, 16_000), (8000, 16_000), (16_000, 8000)])
def test_what_was_said_at_one_time_is_heard_at_one_time_to_the_end(tmp_path: Path, rates: tuple[int, int]) -> None:
    segment = Segment(tmp_path, rates).written(0, 5.2, 11.3, 17.4).written(1, 20.5)
    result, left, right = segment.stored()
    assert result.length_ms == SECONDS * 1000
    rate = result.rate
    for second in range(SECONDS):
        if second not in (5, 11, 17):
            assert second_of(right, rate, second * rate + rate // 10) == second
        if second != 20:
            assert second_of(left, rate, second * rate + rate // 10) == second
    assert result.remarks[:2] == (
        "Asterisk was short of CPU: 0.5 s of the left side are missing in 1 place",
        "Asterisk was short of CPU: 1.4 s of the right side are missing in 3 places",
    )


def test_what_was_in_the_queue_at_the_end_is_told_too(tmp_path: Path) -> None:
    result, _, right = Segment(tmp_path).written(0, 5.2, queue_ms=400).written(1).stored()
    assert "Asterisk was short of CPU: 0.9 s of the right side are missing in 2 places" in result.remarks
    assert second_of(right, 8000, 28 * 8000 + 800) == 28
    assert not right[-300 * 8 :].any()


def test_nothing_that_was_said_after_the_close_is_kept_however_far_the_file_is_behind(tmp_path: Path) -> None:
    """Asterisk went on recording for eight seconds, and lies a queue and a half behind."""
    segment = Segment(tmp_path).written(0, 5.2, queue_ms=240).written(1)
    segment.job = replace(segment.job, closed_at=NOON + timedelta(seconds=22))
    result, left, right = segment.stored()
    assert len(left) == 22 * 8000
    heard = {second_of(right, 8000, at) for at in range(0, len(right) - 800, 400) if right[at : at + 800].any()}
    assert max(heard) == 21
    assert not right[-200 * 8 :].any(), "what was in the queue was written after the close"
    assert result.length_ms == 22_000


@pytest.mark.parametrize("pace", [(), (Lag(28_000, 2000),)], ids=["unseen", "seen at the end"])
def test_a_side_that_is_short_and_nobody_saw_where_is_told(tmp_path: Path, pace: Pace) -> None:
    segment = Segment(tmp_path).written(0, 5.2, 11.3, 17.4, queue_ms=400).written(1)
    segment.job = replace(segment.job, paces=(pace, ()))
    result, _, _ = segment.stored()
    told = [remark for remark in result.remarks if "right" in remark]
    expected = "Asterisk was short of CPU: 2.0 s of the right" if pace else "short: right, 1840 ms less"
    assert [remark for remark in told if remark.startswith(expected)], told
    assert any("nobody saw where" in remark for remark in told) == bool(pace)


def test_finalising_again_after_a_crash_gives_the_same_bytes(tmp_path: Path) -> None:
    segment = Segment(tmp_path).written(0, 5.2, 11.3).written(1, 20.5)
    child = os.fork() if sys.platform != "win32" else 0
    if not child:
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        finalise(segment.job)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    first, left, right = segment.stored()
    for path in segment.job.spool_files:
        path.unlink()
    again, same_left, same_right = segment.stored()
    assert first == again
    assert (left == same_left).all()
    assert (right == same_right).all()
