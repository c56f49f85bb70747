"""An Asterisk that remembers what the bridge asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from pbx_plugin.asterisk.ari import AriError
from pbx_plugin.asterisk.ari_bridging import Endpoint
from pbx_plugin.domain import hunt_events as e

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Pbx:
    """Takes every request and notes it as a line of words; what is in ``refused`` is refused, by its first word."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refused: set[str] = set()
        self.gone: set[str] = set()
        self.phones: dict[str, Endpoint] = {}
        self.inside: list[str] = []
        self.made = asyncio.Event()

    def _note(self, *words: object) -> None:
        line = " ".join(map(str, words))
        self.asked.append(line)
        if line in self.refused or str(words[0]) in self.refused:
            raise AriError("POST", "/x", 409, "no")

    async def endpoint(self, device: str) -> Endpoint:
        await asyncio.sleep(0)
        return self.phones.get(device, Endpoint(online=True, in_use=False))

    async def create_channel(
        self, channel: str, device: str, app: str, originator: str, variables: Mapping[str, str]
    ) -> None:
        self._note("create", channel, device, originator, *sorted(variables))
        self.made.set()

    async def dial(self, channel: str, caller: str, seconds: int) -> None:
        self._note("dial", channel, caller, seconds)

    async def end_channel(self, channel: str, *, elsewhere: bool = False) -> None:
        self._note("end", channel, *(["elsewhere"] if elsewhere else []))

    async def answer(self, channel: str) -> None:
        self._note("answer", channel)

    async def ring(self, channel: str, *, on: bool = True) -> None:
        self._note("ring", channel)

    async def music(self, channel: str, *, on: bool = True) -> None:
        self._note("music", channel)

    async def go_on(self, channel: str) -> None:
        self._note("go_on", channel)

    async def set_variable(self, channel: str, variable: str, value: str) -> None:
        self._note("set", channel, variable, value)

    async def press(self, channel: str, digits: str, duration_ms: int) -> None:
        self._note("press", channel, digits, duration_ms)

    async def user_event_of(self, name: str, channel: str, app: str) -> None:
        self._note("event", name, channel, app)

    async def make_bridge(self, bridge: str) -> None:
        self._note("bridge", bridge)

    async def add_to_bridge(self, bridge: str, channel: str, *, absorb_keys: bool) -> None:
        self._note("add", bridge, channel, absorb_keys)

    async def channels_in_bridge(self, bridge: str) -> list[str]:
        return self.inside

    async def end_bridge(self, bridge: str) -> None:
        self._note("unbridge", bridge)

    async def is_there(self, channel: str) -> bool:
        return channel not in self.gone


class Ears:
    """Keeps the events that come back."""

    def __init__(self) -> None:
        self.heard: list[e.Event] = []

    def __call__(self, event: e.Event) -> None:
        self.heard.append(event)
