"""Two programs want the same application's events: one listens, the other waits until nobody does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pbx_plugin.asterisk.ari import AriError
from pbx_plugin.asterisk.post import STILL_LOOKS, Post, listener_name


class _Asterisk:
    """What an Asterisk keeps of it: global variables, and whether somebody is connected."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.connected = False

    async def get_application(self, app: str) -> object:
        if not self.connected:
            raise AriError("GET", f"/applications/{app}", 404, "Application not found")
        return {"name": app}

    async def get_global(self, variable: str) -> str:
        return self.variables.get(variable, "")

    async def set_global(self, variable: str, value: str) -> None:
        self.variables[variable] = value


def test_the_first_takes_the_post_and_the_second_waits_while_the_first_says_that_it_is_there() -> None:
    asterisk = _Asterisk()
    first, second = Post(asterisk, "pbxrec", "a:/state"), Post(asterisk, "pbxrec", "b:/state")

    async def watch() -> list[bool]:
        taken = [await first.take()]
        asterisk.connected = True
        for _ in range(3 * STILL_LOOKS):
            await first.hold()
            taken.append(await second.take())
        return taken

    assert asyncio.run(watch()) == [True] + [False] * 3 * STILL_LOOKS


def test_the_one_whose_stream_was_taken_stands_back_for_the_one_whose_name_stands_there() -> None:
    asterisk = _Asterisk()
    first, second = Post(asterisk, "pbxrec", "a:/state"), Post(asterisk, "pbxrec", "b:/state")

    async def both_at_once() -> bool:
        await first.take()
        await second.take()
        asterisk.connected = True
        return await first.take()

    assert not asyncio.run(both_at_once())


def test_a_restart_takes_its_own_post_again_at_once_though_its_old_stream_still_looks_open() -> None:
    asterisk = _Asterisk()
    name = listener_name(Path("/var/lib/pbx-plugin"))

    async def twice() -> bool:
        await Post(asterisk, "pbxrec", name).take()
        asterisk.connected = True
        return await Post(asterisk, "pbxrec", name).take()

    assert asyncio.run(twice())


def test_a_listener_that_says_nothing_any_more_has_left_its_post() -> None:
    asterisk = _Asterisk()
    gone, heir = Post(asterisk, "pbxrec", "a:/state"), Post(asterisk, "pbxrec", "b:/state")

    async def wait() -> list[bool]:
        await gone.take()
        asterisk.connected = True
        return [await heir.take() for _ in range(STILL_LOOKS + 1)]

    assert asyncio.run(wait()) == [False] * STILL_LOOKS + [True]


def test_a_name_left_behind_by_somebody_no_longer_connected_bars_nobody() -> None:
    asterisk = _Asterisk()

    async def wait() -> bool:
        await Post(asterisk, "pbxrec", "a:/state").take()
        return await Post(asterisk, "pbxrec", "b:/state").take()

    assert asyncio.run(wait())


def test_each_application_has_a_post_of_its_own() -> None:
    asterisk = _Asterisk()

    async def both() -> bool:
        await Post(asterisk, "pbxrec", "a:/state").take()
        asterisk.connected = True
        return await Post(asterisk, "pbxrec-bridge", "b:/state").take()

    assert asyncio.run(both())
