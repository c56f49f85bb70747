"""Who is heard where: listens to recordings and says which phone's voice is on which side, when, and whether at all.

`channel` 0 is a mono file's only one, or the left of a stereo file. Times are seconds from the start of the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pbx_plugin.sandbox.listening_files import Audio, UnreadableAudioError, all_audio, read_audio
from pbx_plugin.sandbox.listening_spectrum import Limits, Reals, find
from pbx_plugin.sandbox.signals import VOICES, Voice

__all__ = [
    "Audio",
    "Offset",
    "Trace",
    "UnreadableAudioError",
    "Window",
    "assert_side",
    "heard_anywhere",
    "offset_ms",
    "picture",
    "read_audio",
    "silence",
    "tones",
]

WINDOW_S = 0.25
CLEAR = Limits(level=-50.0, contrast=8.0, sharp=5.0, share=-10.0)

# A remnant of 100 ms at -45 dBFS reaches -50 or more in four frames; two of them must agree.
REMNANT_FRAME_S = 0.2
REMNANT_HOP_S = 0.025
REMNANT_FRAMES = 2
FAINT = Limits(level=-54.0, contrast=8.0, sharp=4.0, share=-15.0)

SILENCE_DBFS = -60.0
SILENCE_STEP_S = 0.01
MISSING_SHARE = 0.05
ALIGN_BAND_HZ = (400.0, 3200.0)
ALIGN_SHARPNESS = 20.0  # measured: 50 to 66 for the same bursts, also through mu-law; 12 at most for different ones


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one channel: the voices heard in it and its level (RMS, where a full sine is 0 dBFS)."""

    start_s: float
    end_s: float
    voices: frozenset[Voice]
    dbfs: float


class Trace(NamedTuple):
    """A find of `heard_anywhere`."""

    file: Path
    channel: int
    seconds: float
    lasting_s: float
    dbfs: float


class Offset(NamedTuple):
    """How much later the same sound is on the second side. `sharpness`: the peak against the other lags' RMS."""

    at_s: float
    ms: float
    sharpness: float


def tones(path: Path, channel: int = 0, window_s: float = WINDOW_S) -> list[Window]:
    """The voices of the plan in each window of a channel; an incomplete last window is left out.

    Heard is a voice of at least -50 dBFS and not 10 dB or more below everything that is no voice.
    Raises UnreadableAudioError, IndexError for a channel the file does not have.
    """
    audio = read_audio(path)
    samples = audio.channel(channel)
    size = round(window_s * audio.rate)
    whole = samples[: samples.size // size * size]
    lines = find(whole, audio.rate, VOICES, CLEAR, frame_s=window_s, hop_s=window_s)
    return [
        Window(
            index * window_s,
            (index + 1) * window_s,
            frozenset(who for who, heard in zip(VOICES, row, strict=True) if heard),
            _dbfs(whole[index * size : (index + 1) * size]),
        )
        for index, row in enumerate(lines.heard)
    ]


def heard_anywhere(places: Path | Iterable[Path], who: Voice) -> list[Trace]:
    """Every place where a voice is heard in all audio below these files and directories, however short and soft.

    Finds 100 ms at -45 dBFS. Hidden and temporary files are searched as well (see `all_audio`). Raises
    UnreadableAudioError for audio it cannot decode and FileNotFoundError for a place that is not there: an empty
    answer means that everything was listened to.
    """
    every = [places] if isinstance(places, Path) else list(places)
    return [trace for audio in all_audio(every) for trace in _traces(audio, who)]


def _traces(audio: Audio, who: Voice) -> list[Trace]:
    traces = []
    for channel in range(audio.channels):
        # Half a frame of silence before and after, so that a remnant at the very edge comes to a frame's middle.
        edge = np.zeros(round(REMNANT_FRAME_S / 2 * audio.rate))
        padded = np.concatenate([edge, audio.samples[channel], edge])
        lines = find(padded, audio.rate, (who,), FAINT, frame_s=REMNANT_FRAME_S, hop_s=REMNANT_HOP_S)
        heard, level = lines.heard[:, 0], lines.level[:, 0]
        for first, after in _runs(heard):
            if after - first >= REMNANT_FRAMES:
                loudest = float(np.max(level[first:after]))
                seconds, lasting = first * lines.hop_s, (after - first) * lines.hop_s
                traces.append(Trace(audio.path, channel, round(seconds, 3), round(lasting, 3), round(loudest, 1)))
    return traces


def silence(
    path: Path, channel: int = 0, below_dbfs: float = SILENCE_DBFS, at_least_s: float = 0.1
) -> list[tuple[float, float]]:
    """The stretches (from, to) of a channel that stay below a level, measured in steps of 10 ms."""
    audio = read_audio(path)
    samples = audio.channel(channel)
    size = round(SILENCE_STEP_S * audio.rate)
    steps = samples[: samples.size // size * size].reshape(-1, size)
    quiet = 2 * np.mean(steps**2, axis=1) < 10 ** (below_dbfs / 10)
    found = [(first * SILENCE_STEP_S, after * SILENCE_STEP_S) for first, after in _runs(quiet)]
    return [(round(start, 3), round(end, 3)) for start, end in found if end - start >= at_least_s - 1e-9]


def offset_ms(
    a: tuple[Path, int], b: tuple[Path, int], at_s: Sequence[float] | None = None, within_ms: float = 500.0
) -> list[Offset]:
    """How much later side `b` (file, channel) has the same bursts as side `a`, at several seconds.

    `at_s` are the starts of the one-second pieces compared (default: every second). Pieces without a clear match
    are left out. Raises ValueError when there is no match at all, or the sample rates differ.
    """
    one, other = read_audio(a[0]), read_audio(b[0])
    if one.rate != other.rate:
        raise ValueError(f"{a[0].name} has {one.rate} Hz, {b[0].name} {other.rate} Hz: not comparable")
    first, second, rate = one.channel(a[1]), other.channel(b[1]), one.rate
    seconds = min(first.size, second.size) / rate
    wanted = [float(s) for s in range(int(seconds))] if at_s is None else list(at_s)
    every = [_offset(first, second, rate, start, within_ms) for start in wanted]
    offsets = [offset for offset in every if offset.sharpness >= ALIGN_SHARPNESS]
    if not offsets:
        raise ValueError(f"no common bursts within {within_ms:g} ms in {a[0].name}[{a[1]}] and {b[0].name}[{b[1]}]")
    return offsets


def _offset(first: Reals, second: Reals, rate: int, start_s: float, within_ms: float) -> Offset:
    """Cross-correlation with all frequencies of the band weighed alike, so that steady tones do not count."""
    reach, start = round(within_ms * rate / 1000), round(start_s * rate)
    piece = first[start : start + rate]
    around = np.zeros(piece.size + 2 * reach)
    low, high = max(0, start - reach), min(second.size, start + piece.size + reach)
    if piece.size == 0 or high <= low:
        return Offset(start_s, 0.0, 0.0)
    around[low - (start - reach) : high - (start - reach)] = second[low:high]
    size = 1 << (piece.size + around.size).bit_length()
    cross = np.fft.rfft(around, size) * np.conj(np.fft.rfft(piece, size))
    hertz = np.fft.rfftfreq(size, 1 / rate)
    cross[(hertz < ALIGN_BAND_HZ[0]) | (hertz > ALIGN_BAND_HZ[1])] = 0
    strength = np.abs(cross)
    cross /= np.maximum(strength, 1e-3 * float(np.max(strength)) + 1e-12)
    match = np.fft.irfft(cross, size)[: 2 * reach + 1]
    best = int(np.argmax(match))
    noise = float(np.sqrt(np.mean(match**2))) or 1.0
    return Offset(start_s, round((best - reach) * 1000 / rate, 3), round(float(match[best]) / noise, 1))


def assert_side(
    path: Path, channel: int, who: Voice | None, from_s: float, to_s: float, *, allow: Iterable[Voice] = ()
) -> None:
    """Fails unless this voice, and no other but those allowed, is on this side all the time from `from_s` to `to_s`.

    Judged are the quarter seconds that lie wholly inside. `who` None: nobody may be heard but those allowed. For
    the voice itself one quarter in twenty (at least one) may be missing, never two in a row: a phone may slip a packet.
    Raises AssertionError with a picture of who was heard in each second; also when the file is too short.
    """
    windows = tones(path, channel)
    inside = [w for w in windows if w.start_s >= from_s - 1e-9 and w.end_s <= to_s + 1e-9]
    complaints: list[str] = []
    end = windows[-1].end_s if windows else 0.0
    if end < to_s - WINDOW_S or not inside:
        complaints.append(f"the file ends at {end:g} s")
    missing = [w for w in inside if who is not None and who not in w.voices]
    in_a_row = any(b.start_s - a.start_s < 1.5 * WINDOW_S for a, b in itertools.pairwise(missing))
    if missing and (in_a_row or len(missing) > max(1.0, MISSING_SHARE * len(inside))):
        complaints.append(f"{who} is missing at {_times(missing)}")
    allowed = {*allow, *([who] if who else [])}
    for stranger in sorted({v for w in inside for v in w.voices} - allowed, key=lambda v: v.hertz):
        complaints.append(f"{stranger} is heard at {_times([w for w in inside if stranger in w.voices])}")
    if complaints:
        expected = f"{who} alone" if who else "nobody"
        raise AssertionError(
            f"{path}, channel {channel}: expected {expected} from {from_s:g} s to {to_s:g} s, but "
            + "; ".join(complaints)
            + "\n"
            + picture(windows, from_s - 2, to_s + 2)
        )


def picture(windows: Sequence[Window], from_s: float = 0.0, to_s: float = float("inf")) -> str:
    """Who was heard in each second, one row a voice, one mark a window, with the level below."""
    shown = [w for w in windows if from_s <= w.start_s < to_s]
    if not shown:
        return "(no sound)"
    seconds = sorted({int(w.start_s) for w in shown})
    width = max(5, *(sum(int(w.start_s) == s for w in shown) for s in seconds))
    voices = sorted({v for w in shown for v in w.voices}, key=lambda v: v.hertz)
    name = max([9, *(len(str(v)) for v in voices)])

    def row(label: str, cells: Iterable[str]) -> str:
        return f"{label:>{name}} |" + "|".join(f"{cell:<{width}}" for cell in cells) + "|"

    lines = [row("second", (str(s) for s in seconds))]
    for v in voices:
        marks = ("".join("#" if v in w.voices else "." for w in shown if int(w.start_s) == s) for s in seconds)
        lines.append(row(str(v), marks))
    loudest = (max(w.dbfs for w in shown if int(w.start_s) == s) for s in seconds)
    lines.append(row("dBFS", (f"{level:.0f}" for level in loudest)))
    return "\n".join(lines)


def _times(windows: Sequence[Window]) -> str:
    some = ", ".join(f"{w.start_s:.2f}" for w in windows[:6])
    return f"{some}{', ...' if len(windows) > 6 else ''} s"


def _dbfs(samples: Reals) -> float:
    return float(10 * np.log10(max(2 * float(np.mean(samples**2)), 1e-12)))


def _runs(marks: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, one after the last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marks.astype(np.int8), [0]])))
    return [(int(first), int(after)) for first, after in zip(edges[::2], edges[1::2], strict=True)]
