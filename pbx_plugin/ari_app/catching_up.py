"""Catches up with what happened while nobody listened: by the witness where there is one, and else by what is left.

A call is *proven* when the witness was there all the time and what it told ends in what Asterisk has now. What cannot
be proven of a recording that ended meanwhile is not kept (:func:`pbx_plugin.ari_app.resync.changed_unheard`).
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import structlog

from pbx_plugin.ari_app.resync import unexplained
from pbx_plugin.ari_app.retelling import MARGIN, Retelling, linkedids_of_new
from pbx_plugin.ari_app.switchboard import Switchboard
from pbx_plugin.ari_app.witness import Testimony, Witness
from pbx_plugin.domain.lifecycle import call_id_of
from pbx_plugin.services.ports import Recall, StoreUnavailableError

log = structlog.get_logger(__name__)

Json = dict[str, Any]

PATIENCE, PAUSE = 1.0, 0.1
"""Seconds for the witness to write what Asterisk's lists showed already, and between two looks."""


class CatchingUp:
    """Asks the witness, as often as the connection was lost."""

    def __init__(self, witness: Witness, memory: Recall) -> None:
        self._witness = witness
        self._memory = memory

    async def tell(
        self,
        board: Switchboard,
        deaf_since: datetime,
        listed_at: datetime,
        channels: list[Json],
        bridges: list[Json],
        restarted_at: datetime | None = None,
    ) -> frozenset[str]:
        """Let ``board`` know what the witness saw until ``listed_at``, when both lists were asked for.

        Returns the calls that are proven. ``restarted_at`` is when Asterisk began to run: calls that are older ended
        with the earlier one, of which the witness has no word.
        """
        testimony = await asyncio.to_thread(self._witness.since, deaf_since, MARGIN)
        if not testimony.whole:
            log.warning("nobody watched while the recorder was away", since=deaf_since.isoformat(), why=testimony.why)
            return frozenset()
        retelling = Retelling(board, deaf_since)
        board.away = True
        try:
            retelling.begin()
            open_calls = await self._tell_all(board, retelling, testimony, deaf_since, listed_at, channels, bridges)
        finally:
            board.away = False
        if restarted_at is not None and restarted_at > deaf_since:
            open_calls = frozenset()
        if open_calls:
            log.warning("the witness does not tell how calls came to be as they are", calls=sorted(open_calls))
        return frozenset(board.calls) - open_calls - retelling.doubtful

    async def _tell_all(
        self,
        board: Switchboard,
        retelling: Retelling,
        testimony: Testimony,
        deaf_since: datetime,
        listed_at: datetime,
        channels: list[Json],
        bridges: list[Json],
    ) -> frozenset[str]:
        """Tell everything, what is written late as well; return the calls that are not as Asterisk has them."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while True:
            over = await self._over(board, testimony, deaf_since)
            for _ in retelling.steps(testimony.events, over, listed_at):
                await asyncio.sleep(0)  # the connection is to be kept alive meanwhile
            left = unexplained(board.calls.values(), channels, bridges)
            if not left or asyncio.get_running_loop().time() > until:
                return left
            await asyncio.sleep(PAUSE)
            testimony = await asyncio.to_thread(self._witness.since, deaf_since, MARGIN)

    async def _over(self, board: Switchboard, testimony: Testimony, deaf_since: datetime) -> frozenset[str]:
        """Return the calls of the testimony that had ended before: the margin shows them, and they are not new."""
        found = {call_id_of(board.asterisk_id, linkedid) for linkedid in linkedids_of_new(testimony.events)}
        over = frozenset(found.intersection(board.over))
        try:
            return over | await asyncio.to_thread(self._memory.ended, found - over - board.calls.keys())
        except StoreUnavailableError:
            earlier = linkedids_of_new(event for event in testimony.events if event.at < deaf_since)
            return over | {call_id_of(board.asterisk_id, linkedid) for linkedid in earlier}


def started_at(info: Json) -> datetime | None:
    """Return when Asterisk began to run, of its own description; None where it does not say."""
    try:
        return datetime.fromisoformat(str(info["status"]["startup_time"]))
    except (KeyError, TypeError, ValueError):
        return None
