"""What the phones say: a voice of its own for each, bursts to align by, melodies that a person tells apart.

All signals are 8 kHz, 16 bit, mono, and loop without a click. Levels are in dBFS, where 0 is a sine that just fills
the 16 bits; the same scale is used by `listening`.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pbx_plugin.sandbox.signals_melody import EVENING, MORNING, Melody, Samples, render

RATE = 8000
BURST_MS = 60
BURST_BAND_HZ = (400.0, 3200.0)
VOICE_DBFS = -15.0
UNDER_BURSTS_DBFS = -21.0


@dataclass(frozen=True, slots=True)
class Voice:
    """A steady tone that belongs to one phone."""

    name: str
    hertz: int

    def __str__(self) -> str:
        return f"{self.name} ({self.hertz} Hz)"


# Searched by program, at 8 kHz: no two nearer than 50 Hz; no 2nd to 5th harmonic of one, folded at 4 kHz, within
# 12 Hz of itself or another; no product 2a±b of any two within 6 Hz of a third; none within 22 Hz of a DTMF
# frequency or of dial, ringing, busy, information, fax or milliwatt tones. tests/unit/sandbox checks it again.
_HERTZ = (
    *(593, 665, 828, 886, 1075, 1139, 1245, 1375, 1438, 1518, 1576, 1752),
    *(1858, 1977, 2027, 2174, 2349, 2399, 2456, 2548, 2685, 2783, 2928, 2999),
)
_NAMES = (
    "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima "
    "mike november oscar papa quebec romeo sierra tango uniform victor whiskey xray"
)

VOICES = tuple(Voice(name, hertz) for name, hertz in zip(_NAMES.split(), _HERTZ, strict=True))
"""The plan: give each phone of a test one of them. Any subset can be told apart, also mixed in one channel."""


def voice(name: str) -> Voice:
    """The voice of that name. Raises KeyError with the names there are."""
    for known in VOICES:
        if known.name == name:
            return known
    raise KeyError(f"no voice {name!r}; there are {_NAMES}")


def amplitude(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))


def tone(hertz: float, seconds: float, dbfs: float = VOICE_DBFS) -> Samples:
    """A steady sine, faded nowhere: with whole hertz and whole seconds it loops without a seam."""
    t = np.arange(round(seconds * RATE)) / RATE
    return amplitude(dbfs) * np.sin(2 * np.pi * hertz * t)


def bursts(seed: int, seconds: int, under: Voice | None = None, dbfs: float = -12.0) -> Samples:
    """A noise burst of 60 ms at the start of each second, no two alike; `under` lays a voice below, softly.

    The same seed gives the same bursts, so two recordings of it can be aligned. `dbfs` is the burst's level as RMS
    of a full sine. The band is what every telephone codec lets through.
    """
    sound = np.zeros(seconds * RATE)
    length = RATE * BURST_MS // 1000
    edge = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / (RATE * 0.002))
    spectrum = np.fft.rfftfreq(length, 1 / RATE)
    outside = (spectrum < BURST_BAND_HZ[0]) | (spectrum > BURST_BAND_HZ[1])
    for second in range(seconds):
        noise = np.random.default_rng([seed, second]).standard_normal(length)
        bins = np.fft.rfft(noise)
        bins[outside] = 0
        burst = np.fft.irfft(bins, length) * edge
        burst *= amplitude(dbfs) / np.sqrt(2) / np.sqrt(np.mean(burst**2))
        sound[second * RATE : second * RATE + length] = burst
    if under is not None:
        sound += tone(under.hertz, seconds, UNDER_BURSTS_DBFS)
    return np.clip(sound, -1.0, 1.0)


def write_wav(path: Path, sound: Samples) -> Path:
    """Writes 8 kHz 16-bit mono, mode 0640."""
    frames = np.round(np.clip(sound, -1.0, 1.0) * 32767).astype("<i2")
    path.touch(mode=0o640)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(frames.tobytes())
    return path


def write_voice(path: Path, who: Voice, seconds: int = 2, dbfs: float = VOICE_DBFS) -> Path:
    return write_wav(path, tone(who.hertz, seconds, dbfs))


def write_bursts(path: Path, seed: int, seconds: int = 60, under: Voice | None = None) -> Path:
    return write_wav(path, bursts(seed, seconds, under))


def write_melody(path: Path, melody: Melody) -> Path:
    return write_wav(path, render(melody, RATE))


__all__ = [
    "EVENING",
    "MORNING",
    "RATE",
    "VOICES",
    "Melody",
    "Samples",
    "Voice",
    "amplitude",
    "bursts",
    "tone",
    "voice",
    "write_bursts",
    "write_melody",
    "write_voice",
    "write_wav",
]
