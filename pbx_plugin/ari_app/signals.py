"""Lets performers wait for what Asterisk says about our own snoops, recordings and playbacks."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from pbx_plugin.asterisk.ari_events import time_of

Json = dict[str, Any]


class NotHeardError(Exception):
    """Asterisk did not say what was waited for."""


class Signals:
    """One-shot signals by kind and name. A signal that came before anybody waited is kept until it is taken."""

    def __init__(self) -> None:
        self._came: dict[tuple[str, str], datetime | str] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[datetime | str]] = {}

    def feed(self, event: Json) -> None:
        """Take an event; those that concern nobody's wait are dropped when :meth:`forget` is called for their name."""
        at = time_of(event)
        match event["type"]:
            case "StasisStart" | "StasisEnd":
                self._came_in(event["type"], event["channel"]["id"], at)
            case "RecordingStarted" | "RecordingFinished":
                self._came_in(event["type"], event["recording"]["name"], at)
            case "RecordingFailed":
                cause = str(event["recording"].get("cause", "Asterisk gave no cause"))
                self._came_in("RecordingStarted", event["recording"]["name"], cause)
                self._came_in("RecordingFinished", event["recording"]["name"], at)
            case "PlaybackFinished":
                playback = event["playback"]
                good = playback.get("state") == "done"
                self._came_in("PlaybackFinished", playback["id"], at if good else "Asterisk could not play it")

    def _came_in(self, kind: str, name: str, what: datetime | str) -> None:
        waiting = self._waiting.pop((kind, name), None)
        if waiting is not None and not waiting.done():
            waiting.set_result(what)
        else:
            self._came[kind, name] = what

    def has(self, kind: str, name: str) -> bool:
        """Tell whether a signal has come and was not waited for."""
        return (kind, name) in self._came

    async def wait(self, kind: str, name: str, seconds: float) -> datetime:
        """Return when it happened. Raises NotHeardError when Asterisk refused, or said nothing within ``seconds``."""
        key = (kind, name)
        came = self._came.pop(key, None)
        if came is None:
            future: asyncio.Future[datetime | str] = asyncio.get_running_loop().create_future()
            self._waiting[key] = future
            try:
                came = await asyncio.wait_for(future, seconds)
            except TimeoutError:
                raise NotHeardError(f"no {kind} for {name} within {seconds} s") from None
            finally:
                self._waiting.pop(key, None)
        if isinstance(came, str):
            raise NotHeardError(came)
        return came

    def forget(self, *names: str) -> None:
        """Drop what came for these names and was never waited for."""
        for key in [key for key in self._came if key[1] in names]:
            del self._came[key]
