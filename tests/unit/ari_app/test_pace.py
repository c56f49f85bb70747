"""Files of live captures are looked at while Asterisk writes them: what is late is noticed, whatever clocks do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from pbx_double import MEDIA, START, STOP, Works, until

from pbx_plugin.ari_app import performer
from pbx_plugin.ari_app.pace import PaceLog, Written
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.naming import spool_file
from pbx_plugin.domain.pacing import EMPTIED_MS, KEPT_TIME, Hole, Lag, Paces, holes
from pbx_plugin.storage.wav import header

BEGAN = 1000.0
"""By the steady clock."""


class Hall:
    """A spool with one capture, and two clocks."""

    def __init__(self, spool: Path, rate: int = 8000) -> None:
        self.steady, self.ahead, self.rate = BEGAN, 1_700_000_000.0, rate
        self.live = True
        self.paths = [spool / spool_file(name) for name in (START.spool_in, START.spool_out)]
        self.log = PaceLog(spool, self.written, self.wall, lambda: self.steady)
        self.began = self.wall()
        for path in self.paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(header(rate, 1, 0))

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.ahead + self.steady, UTC)

    def written(self) -> list[Written]:
        moved = self.wall() - self.began - timedelta(seconds=self.steady - BEGAN)
        began = self.began + moved
        return [Written(MEDIA, START.spool_in, START.spool_out, began, began)] if self.live else []

    def write(self, side: int, held_ms: int, late_ms: float, off_s: float = 0.0) -> None:
        """Have the file hold so much, written so late; ``off_s`` is how wrong the clock of its disk goes."""
        path = self.paths[side]
        os.truncate(path, 44 + held_ms * self.rate // 1000 * 2)
        at = self.ahead + off_s + BEGAN + (held_ms + late_ms) / 1000
        os.utime(path, ns=(int(at * 1e9), int(at * 1e9)))

    async def look(self, elapsed_s: float) -> None:
        self.steady = BEGAN + elapsed_s
        await self.log.look()

    async def close(self, elapsed_s: float) -> Paces:
        self.steady = BEGAN + elapsed_s
        return await self.log.paces(MEDIA)


@pytest.mark.parametrize(("rate", "step_ms"), [(8000, 2048), (16_000, 1024)])
async def test_a_late_side_is_told_from_one_in_time(tmp_path: Path, rate: int, step_ms: int) -> None:
    hall = Hall(tmp_path, rate)
    for step in range(1, 8):
        late = 0 if step < 4 else 510
        hall.write(0, step * step_ms, late)
        hall.write(1, step * step_ms, 15)
        for part in (0.55, 0.9):
            await hall.look((step + part) * step_ms / 1000)
    first, second = await hall.close(20.0)
    assert second == ()
    assert first == (Lag(3 * step_ms, 0), Lag(4 * step_ms, 510), Lag(7 * step_ms, 510))
    (hole,) = holes(first)
    assert 3 * step_ms <= hole.at_ms <= 4 * step_ms


async def test_a_recorder_that_was_restarted_knows_how_much_but_not_where(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    hall.write(0, 61_440, 1000)
    await hall.look(63.0)
    hall.write(0, 63_488, 1000)
    first, _ = await hall.close(65.0)
    assert holes(first) == (Hole(61_440, 2 * EMPTIED_MS, known=False),)


async def test_a_capture_that_was_never_looked_at_is_judged_by_its_end(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    hall.write(0, 20_000, 700)
    hall.write(1, 20_000, 5)
    assert await hall.close(21.0) == ((Lag(20_000, 700),), ())


async def test_what_is_not_ours_or_is_over_is_forgotten(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    hall.write(0, 2048, 700)
    await hall.look(3.0)
    hall.live = False
    await hall.look(4.0)
    assert await hall.close(5.0) == KEPT_TIME


@pytest.mark.parametrize("by_s", [-3600.0, -0.2, 0.2, 7.0])
async def test_a_clock_that_was_set_makes_no_file_late(tmp_path: Path, by_s: float) -> None:
    hall = Hall(tmp_path)
    hall.write(0, 2048, 0)
    await hall.look(2.5)
    hall.write(0, 4096, 0)  # by the clock of before
    hall.ahead += by_s
    await hall.look(4.5)
    for step in (3, 4, 5):
        hall.write(0, step * 2048, 10)
        await hall.look(step * 2.048 + 0.5)
    assert await hall.close(12.0) == KEPT_TIME


async def test_a_clock_that_was_set_just_before_the_end_makes_no_file_late(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    hall.write(0, 2048, 0)
    await hall.look(2.5)
    hall.write(0, 4096, 0)  # by the clock of before
    hall.ahead -= 0.2
    assert await hall.close(4.5) == KEPT_TIME


@pytest.mark.parametrize("off_s", [-30.0, 30.0])
async def test_a_disk_whose_clock_goes_wrong_says_nothing(tmp_path: Path, off_s: float) -> None:
    hall = Hall(tmp_path)
    for step in range(1, 5):
        hall.write(0, step * 2048, 0, off_s)
        await hall.look(step * 2.048 + 0.5)
    assert await hall.close(9.0) == KEPT_TIME


async def test_files_that_are_gone_or_no_sound_say_nothing(tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    hall.paths[0].unlink()
    hall.paths[1].write_bytes(b"no sound at all" * 100)
    await hall.look(2.0)
    assert await hall.close(3.0) == KEPT_TIME


def performing(paces: Callable[[str], Awaitable[Paces]]) -> Works:
    works = Works()
    works.performer._paces = paces
    return works


async def ended(works: Works) -> h.CaptureEnded:
    works.do(START)
    await until(lambda: "CaptureStarted" in works.kinds())
    works.do(STOP)
    await until(lambda: "CaptureEnded" in works.kinds())
    await works.done()
    return cast(h.CaptureEnded, works.heard[-1])


async def test_the_end_of_a_capture_tells_how_it_was_written_once_asterisk_has_closed_it() -> None:
    live: list[set[str]] = []

    async def known(media: str) -> Paces:
        live.append(set(works.asterisk.live))
        return (Lag(1, 900),), ()

    works = performing(known)
    assert (await ended(works)).paces == ((Lag(1, 900),), ())
    assert live == [set()]


async def test_a_capture_ends_though_nobody_can_tell_how_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performer, "PACES_PATIENCE", 0.01)

    async def hangs(media: str) -> Paces:
        await asyncio.Event().wait()
        return KEPT_TIME

    async def fails(media: str) -> Paces:
        raise OSError("the disk is away")

    for trouble in (hangs, fails):
        assert (await ended(performing(trouble))).paces == KEPT_TIME
