"""Starts and stops the bridge as a process of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from contextlib import ExitStack, suppress

import structlog

from pbx_plugin.asterisk.ari_bridging import BridgingClient
from pbx_plugin.bootstrap import build_rulebook_source
from pbx_plugin.bridge_app.bridge import BridgeApp
from pbx_plugin.settings import Settings

log = structlog.get_logger(__name__)

LOCK = "bridge.lock"
"""Two bridges would take Asterisk's events from each other in turn."""


def run(settings: Settings) -> int:
    """Carry bridged calls until told to stop (SIGTERM, SIGINT). Running calls go on; the next start adopts them.

    Returns 0 after an ordinary stop, 1 when another bridge of this site runs already.
    """
    with ExitStack() as held:
        try:
            place = os.open(settings.paths.state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            held.callback(os.close, place)
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.error("the bridge cannot start: another one runs")
            return 1
        except OSError as error:
            # Calls matter more than knowing that we are alone.
            log.warning("it cannot be seen whether another bridge runs", error=str(error))
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
