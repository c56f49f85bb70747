"""A withdrawal comes while the worker joins the very files: whichever of the two is first, nothing is left."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from pbx_plugin.ari_app.finalising import Finalising
from pbx_plugin.domain.commands import EraseMedia, FinaliseMedia
from pbx_plugin.domain.naming import Sense, spool_file, spool_name
from pbx_plugin.storage.wav import header

pytestmark = pytest.mark.wide

MEDIA, TENANT = "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11", "7e57ab1e-0000-4000-8000-000000000001"
PLANNED = datetime(2026, 11, 21, 23, 59, 58, tzinfo=UTC)
BEGUN = PLANNED + timedelta(seconds=4)
"""Planned before midnight, announced, and begun after it."""
MINUTES = 10


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("head_start", [0.0, 0.005, 0.02, 0.06, 0.15])
async def test_nothing_is_left_of_a_segment_that_is_erased_while_it_is_finalised(
    tmp_path: Path, head_start: float
) -> None:
    spool, archive = tmp_path / "spool", tmp_path / "archive"
    archive.mkdir()
    name_in, name_out = (spool_name(MEDIA, PLANNED, sense) for sense in (Sense.IN, Sense.OUT))
    sound = np.zeros(MINUTES * 60 * 8000, "<i2") + 1000
    for name in (name_in, name_out):
        path = spool / spool_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(header(8000, 1, len(sound)) + sound.tobytes())
    finalising = Finalising(spool, archive, 200)
    finalising.start()
    end = BEGUN + timedelta(minutes=MINUTES)
    wanted = FinaliseMedia(MEDIA, TENANT, name_in, name_out, "right", BEGUN, BEGUN, BEGUN, end)
    try:
        await asyncio.get_running_loop().run_in_executor(finalising._workers(), int)
        joining = asyncio.create_task(finalising.finalise(wanted))
        await asyncio.sleep(head_start)
        await finalising.erase(EraseMedia(MEDIA, TENANT, BEGUN, name_in, name_out))
        async with asyncio.timeout(20):
            await joining
    finally:
        finalising.close()
    assert files(tmp_path) == []
