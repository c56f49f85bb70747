"""Starts and stops the recorder as a process of its own."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress
from functools import partial

import structlog

from pbx_plugin.ari_app.finalising import Finalising
from pbx_plugin.ari_app.recorder import RecorderApp
from pbx_plugin.asterisk.ari import AriClient
from pbx_plugin.bootstrap import (
    build_journal,
    build_prompts,
    build_recall,
    build_rulebook_source,
    drain_journals,
    finish_deletions,
)
from pbx_plugin.clock import now
from pbx_plugin.db.engine import make_engine
from pbx_plugin.prompts.library import PromptFile, PromptLibrary
from pbx_plugin.prompts.texts import FALLBACK
from pbx_plugin.services.callmemory import make_ready
from pbx_plugin.services.deleting import EraseError
from pbx_plugin.services.ports import Journal, JournalError, StoreUnavailableError
from pbx_plugin.settings import Settings

log = structlog.get_logger(__name__)

JOURNAL_NAME = "recorder"
SIGNALS = (signal.SIGTERM, signal.SIGINT)
CLOSING_PATIENCE = 5.0
LEFT_OVER_EVERY = 60.0
"""Seconds between two looks for journals whose writers are gone (AGI processes that could not wait)."""


def run(settings: Settings) -> int:
    """Record until told to stop (SIGTERM, SIGINT). Running recordings go on in Asterisk; the next start adopts them.

    Returns 0 after an ordinary stop, 1 when the journal cannot be had (another recorder runs, or the disk refuses).
    """
    told = _listen_for_the_end()
    try:
        journal = build_journal(settings, JOURNAL_NAME, rehearsed=True)
    except JournalError as error:
        log.error("the recorder cannot start", error=str(error))
        return 1
    try:
        # Told to stop while it still waited for the database, it has nothing to bring to an end.
        with suppress(asyncio.CancelledError):
            asyncio.run(_until_told(settings, journal, told))
    finally:
        journal.close(CLOSING_PATIENCE)
    return 0


def _listen_for_the_end() -> threading.Event:
    """Hear from now on that we are to stop: until the loop listens, it would kill us with the journal open."""
    told = threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: told.set())
    return told


async def _until_told(settings: Settings, journal: Journal, told: threading.Event) -> None:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, partial(_stop, task))
    if told.is_set():
        return
    finalising = Finalising(settings.paths.spool, settings.paths.archive, settings.recorder.shortest_ms)
    finalising.start()
    make_ready()
    find_sound = partial(_find_sound, build_prompts(settings))
    # What the last run said must be in the database before it is read back.
    position = await asyncio.to_thread(journal.append)
    try:
        while not await asyncio.to_thread(journal.wait_applied, position, 1.0):
            log.warning("the journal waits for the database")
        async with AriClient(settings.ari) as ari:
            app = RecorderApp(
                settings, ari, journal, build_rulebook_source(settings), build_recall(settings), finalising, find_sound
            )
            left_over = asyncio.create_task(_bring_in_left_over(settings))
            with suppress(asyncio.CancelledError):
                await app.run()
            left_over.cancel()
    finally:
        finalising.close()


async def _bring_in_left_over(settings: Settings) -> None:
    engine = make_engine(settings.database)
    try:
        while True:
            try:
                brought = await asyncio.to_thread(drain_journals, settings)
                if brought:
                    log.info("brought in what others had left in the journal", entries=brought)
            except (StoreUnavailableError, JournalError) as error:
                log.warning("left-over journals wait", error=str(error))
            try:
                finished = await asyncio.to_thread(finish_deletions, settings, engine, now())
                if finished:
                    log.warning("finished deletions that somebody had died over", recordings=finished)
            except (StoreUnavailableError, EraseError) as error:
                log.error("deleted recordings still have files", error=str(error), again_in=LEFT_OVER_EVERY)
            await asyncio.sleep(LEFT_OVER_EVERY)
    finally:
        engine.dispose()


def _stop(task: asyncio.Task[None] | None) -> None:
    log.info("stopping: running recordings go on in Asterisk")
    if task is not None:
        task.cancel()


def _find_sound(prompts: PromptLibrary, language: str, name: str) -> PromptFile | None:
    return prompts.sound(language or FALLBACK, name)
