"""Finalising beside the live calls: in a worker process, so that joining an hour of sound delays no call's events."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from pathlib import Path

import structlog

from pbx_plugin.clock import now
from pbx_plugin.domain.commands import EraseMedia, FinaliseMedia
from pbx_plugin.domain.entries import RecordingFailed, RecordingStored, Side
from pbx_plugin.domain.naming import spool_file
from pbx_plugin.storage.erase import erase
from pbx_plugin.storage.errors import FinaliseError, StorageError, storage_error
from pbx_plugin.storage.finalise import finalise
from pbx_plugin.storage.job import FinaliseJob

log = structlog.get_logger(__name__)

FIRST_RETRY, LAST_RETRY = 1.0, 60.0


class Finalising:
    """Turns closed captures into stored recordings, one at a time; a full disk is waited for, the spool kept."""

    def __init__(self, spool: Path, archive: Path, shortest_ms: int) -> None:
        self._spool = spool
        self._archive = archive
        self._shortest_ms = shortest_ms
        # A fresh interpreter: a forked child would hold the parent's sockets and locks.
        self._context = multiprocessing.get_context("spawn")
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Start the worker now, so that the first recording does not wait for an interpreter to start."""
        self._workers().submit(_ready)

    def close(self) -> None:
        """Stop the worker."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def finalise(self, wanted: FinaliseMedia) -> RecordingStored | RecordingFailed:
        """Return what came of a segment, as a journal entry. Goes on trying while the disk refuses."""
        try:
            job = self._job(wanted)
        except ValueError as error:
            return _failed(wanted.media, now(), str(error))
        pause = FIRST_RETRY
        while True:
            try:
                result = await asyncio.get_running_loop().run_in_executor(self._workers(), finalise, job)
                return result.entry(now())
            except FinaliseError as error:
                return _failed(wanted.media, now(), f"{error.error_id}: {error}")
            except (StorageError, BrokenProcessPool) as error:
                log.error("a recording waits in the spool", media=wanted.media, error=str(error), again_in=pause)
                if isinstance(error, BrokenProcessPool):
                    self._pool = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_RETRY)

    def _job(self, wanted: FinaliseMedia) -> FinaliseJob:
        return FinaliseJob(
            media_id=wanted.media,
            tenant_id=wanted.tenant_id,
            spool=self._spool,
            archive=self._archive,
            spool_in=wanted.spool_in,
            spool_out=wanted.spool_out,
            in_side=Side(wanted.in_side),
            intended_at=wanted.intended_at,
            in_at=wanted.in_at,
            out_at=wanted.out_at,
            closed_at=wanted.closed_at,
            shortest_ms=self._shortest_ms,
            paces=wanted.paces,
        )

    async def erase(self, wanted: EraseMedia) -> None:
        """Remove all that there is of a segment, also while it is being finalised. Goes on while the disk refuses."""
        pause = FIRST_RETRY
        while True:
            try:
                return await asyncio.to_thread(self._erase, wanted)
            except StorageError as error:
                log.error("a recording cannot be erased", media=wanted.media, error=str(error), again_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_RETRY)

    def _erase(self, wanted: EraseMedia) -> None:
        try:
            # By name first: planned before midnight and begun after it, a spool file's folder is the day before.
            _remove([self._spool / spool_file(name) for name in (wanted.spool_in, wanted.spool_out)])
        except OSError as error:
            raise storage_error(error, f"erasing segment {wanted.media}") from error
        erase(
            media_id=wanted.media,
            tenant_id=wanted.tenant_id,
            intended_at=wanted.intended_at,
            spool=self._spool,
            archive=self._archive,
        )

    async def discard(self, spool_in: str, spool_out: str) -> None:
        """Remove the spool files of a capture: it is stored, or nothing of it may be kept."""
        paths = [self._spool / spool_file(name) for name in (spool_in, spool_out)]
        try:
            await asyncio.to_thread(_remove, paths)
        except OSError as error:
            log.error("spool files could not be removed", names=[spool_in, spool_out], error=str(error))

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=self._context, initializer=_end_with_recorder)
        return self._pool


def _failed(media: str, at: datetime, reason: str) -> RecordingFailed:
    return RecordingFailed(media, at, reason)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _end_with_recorder() -> None:
    """Have this worker end when its recorder is killed: it would wait for work for ever, or work against the next."""
    # Ctrl-C reaches the whole group; what is being joined is finished first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    recorder = multiprocessing.parent_process()

    def watch() -> None:
        if recorder is not None:
            recorder.join()
            os._exit(1)

    threading.Thread(target=watch, name="recorder-watch", daemon=True).start()


def _ready() -> bool:
    return True
