"""What an earlier run left behind that no running call knows: open segments, files in the spool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog

from pbx_plugin.services.ports import OpenMedia, Recall, StoreUnavailableError
from pbx_plugin.storage.errors import StorageError
from pbx_plugin.storage.tidy import tidy_spool

log = structlog.get_logger(__name__)


async def finish_orphans(
    memory: Recall, known: frozenset[str], finish: Callable[[OpenMedia, datetime], None], ended_at: datetime
) -> None:
    """Finish segments that the books hold as open, but no running call knows (their call's state was lost).

    One that nobody closed ended at ``ended_at``. While the database is away nothing
    happens: the next start looks again.
    """
    try:
        rows = await asyncio.to_thread(memory.open_media)
    except StoreUnavailableError as error:
        log.warning("open segments are looked for at the next start", error=str(error))
        return
    for row in rows:
        if row.media_id in known:
            continue
        log.warning("finishing a segment of an earlier run", media=row.media_id, state=row.state)
        finish(row, ended_at)


async def clear_spool(memory: Recall, spool: Path, known: frozenset[str]) -> None:
    """Remove what was settled and not removed when the last run was killed; report what nobody knows."""
    try:
        await asyncio.to_thread(tidy_spool, spool, memory.media_states, known)
    except (StoreUnavailableError, StorageError) as error:
        log.warning("the spool is tidied at the next start", error=str(error))
