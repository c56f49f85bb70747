"""The bridge application: wires the event stream, the hunt and its performer together, and adopts what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari_bridging import BridgingClient
from pbx_plugin.asterisk.ari_events import device_of
from pbx_plugin.asterisk.connection import Connection
from pbx_plugin.asterisk.post import listener_name
from pbx_plugin.bridge_app.finding import bridge_hunt, found_calls, members_of
from pbx_plugin.bridge_app.keys import USUAL_MS, KeyPad
from pbx_plugin.bridge_app.performer import Performer
from pbx_plugin.clock import now
from pbx_plugin.domain import hunt_events as e
from pbx_plugin.domain.hunt import step
from pbx_plugin.domain.hunt_plan import Plans, plans_of
from pbx_plugin.domain.hunt_state import Floor, hunt_of
from pbx_plugin.services.ports import RulebookSource, StoreUnavailableError
from pbx_plugin.settings import Settings

log = structlog.get_logger(__name__)

Json = dict[str, Any]

WANTED_EVENTS = (
    "ApplicationReplaced",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelEnteredBridge",
    "ChannelLeftBridge",
    "ChannelUserevent",
    "Dial",
    "StasisEnd",
    "StasisStart",
)

TICK = 0.25
LAST_WORDS = 2.0
"""Seconds that a bridge told to stop takes for deeds under way."""

_ENDS = {17: e.LegEnd.BUSY, 21: e.LegEnd.BUSY, **dict.fromkeys((1, 3, 20, 27, 34, 38, 41, 42), e.LegEnd.UNREACHABLE)}
"""What Asterisk's hangup causes say of a phone that rang; every other one is no answer."""


class BridgeApp:
    """One running bridge. :meth:`run` returns only when it is cancelled."""

    def __init__(self, settings: Settings, ari: BridgingClient, rulebooks: RulebookSource) -> None:
        self._settings = settings
        self._app = settings.bridge.app
        self._ari = ari
        self._rulebooks = rulebooks
        self._clock = _steady_clock()
        self._performer = Performer(
            ari, self._app, settings.dialplan.from_users, self._happen, self._clock, self._keys_are_ours
        )
        codes = {
            settings.dialplan.toggle_digit: variables.EVENT_TOGGLE,
            settings.dialplan.pause_digit: variables.EVENT_PAUSE,
            settings.dialplan.withdraw_digit: variables.EVENT_WITHDRAW,
        }
        self._keys = KeyPad(ari, self._performer, settings.ari.app, codes, settings.bridge.digit_timeout_ms)
        self._revision = -1
        self._plans: Plans = {}
        self._user_devices: frozenset[str] = frozenset()
        self._floor = Floor()
        self._members: dict[str, tuple[str, ...]] = {}
        self._devices: dict[str, str] = {}

    async def run(self) -> None:
        """Connect and carry calls. Without a database groups are as they were last known; none known, none bridged."""
        await self._refresh_plans()
        connection = Connection(
            self._ari,
            self._app,
            self._settings.bridge,
            WANTED_EVENTS,
            who=listener_name(self._settings.paths.state),
            everything=False,
            on_connect=self._look_around,
            on_heard=lambda _event: None,
            on_event=self._on_event,
        )
        helpers = [asyncio.create_task(self._refresh()), asyncio.create_task(self._tick())]
        try:
            await connection.run()
        finally:
            for helper in helpers:
                helper.cancel()
            await self._performer.settled(LAST_WORDS)

    def _happen(self, event: e.Event) -> None:
        self._floor, commands = step(self._floor, event, self._plans)
        self._performer.perform(commands)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            if any(hunt.waiting or hunt.alone_since for hunt in self._floor.hunts.values()):
                self._happen(e.TimePassed(self._clock()))

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(self._settings.bridge.rulebook_refresh)
            await self._refresh_plans()

    async def _refresh_plans(self) -> None:
        try:
            revision = await asyncio.to_thread(self._rulebooks.revision)
            if revision == self._revision:
                return
            rules = await asyncio.to_thread(self._rulebooks.load)
        except StoreUnavailableError as error:
            log.debug("the groups stay as they were", error=str(error))
            return
        except Exception:
            log.exception("the groups cannot be read: they stay as they were")
            return
        self._revision = revision
        self._plans = plans_of(rules)
        self._user_devices = frozenset(device for user in rules.users for device in user.devices)

    async def _look_around(self) -> None:
        """Take what Asterisk has: callers go on waiting, calls go on, who was left alone is let go."""
        channels, bridges = await asyncio.gather(self._ari.list_channels(), self._ari.list_bridges())
        self._members = members_of(bridges)
        self._devices = {str(channel["id"]): device_of(channel["name"]) for channel in channels}
        found = tuple(found_calls(channels, self._members, self._app))
        if found:
            log.info("taking over", calls=len(found))
        self._happen(e.Found(self._clock(), found))

    async def _on_event(self, event: Json) -> None:
        """Take an event. One that cannot be read is logged: it must not make us deaf to the next."""
        try:
            self._hear(event)
        except Exception:
            log.exception("an event could not be taken", kind=event.get("type"))

    def _hear(self, event: Json) -> None:
        channel: Json = event.get("channel") or {}
        channel_id = str(channel.get("id", ""))
        match event["type"]:
            case "StasisStart":
                self._came_in(event, channel)
            case "StasisEnd":
                self._happen(e.CallerGone(self._clock(), channel_id))
            case "ChannelDestroyed":
                self._gone(channel_id, int(event.get("cause", 0)))
            case "Dial" if event.get("dialstatus") == "ANSWER" and hunt_of(event["peer"]["id"]):
                self._happen(e.LegAnswered(self._clock(), event["peer"]["id"]))
            case "ChannelEnteredBridge" | "ChannelLeftBridge":
                self._moved(event["bridge"])
            case "ChannelDtmfReceived":
                self._pressed(channel_id, str(event["digit"]), int(event.get("duration_ms", USUAL_MS)))

    def _came_in(self, event: Json, channel: Json) -> None:
        self._devices[channel["id"]] = device_of(channel["name"])
        self._performer.came_in(channel["id"])
        replaced, args = event.get("replace_channel"), event.get("args") or []
        if replaced:
            self._happen(e.CallerReplaced(self._clock(), replaced["id"], channel["id"]))
        elif args and not hunt_of(channel["id"]):
            self._happen(e.CallerEntered(self._clock(), channel["id"], str(args[0])))

    def _gone(self, channel_id: str, cause: int) -> None:
        self._devices.pop(channel_id, None)
        self._keys.forget(channel_id)
        if hunt_of(channel_id):
            self._happen(e.LegEnded(self._clock(), channel_id, _ENDS.get(cause, e.LegEnd.NO_ANSWER)))
        else:
            self._happen(e.CallerGone(self._clock(), channel_id))

    def _moved(self, bridge: Json) -> None:
        hunt = bridge_hunt(bridge)
        if not hunt:
            return
        members = tuple(map(str, bridge.get("channels", ())))
        self._members[hunt] = members
        self._happen(e.BridgeChanged(self._clock(), hunt, len(members)))
        if not members:
            del self._members[hunt]

    def _keys_are_ours(self, channel_id: str) -> bool:
        """Tell whether a channel is a user's phone: its keys come to us, an outside caller's go straight through."""
        return bool(hunt_of(channel_id)) or self._devices.get(channel_id, "") in self._user_devices

    def _pressed(self, channel_id: str, key: str, duration_ms: int) -> None:
        hunt = next((hunt for hunt, inside in self._members.items() if channel_id in inside), "")
        if hunt and self._keys_are_ours(channel_id):
            others = tuple(other for other in self._members[hunt] if other != channel_id)
            self._keys.press(hunt, channel_id, others, key, duration_ms)


def _steady_clock() -> Callable[[], datetime]:
    """Return a clock that begins with the time of day and then only ever goes on, whatever is done to that."""
    loop_time = asyncio.get_running_loop().time
    began, since = now(), loop_time()
    return lambda: began + timedelta(seconds=loop_time() - since)
