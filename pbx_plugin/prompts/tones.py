"""The tones that a user hears after a code, told apart without words.

Up is on, down is off, low twice is no. A pause goes down three steps, its end up three. High three times: withdrawn.
One that is long and higher than these, again and again, is the beep of a call that is being recorded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TONES = ("toggle-on", "toggle-off", "denied", "paused", "resumed", "withdrawn", "beep")
"""Names of the tones, beside the spoken prompts."""

TONE_VERSION = "1"
"""Raised whenever a tone changes."""

_LOW_HZ = 425.0
_MIDDLE_HZ = 600.0
_HIGH_HZ = 900.0
_REMINDER_HZ = 1400.0
"""What people know as the beep of a recorder: 1,400 Hz for a quarter of a second."""
_REMINDER_S = 0.25
_BEEP_S = 0.12
_PAUSE_S = 0.05
_FADE_S = 0.01
_LEVEL = 0.2
"""Amplitude of full scale: a sine of about -17 dBFS, no louder than speech."""


def tone(name: str, rate: int) -> NDArray[np.int16]:
    """Return one of :data:`TONES` as mono samples at ``rate`` Hz. Raises KeyError for any other name."""
    if name == "beep":
        return _samples(_beep(_REMINDER_HZ, rate, _REMINDER_S))
    first, *others = {
        "toggle-on": (_MIDDLE_HZ, _HIGH_HZ),
        "toggle-off": (_HIGH_HZ, _MIDDLE_HZ),
        "denied": (_LOW_HZ, _LOW_HZ),
        "paused": (_HIGH_HZ, _MIDDLE_HZ, _LOW_HZ),
        "resumed": (_LOW_HZ, _MIDDLE_HZ, _HIGH_HZ),
        "withdrawn": (_HIGH_HZ, _HIGH_HZ, _HIGH_HZ),
    }[name]
    pause = np.zeros(round(_PAUSE_S * rate))
    parts = [_beep(first, rate)]
    for hertz in others:
        parts += [pause, _beep(hertz, rate)]
    return _samples(np.concatenate(parts))


def _samples(sound: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.round(sound * 32767).astype(np.int16)


def _beep(hertz: float, rate: int, seconds: float = _BEEP_S) -> NDArray[np.float64]:
    at = np.arange(round(seconds * rate)) / rate
    # Without a fade the edges click.
    fade = np.minimum(1.0, np.minimum(at, at[::-1]) / _FADE_S)
    return np.asarray(_LEVEL * fade * np.sin(2 * np.pi * hertz * at), dtype=np.float64)
