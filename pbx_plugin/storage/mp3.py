"""Stored sound as MP3, made by ffmpeg while it is sent: no file in between, and only so many at a time.

ffmpeg gets the open file as its standard input and is told that it is WAV, so no name and no content of a file can
lead it anywhere else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator

import structlog

from pbx_plugin.storage.opening import CHUNK

log = structlog.get_logger(__name__)

PROGRAM = "ffmpeg"
MOST_AT_ONCE = 2
"""Conversions at a time: each takes a core for seconds, and calls are recorded on the same machine."""
KILOBITS = {8000: 32, 16000: 48}
_MOST_WORDS = 500

_room = threading.BoundedSemaphore(MOST_AT_ONCE)


class NoMp3Error(Exception):
    """MP3 cannot be had on this machine: says why, and what to do."""


class BusyError(Exception):
    """As many conversions are under way as may be: later there is room."""


def find_ffmpeg() -> str | None:
    """Return where ffmpeg is, None when it is not installed."""
    return shutil.which(PROGRAM)


def as_mp3(sound: int, rate: int, *, program: str | None = None) -> Iterator[bytes]:
    """Start converting an open WAV file, and return the MP3's bytes as they come. The file is closed in any case.

    Giving up reading ends ffmpeg. Raises NoMp3Error, BusyError, both before the first byte; NoMp3Error afterwards too,
    when ffmpeg fails half-way.
    """
    try:
        return _started(sound, rate, program or find_ffmpeg())
    finally:
        os.close(sound)


def _started(sound: int, rate: int, program: str | None) -> Iterator[bytes]:
    if program is None:
        raise NoMp3Error("MP3 needs ffmpeg, which is not installed on the server: download WAV, or install ffmpeg")
    if not _room.acquire(blocking=False):
        raise BusyError(f"{MOST_AT_ONCE} MP3 files are being made already")
    # Calls come first: by nice(1), which becomes ffmpeg.
    asked = [
        "nice",
        "-n",
        "10",
        program,
        "-nostdin",
        "-hide_banner",
        "-v",
        "error",
        "-protocol_whitelist",
        "pipe",
        "-f",
        "wav",
    ]
    asked += ["-i", "pipe:0", "-map", "0:a:0", "-map_metadata", "-1", "-threads", "1", "-c:a", "libmp3lame"]
    asked += ["-b:a", f"{KILOBITS.get(rate, 48)}k", "-f", "mp3", "pipe:1"]
    try:
        process = subprocess.Popen(asked, stdin=sound, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        _room.release()
        raise NoMp3Error(f"ffmpeg cannot be started: {error.strerror}") from error
    except BaseException:
        _room.release()
        raise
    stream = _Stream(process)
    try:
        stream.wait_for_sound()
    except BaseException:
        stream.close()
        raise
    return stream


class _Stream(Iterator[bytes]):
    """The bytes of a conversion; ends it when it is closed or forgotten."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._first = b""
        self._open = True
        self._words = b""
        self._listener = threading.Thread(target=self._listen, name="ffmpeg-words", daemon=True)
        self._listener.start()

    def wait_for_sound(self) -> None:
        """Wait for the first bytes. Raises NoMp3Error when there will be none."""
        self._first = self._read()
        if not self._first:
            raise NoMp3Error("ffmpeg made nothing of the file: the server's log says why")

    def __next__(self) -> bytes:
        piece, self._first = self._first, b""
        piece = piece or self._read()
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """End the conversion, if it goes on, and let the next one begin."""
        if not self._open:
            return
        self._open = False
        try:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._listener.join()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        finally:
            _room.release()

    def __del__(self) -> None:
        self.close()

    def _read(self) -> bytes:
        if not self._open or self._process.stdout is None:
            return b""
        piece = self._process.stdout.read1(CHUNK)  # type: ignore[attr-defined]
        if not piece and self._process.wait() != 0:
            self._listener.join()
            log.error("ffmpeg failed", code=self._process.returncode, words=self._words.decode(errors="replace"))
            raise NoMp3Error("ffmpeg failed half-way: the server's log says why")
        return bytes(piece)

    def _listen(self) -> None:
        if self._process.stderr is not None:
            while piece := self._process.stderr.read(4096):
                self._words = (self._words + piece)[-_MOST_WORDS:]
