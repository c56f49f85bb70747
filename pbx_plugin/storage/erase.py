"""Erases a segment's sound wherever it may lie: refused, withdrawn, discarded or deleted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pbx_plugin.domain.naming import Holding, Sense, archive_file, part_file, spool_file, spool_name
from pbx_plugin.storage.errors import storage_error
from pbx_plugin.storage.files import remove, sync_folder


def erase(*, media_id: str, tenant_id: str, intended_at: datetime, spool: Path, archive: Path) -> tuple[str, ...]:
    """Remove both spool files, unfinished files, the stored sound and its peaks; return the names of what was there.

    Durable when it returns, idempotent, and safe against a finalising under way: that one then fails. Call it only
    after Asterisk's recordings have ended or cannot begin any more, for Asterisk would make its file anew.

    Raises ValueError when an id is not a UUID, StorageError when a file is there and cannot be removed (the others are
    removed all the same).
    """
    in_spool = [spool_file(spool_name(media_id, intended_at, sense)) for sense in Sense]
    finals = [archive_file(tenant_id, media_id, intended_at, holding) for holding in Holding]
    # Spool, then unfinished, then final, in the direction in which finalising moves sound: none slips past.
    places = [(spool, name) for name in in_spool]
    places += [(archive, name) for name in [*map(part_file, finals), *finals]]
    gone: list[str] = []
    folders: set[Path] = set()
    refused: OSError | None = None
    for root, name in places:
        try:
            if remove(root / name):
                gone.append(name)
                folders.add((root / name).parent)
        except OSError as error:
            refused = refused or error
    try:
        for folder in sorted(folders):
            sync_folder(folder)
    except OSError as error:
        refused = refused or error
    if refused:
        raise storage_error(refused, f"erasing segment {media_id}") from refused
    return tuple(gone)
