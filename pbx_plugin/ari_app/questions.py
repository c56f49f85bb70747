"""What Asterisk has to be asked about a channel, because no event says it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog

from pbx_plugin.ari_app.resync import ON_HOLD
from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriClient, AriError, AriUnreachableError
from pbx_plugin.asterisk.ari_events import carries_marks

log = structlog.get_logger(__name__)

Json = dict[str, Any]


async def ask_marks(ari: AriClient, channels: Iterable[Json]) -> None:
    """Ask for the marks that ari.conf does not let through: without them consent would be unknown.

    Where Asterisk does not answer, consent counts as required; a channel that is gone keeps the marks it had.
    """
    for channel in channels:
        if carries_marks(channel):
            continue
        asked = (ari.get_variable(channel["id"], name) for name in variables.CHANNEL_VARIABLES)
        try:
            found = await asyncio.gather(*asked)
        except AriError as error:
            log.debug("a channel was gone before its marks were known", error=str(error))
        except AriUnreachableError as error:
            log.warning("marks cannot be asked for: consent counts as required", error=str(error))
            channel["channelvars"] = dict.fromkeys(variables.CHANNEL_VARIABLES, "")
            channel["channelvars"][variables.CONSENT] = "unknown"
        else:
            channel["channelvars"] = dict(zip(variables.CHANNEL_VARIABLES, found, strict=True))


async def ask_holds(ari: AriClient, channels: Iterable[Json]) -> None:
    """Ask which channels are on hold: no event says it again, nor that they no longer are."""
    await asyncio.gather(*(_ask_hold(ari, channel) for channel in channels))


async def _ask_hold(ari: AriClient, channel: Json) -> None:
    with suppress(AriError):
        answer = await ari.get_variable(channel["id"], ON_HOLD)
        if answer in ("0", "1"):  # an Asterisk that does not know leaves it as it was
            channel["on_hold"] = answer == "1"
