"""Two small tunes for the demo, so that a person hears who is who: a bright marimba and a low, slow reed.

Written for this project. A tune is text: notes with their length in beats, `-` is a rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sound = Literal["marimba", "reed"]

Samples = NDArray[np.float64]
"""Mono samples, full scale at 1.0."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_PEAK = 0.35
_HIGHEST_HZ = 3400.0


@dataclass(frozen=True, slots=True)
class Melody:
    """A tune that loops: `tempo` in beats a minute, notes like `C5:1 D#5:.5 -:1`."""

    name: str
    sound: Sound
    tempo: float
    notes: str

    @property
    def seconds(self) -> float:
        return sum(beats for _hertz, beats in parsed(self)) * 60 / self.tempo


MORNING = Melody(
    "morning",
    "marimba",
    144,
    "G5:.5 E5:.5 C5:.5 E5:.5 A5:1 G5:1  F5:.5 D5:.5 B4:.5 D5:.5 G5:1 -:1 "
    "E5:.5 G5:.5 C6:.5 B5:.5 A5:.5 F5:.5 D5:1  G5:.5 F5:.5 D5:.5 B4:.5 C5:1.5 -:.5",
)
EVENING = Melody(
    "evening",
    "reed",
    84,
    "A3:1.5 C4:.5 E4:1  D4:1 C4:.5 B3:.5 G3:1  A3:1 E4:1.5 D4:.5  F4:1 E4:.5 C4:.5 A3:1.5 -:.5",
)


def hertz(note: str) -> float:
    """The frequency of `A4`, `C#5`, `Bb3` in equal temperament with A4 = 440 Hz."""
    step = _STEPS[note[0]] + note.count("#") - note[1:].count("b")
    octave = int(note[-1])
    return float(440.0 * 2 ** ((step - 9) / 12 + octave - 4))


def parsed(melody: Melody) -> list[tuple[float, float]]:
    """(hertz, beats) of each note; 0 hertz is a rest."""
    pairs = (word.split(":") for word in melody.notes.split())
    return [(0.0 if name == "-" else hertz(name), float(beats)) for name, beats in pairs]


def render(melody: Melody, rate: int) -> Samples:
    """The whole tune once. Notes ring on into the next and, at the end, into the beginning: the loop has no seam."""
    beat = rate * 60 / melody.tempo
    notes = parsed(melody)
    sound = np.zeros(round(sum(beats for _hertz, beats in notes) * beat))
    start = 0.0
    for pitch, beats in notes:
        if pitch:
            played = _marimba(pitch, rate) if melody.sound == "marimba" else _reed(pitch, beats * beat / rate, rate)
            places = (round(start) + np.arange(played.size)) % sound.size
            np.add.at(sound, places, played)
        start += beats * beat
    sound *= _PEAK / float(np.max(np.abs(sound)))
    return sound


def _partials(pitch: float, shares: tuple[tuple[float, float, float], ...], t: Samples) -> Samples:
    """The sum of (multiple, share, decay per second), without what a telephone line does not carry."""
    sound: Samples = np.zeros(t.size)
    for multiple, share, decay in shares:
        if pitch * multiple < _HIGHEST_HZ:
            sound += share * np.exp(-decay * t) * np.sin(2 * np.pi * pitch * multiple * t)
    return sound


def _marimba(pitch: float, rate: int) -> Samples:
    t: Samples = np.arange(round(0.9 * rate)) / rate
    struck: Samples = np.minimum(1.0, t / 0.003) * np.minimum(1.0, (t[-1] - t) / 0.05)
    return struck * _partials(pitch, ((1, 1.0, 5.0), (3.98, 0.25, 12.0)), t)


def _reed(pitch: float, seconds: float, rate: int) -> Samples:
    t: Samples = np.arange(round((seconds + 0.08) * rate)) / rate
    blown: Samples = np.minimum(1.0, t / 0.06) * np.minimum(1.0, (t[-1] - t) / 0.08)
    trembling: Samples = 1 + 0.08 * np.sin(2 * np.pi * 5 * t)
    return blown * trembling * _partials(pitch, ((1, 1.0, 0.2), (2, 0.35, 0.2), (3, 0.5, 0.4), (5, 0.15, 0.6)), t)
