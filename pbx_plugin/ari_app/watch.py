"""Notices when Asterisk ended a recording that nobody asked to end."""

from __future__ import annotations

import asyncio
from typing import Any

from pbx_plugin.ari_app.performer import Performer
from pbx_plugin.ari_app.switchboard import Switchboard
from pbx_plugin.clock import now
from pbx_plugin.domain import happenings as h

Json = dict[str, Any]

AFTERMATH = 0.2
"""Seconds between an unexpected end of a recording and calling it one: a hang-up's own event follows within 40 ms."""


class CaptureWatch:
    """Notices when Asterisk ended both files of a capture although nobody asked for it."""

    def __init__(self, switchboard: Switchboard, performer: Performer) -> None:
        self._switchboard = switchboard
        self._performer = performer
        self._ended: dict[str, set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def feed(self, event: Json) -> None:
        """Take a RecordingFinished or RecordingFailed event."""
        name = str(event["recording"]["name"])
        media = name.rpartition("/")[2].rpartition("-")[0]
        # Strangers' recordings and those of calls that are over are none of ours.
        self._ended = {known: names for known, names in self._ended.items() if self._switchboard.knows(known)}
        if not self._switchboard.knows(media):
            return
        ended = self._ended.setdefault(media, set())
        ended.add(name)
        if len(ended) < 2:
            return
        del self._ended[media]
        task = asyncio.create_task(self._later(media))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, media: str) -> None:
        await asyncio.sleep(AFTERMATH)
        paces = await self._performer.paces(media)
        if not self._performer.is_stopping(media):
            self._switchboard.happen(h.CaptureEnded(now(), media, paces))
