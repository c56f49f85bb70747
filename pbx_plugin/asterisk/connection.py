"""Keeps the event stream alive: connects, filters, listens, notices silence, comes back.

Two failures look alike from outside and are told apart here: the socket that breaks, and the socket that stays open
while Asterisk no longer knows our application (7 of 8 times after it was frozen). Only a heartbeat finds the second.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import aiohttp
import structlog

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriClient, AriError, AriUnreachableError
from pbx_plugin.asterisk.post import Post

log = structlog.get_logger(__name__)

Json = dict[str, Any]
FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0


class Heartbeat(Protocol):
    """How often an application asks whether it is still heard, and how long it waits for the answer, in seconds."""

    @property
    def heartbeat(self) -> float: ...
    @property
    def heartbeat_patience(self) -> float: ...


class Connection:
    """Feeds events, in order, to ``on_event``; calls ``on_connect`` before the first event of each connection.

    ``on_heard`` gets each event as soon as it comes, before its turn: for whoever waits for Asterisk's answer while
    ``on_connect`` or an earlier event is under way. ``on_lost`` is called when a connection has ended. ``wanted`` are
    the types of event that Asterisk lets through, of every channel there is, or (without ``everything``) of those in
    the application only. ``who`` is our name among all that could listen in the application's name: while another does,
    this one waits.
    """

    def __init__(
        self,
        ari: AriClient,
        app: str,
        limits: Heartbeat,
        wanted: Sequence[str],
        *,
        who: str,
        everything: bool = True,
        on_connect: Callable[[], Awaitable[None]],
        on_heard: Callable[[Json], None],
        on_event: Callable[[Json], Awaitable[None]],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._ari = ari
        self._app = app
        self._post = Post(ari, app, who)
        self._limits = limits
        self._wanted = wanted
        self._everything = everything
        self._on_connect = on_connect
        self._on_heard = on_heard
        self._on_event = on_event
        self._on_lost = on_lost
        self._echo = asyncio.Event()
        self.connected = False

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                if not await self._post.take():
                    await asyncio.sleep(max(LAST_PAUSE, self._limits.heartbeat))
                    continue
                async for socket in self._ari.events(self._app, everything=self._everything):
                    await self._ari.filter_events(self._app, self._wanted)
                    await self._listen(socket)
                    pause = FIRST_PAUSE
            except (AriError, AriUnreachableError) as error:
                log.warning("Asterisk does not answer", error=str(error), again_in=pause)
            finally:
                if self.connected:
                    log.warning("the connection to Asterisk is lost; what runs there goes on", app=self._app)
                    self._on_lost()
                self.connected = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take events from the moment of connecting; they wait in order until ``on_connect`` is through."""
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        reader = asyncio.create_task(self._read(socket, queue))
        beating = asyncio.create_task(self._beat(socket))
        try:
            await self._on_connect()
            self.connected = True
            log.info("listening to Asterisk", app=self._app)
            while (event := await queue.get()) is not None:
                await self._on_event(event)
        finally:
            for task in (reader, beating):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, queue: asyncio.Queue[Json | None]) -> None:
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    continue
                try:
                    event = json.loads(message.data)
                    self._on_heard(event)
                except (ValueError, LookupError, TypeError) as error:
                    log.error("an event cannot be read", error=repr(error))
                    continue
                if event.get("type") == "ChannelUserevent" and event.get("eventname") == variables.EVENT_HEARTBEAT:
                    self._echo.set()
                elif event.get("type") == "ApplicationReplaced":
                    log.error("another program took our event stream over", app=self._app)
                    break
                else:
                    queue.put_nowait(event)
        finally:
            queue.put_nowait(None)

    async def _beat(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Send ourselves a user event now and then; close the socket when it does not come back."""
        while True:
            await asyncio.sleep(self._limits.heartbeat)
            self._echo.clear()
            try:
                await self._ari.user_event(variables.EVENT_HEARTBEAT, self._app)
                await self._post.hold()
                await asyncio.wait_for(self._echo.wait(), self._limits.heartbeat_patience)
            except (AriError, AriUnreachableError, TimeoutError) as error:
                log.warning("Asterisk went deaf: connecting anew", error=str(error) or "no echo")
                await socket.close()
                return
