"""The keys of users in a bridged call: our codes go to the recorder, every other key to the other side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from pbx_plugin.asterisk.ari import AriError
from pbx_plugin.asterisk.ari_bridging import BridgingClient
from pbx_plugin.bridge_app.performer import Performer
from pbx_plugin.domain.digits import STAR, press

log = structlog.get_logger(__name__)

SHORTEST_MS, USUAL_MS, LONGEST_MS = 80, 160, 2000
"""How long a key sounds that is passed on: as long as it was pressed, within reason."""


class KeyPad:
    """Takes the keys of channels whose keys Asterisk absorbs, and passes on what is no code of ours.

    ``codes`` are the digits after the star, each with the event that tells the recorder.
    """

    def __init__(
        self, ari: BridgingClient, performer: Performer, recorder_app: str, codes: Mapping[str, str], timeout_ms: int
    ) -> None:
        self._ari = ari
        self._performer = performer
        self._recorder_app = recorder_app
        self._codes = codes
        self._timeout = timeout_ms / 1000
        self._stars: dict[str, asyncio.TimerHandle] = {}

    def press(self, hunt: str, channel: str, others: tuple[str, ...], key: str, duration_ms: int) -> None:
        """Take one key; ``others`` are who is in the bridge with the one who pressed."""
        timer = self._stars.pop(channel, None)
        if timer is not None:
            timer.cancel()
        keys = press(timer is not None, key, self._codes)
        if keys.ours:
            self._performer.do(hunt, lambda: self._tell(channel, self._codes[keys.ours]))
        if keys.pass_on:
            self._pass_on(hunt, others, keys.pass_on, duration_ms)
        if keys.star_waits:
            loop = asyncio.get_running_loop()
            self._stars[channel] = loop.call_later(self._timeout, self._too_late, hunt, channel, others)

    def forget(self, channel: str) -> None:
        """Drop what a channel pressed: it is gone."""
        timer = self._stars.pop(channel, None)
        if timer is not None:
            timer.cancel()

    def _too_late(self, hunt: str, channel: str, others: tuple[str, ...]) -> None:
        del self._stars[channel]
        self._pass_on(hunt, others, STAR, USUAL_MS)

    def _pass_on(self, hunt: str, others: tuple[str, ...], keys: str, duration_ms: int) -> None:
        sounds = min(max(duration_ms, SHORTEST_MS), LONGEST_MS)
        for other in others:
            self._performer.do(hunt, lambda other=other: self._ari.press(other, keys, sounds))  # type: ignore[misc]

    async def _tell(self, channel: str, event: str) -> None:
        try:
            await self._ari.user_event_of(event, channel, self._recorder_app)
        except AriError as error:
            log.warning("the recorder does not take a code", code=event, channel=channel, error=str(error))
