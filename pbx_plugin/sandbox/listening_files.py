"""Sound out of files as a recorder leaves them: whole, half written, with a header that a crash left at zero."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RAW_RATE = 8000
_HEADER = 44
_SLN_RATES = {"12": 12000, "16": 16000, "24": 24000, "32": 32000, "44": 44100, "48": 48000, "96": 96000, "192": 192000}
_ULAW = frozenset({"ulaw", "ul", "mu", "ulw", "pcm"})  # Asterisk's names; its .pcm is mu-law
_ALAW = frozenset({"alaw", "al", "alw"})
_SLN = frozenset({"sln", "slin", "raw"})
_WAV = frozenset({"wav", "wave"})
_OTHER_AUDIO = frozenset(
    {"gsm", "wav49", "g722", "g729", "g726", "ogg", "opus", "mp3", "spx", "flac", "m4a", "aac", "au", "ilbc", "siren14"}
)
_MAYBE_AUDIO = frozenset({"", "tmp", "temp", "part", "partial", "bak", "old", "swp", "new", "lock", "spool"})
_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE


class UnreadableAudioError(Exception):
    """A file that looks like audio and cannot be listened to: a search that skipped it would prove nothing."""


@dataclass(frozen=True, slots=True)
class Audio:
    """`samples[channel, n]`, full scale at 1.0."""

    path: Path
    rate: int
    samples: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return int(self.samples.shape[1]) / self.rate

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])

    def channel(self, number: int) -> NDArray[np.float64]:
        """Raises IndexError with a plain text when there is no such channel."""
        if not 0 <= number < self.channels:
            raise IndexError(f"{self.path.name} has {self.channels} channel(s), no channel {number}")
        chosen: NDArray[np.float64] = self.samples[number]
        return chosen


def read_audio(path: Path) -> Audio:
    """Reads WAV (PCM of 8 to 32 bit, float, mu-law, A-law; any rate and channels) and Asterisk's raw formats.

    RIFF is known by its content, raw formats by their extension. A WAV's sizes are not believed: the data go to the
    end of the file when the header says zero or too much. Raises UnreadableAudioError for any other file.
    """
    data = path.read_bytes()
    extension = _extension(path)
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav(path, data)
    if extension in _WAV:
        if data[:_HEADER].strip(b"\0"):
            raise UnreadableAudioError(f"{path}: neither a WAV nor one whose header was left at zero")
        return Audio(path, RAW_RATE, _mono(_linear(data[_HEADER:], 16)))
    rate = _SLN_RATES.get(extension.removeprefix("sln"))
    if extension in _SLN or (extension.startswith("sln") and rate is not None):
        return Audio(path, rate or RAW_RATE, _mono(_linear(data, 16)))
    if extension in _ULAW:
        return Audio(path, RAW_RATE, _mono(_mu_law(data)))
    if extension in _ALAW:
        return Audio(path, RAW_RATE, _mono(_a_law(data)))
    raise UnreadableAudioError(f"{path}: no audio format that can be listened to")


def all_audio(places: list[Path]) -> Iterator[Audio]:
    """Every piece of audio in these files and, recursively, directories; hidden and temporary files too.

    A file without a known extension counts when it starts with RIFF; one with a temporary name and binary content
    is taken for signed linear and for mu-law, in turn. Directories that are links are not entered. Raises
    UnreadableAudioError for audio that cannot be listened to, FileNotFoundError for a place that does not exist.
    """
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"nothing to search at {place}")
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.is_file():
                yield from _hearings(path)


def _hearings(path: Path) -> Iterator[Audio]:
    extension = _extension(path)
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except FileNotFoundError:
        return  # a temporary file that was renamed while we looked: its new name is in the same tree
    if not start:
        return
    if start[:4] == b"RIFF" or extension in _WAV | _ULAW | _ALAW | _SLN or re.fullmatch(r"sln\d+", extension):
        yield read_audio(path)
    elif extension in _OTHER_AUDIO or start[:4] in (b"OggS", b"fLaC", b".snd") or start[:3] == b"ID3":
        raise UnreadableAudioError(f"{path}: audio in a format that cannot be listened to")
    elif (extension in _MAYBE_AUDIO or path.name.endswith("~")) and not _is_text(start) and start[:6] != b"SQLite":
        data = path.read_bytes()
        yield Audio(path, RAW_RATE, _mono(_linear(data, 16)))
        yield Audio(path, RAW_RATE, _mono(_mu_law(data)))


def _extension(path: Path) -> str:
    """The last extension, lower case; `.name` has none."""
    return path.suffix.lower().lstrip(".") if path.suffix else ""


def _is_text(start: bytes) -> bool:
    try:
        start[:-4].decode("utf-8") if len(start) > 4 else start.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in start


def _wav(path: Path, data: bytes) -> Audio:
    form, channels, rate, bits = _PCM, 1, RAW_RATE, 16
    body = b""
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if kind == b"fmt ":
            form = int.from_bytes(data[at : at + 2], "little")
            channels = int.from_bytes(data[at + 2 : at + 4], "little")
            rate = int.from_bytes(data[at + 4 : at + 8], "little")
            bits = int.from_bytes(data[at + 14 : at + 16], "little")
            if form == _EXTENSIBLE:
                form = int.from_bytes(data[at + 24 : at + 26], "little")
        elif kind == b"data":
            believable = 0 < size <= len(data) - at
            body = data[at : at + size] if believable else data[at:]
            break
        at += size + size % 2
    if not 1 <= channels <= 16 or not 1000 <= rate <= 384000:
        raise UnreadableAudioError(f"{path}: {channels} channels at {rate} Hz cannot be right")
    flat = _decoded(path, body, form, bits)
    whole = flat.size // channels * channels
    return Audio(path, rate, np.ascontiguousarray(flat[:whole].reshape(-1, channels).T))


def _decoded(path: Path, body: bytes, form: int, bits: int) -> NDArray[np.float64]:
    if form == _PCM and bits in (8, 16, 24, 32):
        return _linear(body, bits)
    if form == _FLOAT and bits in (32, 64):
        width = bits // 8
        return np.frombuffer(body[: len(body) // width * width], f"<f{width}").astype(np.float64)
    if form == _MU_LAW and bits == 8:
        return _mu_law(body)
    if form == _A_LAW and bits == 8:
        return _a_law(body)
    raise UnreadableAudioError(f"{path}: WAV format {form} with {bits} bits cannot be listened to")


def _linear(data: bytes, bits: int) -> NDArray[np.float64]:
    width = bits // 8
    data = data[: len(data) // width * width]
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if bits == 24:
        three = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        value = three[:, 0] | three[:, 1] << 8 | three[:, 2] << 16
        return np.where(value >= 1 << 23, value - (1 << 24), value).astype(np.float64) / (1 << 23)
    return np.frombuffer(data, f"<i{width}").astype(np.float64) / (1 << (bits - 1))


def _mu_law(data: bytes) -> NDArray[np.float64]:
    code = ~np.frombuffer(data, np.uint8)
    segment, step = (code >> 4) & 7, (code & 15).astype(np.int32)
    size = ((step << 3) + 0x84 << segment) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.float64) / 32768


def _a_law(data: bytes) -> NDArray[np.float64]:
    code = np.frombuffer(data, np.uint8) ^ 0x55
    segment, step = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = np.where(segment == 0, (step << 4) + 8, (step << 4) + 0x108 << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.float64) / 32768


def _mono(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    return flat.reshape(1, -1)
