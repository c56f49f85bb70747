"""Makes the zip file of an export while it is sent: each recording as it lies in the archive, and the manifest last."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from pathlib import Path

import structlog

from pbx_plugin.services.exporting import MANIFEST, TABLE, Manifest
from pbx_plugin.services.handing import Recorded
from pbx_plugin.storage.opening import open_stored, pieces
from pbx_plugin.storage.zip_stream import ZipStream

log = structlog.get_logger(__name__)

Look = Callable[[str], tuple[Recorded | None, str]]
"""Returns what is known of a recording now, and why it may not be in the file (empty: it may)."""


class Packing:
    """One zip file under way. ``stream`` may be read once; the counters tell how far it is."""

    def __init__(self, archive: Path, zone: tzinfo, manifest: Manifest) -> None:
        self._archive = archive
        self._zone = zone
        self._manifest = manifest
        self.done = 0
        self.left_out = 0
        self.sent = 0
        self.manifest_sha256 = ""

    def stream(
        self,
        recording_ids: list[str],
        look: Look,
        hand_over: Callable[[Recorded], None],
        tick: Callable[[], None] = lambda: None,
    ) -> Iterator[bytes]:
        """Yield the zip file. ``hand_over`` is called before a recording's first byte, ``tick`` behind each recording.

        What cannot be read is left out and the manifest says why; whatever ``hand_over`` raises ends the file.
        """
        made = ZipStream()
        for recording_id in recording_ids:
            recorded, why = look(recording_id)
            if recorded is None or why:
                self._lacks(recording_id, why, recorded)
            else:
                yield from self._one(made, recorded, hand_over)
            self.done += 1
            tick()
        text = self._manifest.as_json()
        self.manifest_sha256 = hashlib.sha256(text).hexdigest()
        at = self._manifest.made_at.astimezone(self._zone)
        yield from made.add(MANIFEST, at, [text])
        yield from made.add(TABLE, at, [self._manifest.as_csv()])
        yield made.end()

    def _one(self, made: ZipStream, recorded: Recorded, hand_over: Callable[[Recorded], None]) -> Iterator[bytes]:
        try:
            file = open_stored(self._archive, recorded.path)
        except OSError as error:
            log.error("a stored file cannot be read", recording=recorded.recording_id, error=str(error))
            self._lacks(recorded.recording_id, "its file cannot be read", recorded)
            return
        content = _Hashed(pieces(file))
        try:
            hand_over(recorded)
            name = made.free_name(recorded.file_name(self._zone, "wav"))
            at: datetime = recorded.at.astimezone(self._zone)
            yield from made.add(name, at, content)
        finally:
            content.close()
        if content.trouble:
            log.error("a stored file cannot be read to its end", recording=recorded.recording_id, error=content.trouble)
            self._lacks(recorded.recording_id, f"its file cannot be read to its end; {name} is only a part", recorded)
            return
        if content.sha256 != recorded.sha256:
            log.error("a stored file is not as it was stored", recording=recorded.recording_id)
        self.sent += content.size
        self._manifest.has(recorded, name, content.sha256, content.size)

    def _lacks(self, recording_id: str, why: str, recorded: Recorded | None) -> None:
        self.left_out += 1
        self._manifest.lacks(recording_id, why, recorded)


class _Hashed(Iterator[bytes]):
    """Hands bytes on, and knows their digest and number at the end; a disk's refusal ends them early."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self._digest = hashlib.sha256()
        self.size = 0
        self.trouble = ""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def __next__(self) -> bytes:
        try:
            piece = next(self._content)
        except OSError as error:
            self.trouble = str(error)
            raise StopIteration from error
        self._digest.update(piece)
        self.size += len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        close = getattr(self._content, "close", None)
        if close is not None:
            close()
