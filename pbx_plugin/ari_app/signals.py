"""Lets performers wait for what Asterisk says about our own snoops, recordings and playbacks."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari_events import time_of
from pbx_plugin.domain.naming import SPOOL_FOLDER

Json = dict[str, Any]

OURS = (variables.SNOOP_PREFIX, f"{SPOOL_FOLDER}/")
"""How the names of our own snoops, playbacks and recordings begin."""

CAPTURING = ("-in", "-out")
"""How the names of snoops that record end: nobody waits for the end of the others."""

KEPT = timedelta(minutes=1)
"""How long a signal waits to be taken; whoever asked for the deed listens within seconds."""


class NotHeardError(Exception):
    """Asterisk did not say what was waited for."""


class Signals:
    """One-shot signals by kind and name. A signal that came before anybody waited is kept until it is taken."""

    def __init__(self) -> None:
        self._came: dict[tuple[str, str], tuple[datetime, datetime | str]] = {}
        self._waiting: dict[tuple[str, str], asyncio.Future[datetime | str]] = {}

    def feed(self, event: Json) -> None:
        """Take an event. Other applications' snoops, recordings and playbacks are none of ours."""
        match event["type"]:
            case "StasisStart":
                self._came_in(event, event["channel"]["id"])
            case "ChannelDestroyed" if event["channel"]["id"].endswith(CAPTURING):
                self._came_in(event, event["channel"]["id"])
            case "RecordingStarted" | "RecordingFinished":
                self._came_in(event, event["recording"]["name"])
            case "RecordingFailed":
                cause = str(event["recording"].get("cause", "Asterisk gave no cause"))
                self._came_in(event, event["recording"]["name"], kind="RecordingStarted", refusal=cause)
                self._came_in(event, event["recording"]["name"], kind="RecordingFinished")
            case "PlaybackFinished":
                playback = event["playback"]
                refusal = "" if playback.get("state") == "done" else "Asterisk could not play it"
                self._came_in(event, playback["id"], refusal=refusal)

    def _came_in(self, event: Json, name: str, *, kind: str = "", refusal: str = "") -> None:
        if not name.startswith(OURS):
            return
        key, at = (kind or event["type"], name), time_of(event)
        waiting = self._waiting.pop(key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(refusal or at)
            return
        self._came.pop(key, None)
        self._came[key] = at, refusal or at
        # Nobody waits for what came long ago: the recording ended by itself, or whoever waited gave up.
        while (oldest := next(iter(self._came))) != key and at - self._came[oldest][0] > KEPT:
            del self._came[oldest]

    def has(self, kind: str, name: str) -> bool:
        """Tell whether a signal has come and was not waited for."""
        return (kind, name) in self._came

    async def wait(self, kind: str, name: str, seconds: float) -> datetime:
        """Return when it happened. Raises NotHeardError when Asterisk refused, or said nothing within ``seconds``."""
        key = (kind, name)
        kept = self._came.pop(key, None)
        came = kept[1] if kept else None
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
