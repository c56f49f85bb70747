"""The journal's files: how a line is framed and checked, how segments are named, read and locked.

A journal ``recorder`` is a row of files ``recorder.<first position>.journal``, read in the order of their names. The
first line names the *run* that wrote the segment; each further line is ``<crc32> <position> <entry as JSON>``.
``recorder.lock`` is locked by the one writer, ``recorder.rejected`` keeps what could not be applied.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from pbx_plugin.services.ports import JournalError

_HEADER = re.compile(rb"pbx-plugin journal 1 ([0-9A-Za-z:._-]{1,140})\n")
_SEGMENT = re.compile(r"(?P<name>[0-9A-Za-z_-]{1,80})\.(?P<first>\d{20})\.journal")
_NAME = re.compile(r"[0-9A-Za-z_-]{1,80}")
_FILE_MODE = 0o640


@dataclass(slots=True)
class Segment:
    """One file. ``readable`` is how many bytes are known to be on disk; nothing behind them may be applied.

    ``header`` is where the first entry begins; ``torn`` is how many bytes of an unfinished last line are left out
    at its end.
    """

    path: Path
    first: int
    run: str
    readable: int
    header: int
    sealed: bool = True
    torn: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One framed line as read: ``text`` is None when its checksum or shape is wrong. ``end`` is where it ends."""

    position: int
    text: bytes | None
    raw: bytes
    end: int


def frame(position: int, text: str) -> bytes:
    """Return the bytes of one journal line."""
    body = f"{position} {text}".encode()
    return b"%08x %b\n" % (zlib.crc32(body), body)


def unframe(raw: bytes) -> tuple[int, bytes] | None:
    """Return position and text of a line, None when it is damaged."""
    checksum, _, body = raw.rstrip(b"\n").partition(b" ")
    position, _, text = body.partition(b" ")
    if not raw.endswith(b"\n") or not position.isdigit() or checksum != b"%08x" % zlib.crc32(body):
        return None
    return int(position), text


def check_name(name: str) -> str:
    """Return the journal's name. Raises JournalError when it would not do as a file name."""
    if not _NAME.fullmatch(name):
        raise JournalError(f"a journal cannot be called {name!r}: letters, digits, '-' and '_' only")
    return name


def create_segment(folder: Path, name: str, first: int, run: str) -> tuple[Segment, int]:
    """Create an empty segment, durably, and return it with a descriptor opened for appending. Raises OSError."""
    path = folder / f"{name}.{first:020d}.journal"
    draft = folder / f"{name}.{first:020d}.draft"
    header = f"pbx-plugin journal 1 {run}\n".encode()
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, _FILE_MODE)
    try:
        write_all(descriptor, header)
        os.fsync(descriptor)
        draft.rename(path)
        sync_folder(folder)
    except OSError:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
        raise
    return Segment(path, first, run, len(header), len(header), sealed=False), descriptor


def find_segments(folder: Path, name: str) -> list[Segment]:
    """Return the journal's segments, oldest first, each readable up to its last whole line. Raises OSError.

    A file without a proper first line is none of ours to apply; it raises JournalError rather than being skipped.
    """
    found = []
    for path in sorted(folder.glob(f"{name}.*.journal")):
        parts = _SEGMENT.fullmatch(path.name)
        if parts is None or parts["name"] != name:
            continue
        data = path.read_bytes()
        header = _HEADER.match(data)
        if header is None:
            raise JournalError(f"{path} is not a journal segment: move it away, and look at what is in it")
        whole = data.rfind(b"\n") + 1
        found.append(
            Segment(path, int(parts["first"]), header[1].decode(), whole, header.end(), torn=len(data) - whole)
        )
    return found


def journal_names(folder: Path) -> list[str]:
    """Return the names of all journals that have a segment or a lock file in the folder."""
    names = {match["name"] for path in folder.glob("*.journal") if (match := _SEGMENT.fullmatch(path.name))}
    names |= {path.stem for path in folder.glob("*.lock") if _NAME.fullmatch(path.stem)}
    return sorted(names)


def read_lines(segment: Segment, offset: int, readable: int, limit: int) -> list[Line]:
    """Return up to ``limit`` lines from ``offset`` (0: from the first) up to ``readable``. Raises OSError."""
    lines: list[Line] = []
    offset = max(offset, segment.header)
    with segment.path.open("rb") as file:
        file.seek(offset)
        while len(lines) < limit and offset < readable:
            raw = file.readline()
            if not raw:
                break
            offset += len(raw)
            good = unframe(raw)
            lines.append(Line(good[0] if good else 0, good[1] if good else None, raw, offset))
    return lines


def last_position(segment: Segment) -> int:
    """Return the highest position in the segment, or the one before its first when it is empty."""
    highest, offset = segment.first - 1, 0
    while lines := read_lines(segment, offset, segment.readable, 1000):
        highest = max(highest, *(line.position for line in lines))
        offset = lines[-1].end
    return highest


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, also where the system takes it in pieces. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make new and renamed files of the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_lock(folder: Path, name: str, patience: float) -> int | None:
    """Return a descriptor that holds the journal's lock, None when another writer has it for ``patience`` seconds."""
    path = folder / f"{name}.lock"
    give_up = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever drained this journal may have removed the file between our open and our lock.
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            if time.monotonic() >= give_up:
                os.close(descriptor)
                return None
            time.sleep(0.02)
        except FileNotFoundError:
            pass  # removed between the two looks: take the new one
        os.close(descriptor)
