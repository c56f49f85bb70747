"""Removes from the spool what a run that was killed had stored already, and not yet removed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import structlog

from pbx_plugin.domain.naming import parse_spool
from pbx_plugin.storage.archive import scan_spool
from pbx_plugin.storage.errors import storage_error
from pbx_plugin.storage.files import remove, sync_folder

log = structlog.get_logger(__name__)

SETTLED = frozenset({"stored", "failed", "erased"})
"""States after which nothing is made of a segment's spool files any more."""


def tidy_spool(
    spool: Path, states: Callable[[Collection[str]], Mapping[str, str]], in_use: Collection[str]
) -> tuple[str, ...]:
    """Remove spool files of settled segments, and return them; files of segments that nobody knows stay, and are told.

    ``states`` returns the states of media ids; segments ``in_use`` are left alone. Idempotent. Raises StorageError.
    """
    found = {path: named.media_id for path in scan_spool(spool, in_use).unknown if (named := parse_spool(path))}
    known = states(frozenset(found.values())) if found else {}
    gone = [path for path, media in found.items() if known.get(media) in SETTLED]
    unknown = [path for path, media in found.items() if media not in known]
    try:
        for path in gone:
            remove(spool / path)
        for folder in {(spool / path).parent for path in gone}:
            sync_folder(folder)
    except OSError as error:
        raise storage_error(error, "tidying the spool") from error
    if gone:
        log.warning("removed what an earlier run had stored and left in the spool", files=gone)
    if unknown:
        log.error("files in the spool belong to no segment that the books know", files=unknown)
    return tuple(gone)
