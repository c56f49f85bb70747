"""Two sides that begin together in a folder that is not there yet: Asterisk refuses one of them, once a folder."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from pbx_plugin.ari_app.capturing import CaptureError, Capturing
from pbx_plugin.ari_app.signals import Signals
from pbx_plugin.asterisk.ari import AriClient, AriError
from pbx_plugin.domain.commands import StartCapture

AT = datetime(2030, 1, 1, tzinfo=UTC)
WANTED = StartCapture(media="m", channel="c", spool_in="pbxrec/2030/01/01/m-in", spool_out="pbxrec/2030/01/01/m-out")


class RacingAsterisk:
    """Refuses one name as existing, as often as told."""

    def __init__(self, refusals: int, status: int = 409) -> None:
        self.refusals, self.status = refusals, status
        self.recording: list[str] = []
        self.hung_up: list[str] = []

    async def record_channel(self, channel: str, name: str) -> None:
        if name == WANTED.spool_out and self.refusals:
            self.refusals -= 1
            raise AriError("POST", "/record", self.status, "already exists and can not be overwritten")
        self.recording.append(name)

    async def set_variable(self, channel: str, variable: str, value: str) -> None:
        await asyncio.sleep(0)

    async def hangup(self, channel: str) -> None:
        self.hung_up.append(channel)


class Heard:
    """Every recording says that it started."""

    async def wait(self, kind: str, name: str, patience: float) -> Any:
        return AT


def capturing(asterisk: RacingAsterisk) -> Capturing:
    return Capturing(cast(AriClient, asterisk), "pbxrec", cast(Signals, Heard()))


async def test_both_sides_are_recorded_although_they_raced_for_each_of_the_days_folders() -> None:
    asterisk = RacingAsterisk(refusals=4)
    assert await capturing(asterisk).start(WANTED) == (AT, AT)
    assert sorted(asterisk.recording) == [WANTED.spool_in, WANTED.spool_out]
    assert asterisk.hung_up == []


async def test_a_file_that_does_exist_is_not_recorded_over_and_no_snoop_stays() -> None:
    asterisk = RacingAsterisk(refusals=1000)
    with pytest.raises(CaptureError, match="already exists"):
        await capturing(asterisk).start(WANTED)
    assert len(asterisk.hung_up) == 2


async def test_another_refusal_is_not_asked_again() -> None:
    asterisk = RacingAsterisk(refusals=1, status=404)
    with pytest.raises(CaptureError):
        await capturing(asterisk).start(WANTED)
