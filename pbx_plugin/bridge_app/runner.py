"""Starts and stops the bridge as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import structlog

from pbx_plugin.asterisk.ari_bridging import BridgingClient
from pbx_plugin.bootstrap import build_rulebook_source
from pbx_plugin.bridge_app.bridge import BridgeApp
from pbx_plugin.settings import Settings

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Carry bridged calls until told to stop (SIGTERM, SIGINT). Running calls go on; the next start adopts them."""
    asyncio.run(_until_told(settings))
    return 0


async def _until_told(settings: Settings) -> None:
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, task)
    async with BridgingClient(settings.ari) as ari:
        with suppress(asyncio.CancelledError):
            await BridgeApp(settings, ari, build_rulebook_source(settings)).run()


def _stop(task: asyncio.Task[None] | None) -> None:
    log.info("stopping: calls go on, and new ones ring in Asterisk's own way")
    if task is not None:
        task.cancel()
