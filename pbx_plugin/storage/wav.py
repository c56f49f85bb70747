"""Reads WAV files as Asterisk leaves them: the file's size counts, not what the header claims.

Asterisk writes the sizes into the header only when it closes the file. Killed before that, it leaves a header that
says "no sound" before minutes of sound, and a file cut at any byte.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 44
"""Length of the header that Asterisk writes, and that we write."""

RATES = (8_000, 16_000)
"""Frames a second that Asterisk's formats ``wav`` and ``wav16`` have."""

Samples = NDArray[np.int16]

_BIGGEST = 0xFFFF_FFFF
_PCM = 1
_EXTENSIBLE = 0xFFFE


class NotPcmError(Exception):
    """The file is there, but no 16-bit PCM WAV at 8 or 16 kHz."""


@dataclass(frozen=True, slots=True)
class Pcm:
    """An open WAV file: where its sound lies. Lengths are counted in frames (one sample for each channel).

    ``frames`` is what the file really holds; ``claimed`` is what its header says. ``modified_at`` is its last writing.
    """

    fd: int
    rate: int
    channels: int
    offset: int
    frames: int
    claimed: int
    modified_at: datetime

    def read(self, first: int, last: int) -> Samples:
        """Return frames ``first`` to before ``last``, interleaved if there are several channels.

        Raises OSError when the file has become shorter since it was opened.
        """
        width = 2 * self.channels
        wanted = (last - first) * width
        pieces = bytearray()
        while len(pieces) < wanted:
            piece = os.pread(self.fd, wanted - len(pieces), self.offset + first * width + len(pieces))
            if not piece:
                raise OSError("the file became shorter while it was read")
            pieces += piece
        return np.frombuffer(pieces, dtype="<i2")


def header(rate: int, channels: int, frames: int) -> bytes:
    """Return the 44 bytes in front of 16-bit PCM sound.

    A file over 4 GiB (37 hours of stereo at 8 kHz) gets the largest size the format can say; our reader ignores it.
    """
    size = frames * channels * 2
    riff, data = min(size + HEADER_BYTES - 8, _BIGGEST), min(size, _BIGGEST)
    fmt = struct.pack("<IHHIIHH", 16, _PCM, channels, rate, rate * channels * 2, channels * 2, 16)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + fmt + b"data" + struct.pack("<I", data)


@contextmanager
def open_pcm(path: Path) -> Iterator[Pcm | None]:
    """Open a WAV file for reading; None when it is missing or holds no sound (a bare or torn header is no sound).

    Links and special files are not followed. An odd byte at the end is not a sample and is left out.
    Raises NotPcmError when it is something else than 16-bit PCM at 8 or 16 kHz, OSError when it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPcmError(f"{path.name} is a link") from error
        raise
    try:
        pcm = _look(fd, path)
        yield pcm if pcm and pcm.frames else None
    finally:
        os.close(fd)


def repair_header(path: Path) -> bool:
    """Make a WAV file's header say what the file holds, and cut an odd byte at its end; False if nothing was wrong.

    In place and repeatable: two sizes are overwritten, no sound is touched, so a crash in between costs nothing. The
    time of last writing is kept, because it tells when the recording ended. Never for a file still being recorded.
    Raises NotPcmError and OSError as ``open_pcm``, and FileNotFoundError when there is no file.
    """
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        pcm = _look(fd, path)
        if pcm is None:
            return False
        before = os.fstat(fd)
        data = pcm.frames * pcm.channels * 2
        riff = struct.pack("<I", min(pcm.offset + data - 8, _BIGGEST))
        size = struct.pack("<I", min(data, _BIGGEST))
        right = before.st_size == pcm.offset + data
        if right and os.pread(fd, 4, 4) == riff and os.pread(fd, 4, pcm.offset - 4) == size:
            return False
        os.ftruncate(fd, pcm.offset + data)
        os.pwrite(fd, riff, 4)
        os.pwrite(fd, size, pcm.offset - 4)
        os.utime(fd, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.fsync(fd)
        return True
    finally:
        os.close(fd)


def _look(fd: int, path: Path) -> Pcm | None:
    """Find the sound in an open file; None when the file ends before any sound could begin."""
    known = os.fstat(fd)
    if not stat.S_ISREG(known.st_mode):
        raise NotPcmError(f"{path.name} is not an ordinary file")
    head = os.pread(fd, 4096, 0)
    if len(head) < HEADER_BYTES:
        return None
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise NotPcmError(f"{path.name} is not a WAV file")
    rate = channels = 0
    at = 12
    while at + 8 <= len(head):
        name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            if not rate:
                break
            frames = (known.st_size - at) // (2 * channels)
            modified = datetime.fromtimestamp(known.st_mtime_ns / 1e9, UTC)
            return Pcm(fd, rate, channels, at, frames, size // (2 * channels), modified)
        if name == b"fmt " and at + 16 <= len(head):
            tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", head, at)
            if tag not in (_PCM, _EXTENSIBLE) or bits != 16 or channels not in (1, 2) or rate not in RATES:
                raise NotPcmError(f"{path.name} is not 16-bit PCM at 8 or 16 kHz")
        at += size + size % 2
    raise NotPcmError(f"{path.name} has no sound chunk")
