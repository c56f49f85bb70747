"""Erases the sound of deleted recordings, wherever a part of it may have been left."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from pbx_plugin.domain.naming import parse_spool, spool_file
from pbx_plugin.services.deleting import Doomed, EraseError
from pbx_plugin.storage.erase import erase
from pbx_plugin.storage.errors import StorageError, storage_error
from pbx_plugin.storage.files import remove, sync_folder


class ArchiveEraser:
    """Removes sound, peaks and spool left-overs of a segment; done again it changes nothing. Raises EraseError."""

    def __init__(self, spool: Path, archive: Path) -> None:
        self._spool = spool
        self._archive = archive

    def __call__(self, doomed: Doomed) -> None:
        """Erase. Durable when it returns."""
        try:
            self._by_name(doomed)
            if not (_is_uuid(doomed.media_id) and _is_uuid(doomed.tenant_id)):
                # No file of ours was ever named after it.
                return
            erase(
                media_id=doomed.media_id,
                tenant_id=doomed.tenant_id,
                intended_at=doomed.intended_at,
                spool=self._spool,
                archive=self._archive,
            )
        except StorageError as error:
            raise EraseError(str(error)) from error

    def _by_name(self, doomed: Doomed) -> None:
        """Erase what the books name: planned before midnight and begun after it, a file's folder may be another."""
        spooled = [name for name in (doomed.spool_in, doomed.spool_out) if parse_spool(name)]
        places = [self._spool / spool_file(name) for name in spooled]
        places += [self._archive / name for name in (doomed.path, doomed.peaks_path) if _inside(self._archive, name)]
        try:
            for place in places:
                if remove(place):
                    sync_folder(place.parent)
        except OSError as error:
            raise storage_error(error, f"erasing segment {doomed.media_id}") from error


def _inside(archive: Path, name: str) -> bool:
    return bool(name) and (archive / name).resolve().parent.is_relative_to(archive.resolve())


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
