"""Listens to what Asterisk says of its calls, as the recorder does, with an application of its own; and looks around.

A *look* is what Asterisk answers when it is asked for its channels and bridges: what a recorder finds that comes back
in the middle of a call. It is taken after every event, as far as Asterisk answers as fast as it speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from types import TracebackType
from typing import Any, Self

import aiohttp

from pbx_plugin.ari_app.resync import ON_HOLD
from pbx_plugin.asterisk.ari import AriClient, AriError
from pbx_plugin.asterisk.ari_events import WANTED_EVENTS, is_ours
from pbx_plugin.clock import now
from pbx_plugin.settings import Ari

Json = dict[str, Any]
APP = "trace"
SEEN_OF_CHANNEL = ("id", "name", "state", "caller", "dialplan", "creationtime", "channelvars", "on_hold")
SEEN_OF_BRIDGE = ("id", "technology", "bridge_type", "channels")
QUIET_S = 1.0


class Tap:
    """Writes down events and looks from a thread of its own. Use as a context manager."""

    def __init__(self, settings: Ari) -> None:
        self._settings = settings
        self._lines: list[Json] = []
        self._heard = 0
        self._channels = 0
        self._last = 0.0
        self._news = asyncio.Event()
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="tap", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._listening.wait(10.0):
            raise RuntimeError("Asterisk does not let us listen")
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(5.0)

    def begin(self) -> None:
        """Forget what was heard so far."""
        self._lines = []
        self._heard = 0

    def heard(self, kind: str, count: int = 1) -> bool:
        """Tell whether that many events of a type have come."""
        return len([line for line in tuple(self._lines) if line.get("type") == kind]) >= count

    def end(self, seconds: float = 30.0) -> list[Json]:
        """Return all lines, in order, when Asterisk has no channel any more and has been quiet for a second."""
        until = time.monotonic() + seconds
        while self._channels or time.monotonic() - self._last < QUIET_S:
            if time.monotonic() > until:
                raise RuntimeError("the call does not end")
            time.sleep(0.1)
        return list(self._lines)

    async def _run(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with AriClient(self._settings) as ari:
            async for socket in ari.events(APP):
                await ari.filter_events(APP, WANTED_EVENTS)
                looking = asyncio.create_task(self._look_around(ari))
                self._listening.set()
                try:
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            self._hear(json.loads(message.data))
                except asyncio.CancelledError:
                    return
                finally:
                    looking.cancel()

    def _hear(self, event: Json) -> None:
        if event.get("type") == "ChannelUserevent" and "channel" not in event:
            return  # a heartbeat of the recorder is no part of a call
        self._lines.append(event)
        self._heard += 1
        self._last = time.monotonic()
        self._news.set()

    async def _look_around(self, ari: AriClient) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            after = self._heard
            channels, bridges = await asyncio.gather(ari.list_channels(), ari.list_bridges())
            self._channels = len(channels)
            await asyncio.gather(*(_ask_hold(ari, channel) for channel in channels if not is_ours(channel)))
            look = {
                "after": after,
                "at": now().isoformat(timespec="milliseconds"),
                "channels": [_only(channel, SEEN_OF_CHANNEL) for channel in channels],
                "bridges": [_only(bridge, SEEN_OF_BRIDGE) for bridge in bridges if bridge["channels"]],
            }
            self._lines.append({"look": look})


async def _ask_hold(ari: AriClient, channel: Json) -> None:
    with contextlib.suppress(AriError):
        channel["on_hold"] = await ari.get_variable(channel["id"], ON_HOLD) == "1"


def _only(found: Json, keys: tuple[str, ...]) -> Json:
    return {key: found[key] for key in keys if key in found}
