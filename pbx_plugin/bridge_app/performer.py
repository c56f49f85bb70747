"""Performs what the hunt asks for: one ordered worker a hunt, so that a slow phone never delays another caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime

import structlog

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriError, AriUnreachableError
from pbx_plugin.asterisk.ari_bridging import BridgingClient
from pbx_plugin.domain import hunt_commands as c
from pbx_plugin.domain import hunt_events as e
from pbx_plugin.domain.hunt_state import bridge_name

log = structlog.get_logger(__name__)

Deed = Callable[[], Coroutine[None, None, None]]

LEFT_ALONE = 5
"""Seconds that a phone rings longer than asked for when we are not there any more to stop it."""


COMES_WITHIN = 2.0
"""Seconds within which a channel that was made must be in our application."""


class Performer:
    """Turns commands into requests. :meth:`perform` returns at once; what goes wrong comes back as an event."""

    def __init__(
        self,
        ari: BridgingClient,
        app: str,
        transfer_context: str,
        happen: Callable[[e.Event], None],
        clock: Callable[[], datetime],
        keys_are_ours: Callable[[str], bool],
    ) -> None:
        self._ari = ari
        self._app = app
        self._happen = happen
        self._clock = clock
        self._keys_are_ours = keys_are_ours
        # What pbxrec-callee gives every phone that Dial() rings: a user's star code and right to transfer.
        self._rights = {"TRANSFER_CONTEXT": transfer_context, "DYNAMIC_FEATURES": variables.FEATURES}
        self._queues: dict[str, asyncio.Queue[Deed]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming: dict[str, asyncio.Future[None]] = {}

    def perform(self, commands: list[c.Command]) -> None:
        """Queue commands, each behind the earlier ones of its hunt."""
        for command in commands:
            self.do(command.hunt, self._deed(command))

    def do(self, hunt: str, deed: Deed) -> None:
        """Queue a deed behind the earlier ones of its hunt."""
        queue = self._queues.get(hunt)
        if queue is None:
            queue = self._queues[hunt] = asyncio.Queue()
            task = asyncio.create_task(self._work(hunt, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.put_nowait(deed)

    def came_in(self, leg: str) -> None:
        """Take it that a channel we made is in our application: before that it cannot be dialled."""
        coming = self._coming.get(leg)
        if coming is not None and not coming.done():
            coming.set_result(None)

    async def settled(self, seconds: float) -> None:
        """Wait until all that was asked for is done, no longer than ``seconds``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(tuple(self._tasks))

    async def _work(self, hunt: str, queue: asyncio.Queue[Deed]) -> None:
        while not queue.empty():
            try:
                await queue.get_nowait()()
            except AriError as error:
                log.info("Asterisk refused", hunt=hunt, error=str(error))
            except AriUnreachableError as error:
                log.warning("Asterisk does not answer: it is looked at anew after connecting", error=str(error))
            except Exception:
                log.exception("a deed went wrong", hunt=hunt)
        del self._queues[hunt]

    def _deed(self, command: c.Command) -> Deed:
        match command:
            case c.Comfort():
                return lambda: self._comfort(command)
            case c.Ring():
                return lambda: self._ring(command)
            case c.Stop():
                return lambda: self._ari.end_channel(command.leg, elsewhere=command.elsewhere)
            case c.Connect():
                return lambda: self._connect(command)
            case c.GiveBack():
                return lambda: self._give_back(command)
            case c.EndCall():
                return lambda: self._end_call(command)

    async def _comfort(self, wanted: c.Comfort) -> None:
        if wanted.music:
            await self._ari.answer(wanted.caller)
            await self._ari.music(wanted.caller)
        else:
            await self._ari.ring(wanted.caller)

    async def _ring(self, wanted: c.Ring) -> None:
        try:
            phone = await self._ari.endpoint(wanted.device)
            if not phone.online or phone.in_use:
                end = e.LegEnd.BUSY if phone.online else e.LegEnd.UNREACHABLE
                self._happen(e.LegEnded(self._clock(), wanted.leg, end))
                return
            came = self._coming[wanted.leg] = asyncio.get_running_loop().create_future()
            await self._ari.create_channel(wanted.leg, wanted.device, self._app, wanted.caller, self._rights)
            await asyncio.wait_for(came, COMES_WITHIN)
            await self._ari.dial(wanted.leg, wanted.caller, wanted.seconds + LEFT_ALONE)
        except (AriError, TimeoutError) as error:
            log.info("a phone cannot be rung", device=wanted.device, error=str(error) or "its channel did not come")
            await self._ari.end_channel(wanted.leg)
            self._happen(e.LegEnded(self._clock(), wanted.leg, e.LegEnd.UNREACHABLE))
        finally:
            self._coming.pop(wanted.leg, None)

    async def _connect(self, wanted: c.Connect) -> None:
        bridge = bridge_name(wanted.hunt)
        try:
            await self._ari.answer(wanted.caller)
            await self._ari.make_bridge(bridge)
            for channel in (wanted.caller, wanted.leg):
                await self._ari.add_to_bridge(bridge, channel, absorb_keys=self._keys_are_ours(channel))
        except AriError as error:
            log.info("caller and phone cannot be joined", hunt=wanted.hunt, error=str(error))
            await self._who_is_gone(wanted)

    async def _who_is_gone(self, wanted: c.Connect) -> None:
        if not await self._ari.is_there(wanted.caller):
            self._happen(e.CallerGone(self._clock(), wanted.caller))
        else:
            await self._ari.end_channel(wanted.leg)
            self._happen(e.LegEnded(self._clock(), wanted.leg))

    async def _give_back(self, wanted: c.GiveBack) -> None:
        if wanted.outcome is not c.Outcome.NOT_OURS:
            await self._ari.set_variable(wanted.caller, variables.HUNTED, "yes")
            await self._ari.set_variable(wanted.caller, "DIALSTATUS", wanted.outcome.value)
        await self._ari.end_bridge(bridge_name(wanted.hunt))
        await self._ari.go_on(wanted.caller)

    async def _end_call(self, wanted: c.EndCall) -> None:
        bridge = bridge_name(wanted.hunt)
        left = await self._ari.channels_in_bridge(bridge)
        await self._ari.end_bridge(bridge)
        for channel in left:
            await self._ari.end_channel(channel)
