"""A user's keys in a bridged call: the star code goes to the recorder, everything else to the other side."""

from __future__ import annotations

import asyncio
from typing import cast

from bridge_double import NOON, Ears, Pbx

from pbx_plugin.asterisk.ari_bridging import BridgingClient
from pbx_plugin.bridge_app.keys import KeyPad
from pbx_plugin.bridge_app.performer import Performer

TIMEOUT_MS = 20


class Pad:
    """A user's key pad in a call with one other."""

    def __init__(self) -> None:
        self.pbx = Pbx()
        ari = cast(BridgingClient, self.pbx)
        self.performer = Performer(ari, "app", "users", Ears(), lambda: NOON, lambda _channel: True)
        self.keys = KeyPad(ari, self.performer, "recorder", {"4": "PBXRecToggle"}, TIMEOUT_MS)

    async def typed(self, keys: str, others: tuple[str, ...] = ("caller",), ms: int = 160) -> list[str]:
        for key in keys:
            self.keys.press("c1", "user", others, key, ms)
        await self.performer.settled(2)
        return self.pbx.asked


async def test_the_code_goes_to_the_recorder_with_whose_it_is_and_to_nobody_else() -> None:
    assert await Pad().typed("*4") == ["event PBXRecToggle user recorder"]


async def test_other_keys_are_heard_in_order_by_everybody_else() -> None:
    assert await Pad().typed("1*2", others=("a", "b")) == [
        "press a 1 160",
        "press b 1 160",
        "press a *2 160",
        "press b *2 160",
    ]


async def test_a_star_alone_is_heard_when_no_key_follows_in_time() -> None:
    pad = Pad()
    assert await pad.typed("*") == []
    await asyncio.sleep(TIMEOUT_MS / 1000 + 0.05)
    await pad.performer.settled(2)
    assert pad.pbx.asked == ["press caller * 160"]
    assert await pad.typed("4") == ["press caller * 160", "press caller 4 160"]


async def test_a_star_of_a_phone_that_is_gone_is_forgotten() -> None:
    pad = Pad()
    await pad.typed("*")
    pad.keys.forget("user")
    await asyncio.sleep(TIMEOUT_MS / 1000 + 0.05)
    assert pad.pbx.asked == []


async def test_keys_are_neither_too_short_to_be_heard_nor_endless() -> None:
    assert await Pad().typed("1", ms=10) == ["press caller 1 80"]
    assert await Pad().typed("1", ms=60_000) == ["press caller 1 2000"]


async def test_a_recorder_that_is_away_takes_nothing_and_breaks_nothing() -> None:
    pad = Pad()
    pad.pbx.refused = {"event"}
    assert await pad.typed("*41") == ["event PBXRecToggle user recorder", "press caller 1 160"]
