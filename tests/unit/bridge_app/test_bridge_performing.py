"""Commands of the hunt as requests to Asterisk, and what comes back when it refuses."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from bridge_double import NOON, Ears, Pbx

from pbx_plugin.asterisk.ari_bridging import BridgingClient, Endpoint
from pbx_plugin.bridge_app.performer import LEFT_ALONE, Performer
from pbx_plugin.domain import hunt_commands as c
from pbx_plugin.domain import hunt_events as e

RING = c.Ring("c1", "c1", "hunt-c1-1", "PJSIP/101", 20)
CONNECT = c.Connect("c1", "c1", "hunt-c1-1")


class Site:
    """A performer, its Asterisk, and what it told the hunt."""

    def __init__(self) -> None:
        self.pbx, self.ears = Pbx(), Ears()
        ari = cast(BridgingClient, self.pbx)
        self.performer = Performer(ari, "app", "users", self.ears, lambda: NOON, lambda channel: channel != "c1")

    async def does(self, *commands: c.Command, comes: str = "hunt-c1-1") -> list[str]:
        """Perform; the channel that is made comes into the application a moment later."""
        self.performer.perform([*commands])
        if comes:
            await self.pbx.made.wait()
            self.performer.came_in(comes)
        await self.performer.settled(2)
        return self.pbx.asked


async def test_a_phone_is_made_then_dialled_for_a_little_longer_than_we_need() -> None:
    assert await Site().does(RING) == [
        "create hunt-c1-1 PJSIP/101 c1 DYNAMIC_FEATURES TRANSFER_CONTEXT",
        f"dial hunt-c1-1 c1 {20 + LEFT_ALONE}",
    ]


async def test_a_phone_is_not_dialled_before_its_channel_is_ours() -> None:
    site = Site()
    site.performer.perform([RING])
    for _ in range(20):
        await asyncio.sleep(0)
    assert [line.split()[0] for line in site.pbx.asked] == ["create"]
    site.performer.came_in(RING.leg)
    await site.performer.settled(2)
    assert [line.split()[0] for line in site.pbx.asked] == ["create", "dial"]


@pytest.mark.parametrize(
    ("phone", "end"),
    [
        (Endpoint(online=False, in_use=False), e.LegEnd.UNREACHABLE),
        (Endpoint(online=True, in_use=True), e.LegEnd.BUSY),
    ],
)
async def test_a_phone_that_is_away_or_in_use_is_not_rung(phone: Endpoint, end: e.LegEnd) -> None:
    site = Site()
    site.pbx.phones["PJSIP/101"] = phone
    assert await site.does(RING, comes="") == []
    assert site.ears.heard == [e.LegEnded(NOON, RING.leg, end)]


async def test_a_phone_that_asterisk_refuses_to_dial_is_ended_and_told() -> None:
    site = Site()
    site.pbx.refused = {"dial"}
    assert (await site.does(RING))[-1] == "end hunt-c1-1"
    assert site.ears.heard == [e.LegEnded(NOON, RING.leg, e.LegEnd.UNREACHABLE)]


async def test_caller_and_phone_meet_and_only_the_users_keys_are_absorbed() -> None:
    assert await Site().does(CONNECT, comes="") == [
        "answer c1",
        "bridge hunt-c1",
        "add hunt-c1 c1 False",
        "add hunt-c1 hunt-c1-1 True",
    ]


async def test_a_caller_who_is_gone_when_they_should_meet_is_told() -> None:
    site = Site()
    site.pbx.refused, site.pbx.gone = {"answer"}, {"c1"}
    await site.does(CONNECT, comes="")
    assert site.ears.heard == [e.CallerGone(NOON, "c1")]


async def test_a_phone_that_is_gone_when_they_should_meet_is_told() -> None:
    site = Site()
    site.pbx.refused = {"add hunt-c1 hunt-c1-1 True"}
    await site.does(CONNECT, comes="")
    assert site.ears.heard == [e.LegEnded(NOON, CONNECT.leg)]


async def test_a_caller_given_back_says_why_and_one_that_is_not_ours_says_nothing() -> None:
    assert await Site().does(c.GiveBack("c1", "c1", c.Outcome.BUSY), comes="") == [
        "set c1 PBXREC_HUNTED yes",
        "set c1 DIALSTATUS BUSY",
        "unbridge hunt-c1",
        "go_on c1",
    ]
    assert await Site().does(c.GiveBack("c1", "c1", c.Outcome.NOT_OURS), comes="") == ["unbridge hunt-c1", "go_on c1"]


async def test_the_end_of_a_call_ends_its_bridge_and_whoever_is_left() -> None:
    site = Site()
    site.pbx.inside = ["c1"]
    assert await site.does(c.EndCall("c1"), comes="") == ["unbridge hunt-c1", "end c1"]


async def test_music_needs_an_answer_and_ringing_does_not() -> None:
    assert await Site().does(c.Comfort("c1", "c1", music=True), comes="") == ["answer c1", "music c1"]
    assert await Site().does(c.Comfort("c1", "c1", music=False), comes="") == ["ring c1"]


async def test_what_goes_wrong_for_one_deed_does_not_keep_the_next_from_being_done() -> None:
    site = Site()
    site.pbx.refused = {"ring"}
    commands = (c.Comfort("c1", "c1", music=False), c.Stop("c1", "hunt-c1-2", elsewhere=True))
    assert await site.does(*commands, comes="") == ["ring c1", "end hunt-c1-2 elsewhere"]
