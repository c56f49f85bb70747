"""Looks at what journals hold that the database was not told yet; takes no lock and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pbx_plugin.domain.entries import Entry
from pbx_plugin.services.codec import CodecError, decode
from pbx_plugin.services.ports import JournalError
from pbx_plugin.storage.journal_segments import find_segments, journal_names, read_lines

_AT_ONCE = 1000


def waiting_entries(folder: Path) -> Iterator[Entry]:
    """Yield every entry that lies in the folder's journals, in each journal's order; damaged lines are left out.

    A segment that goes while it is read has been told to the database. Raises OSError where the folder cannot be read.
    """
    for name in journal_names(folder):
        try:
            segments = find_segments(folder, name)
        except (JournalError, FileNotFoundError):
            continue
        for segment in segments:
            offset = 0
            while True:
                try:
                    lines = read_lines(segment, offset, segment.readable, _AT_ONCE)
                except FileNotFoundError:
                    break
                if not lines:
                    break
                offset = lines[-1].end
                for line in lines:
                    try:
                        if line.text is not None:
                            yield decode(line.text)
                    except CodecError:
                        continue
