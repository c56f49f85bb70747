"""The tones after the star code can be told apart by ear."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pbx_plugin.prompts.tones import TONES, tone


def heights(name: str, rate: int = 8000) -> tuple[float, float]:
    """Return the pitch of a tone's first and second beep, in Hz."""
    sound = tone(name, rate).astype(float)
    return pitch(sound[: len(sound) // 2], rate), pitch(sound[len(sound) // 2 :], rate)


def pitch(part: np.ndarray, rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(part, 8 * rate)))) / 8


def test_on_rises_off_falls_and_no_is_low_twice() -> None:
    on, off, denied = (heights(name) for name in ("toggle-on", "toggle-off", "denied"))

    assert on[1] > 1.3 * on[0]
    assert off[0] > 1.3 * off[1]
    assert denied[0] == pytest.approx(denied[1], rel=0.02)
    assert denied[0] < 0.8 * min(*on, *off)


@pytest.mark.parametrize(("name", "rate"), [*itertools.product(TONES, (8000, 16000))])
def test_a_tone_is_short_no_louder_than_speech_and_does_not_click(name: str, rate: int) -> None:
    sound = tone(name, rate)

    assert 0.2 < len(sound) / rate < 0.5
    assert 0.1 < np.max(np.abs(sound)) / 32768 < 0.3
    assert abs(int(sound[0])) < 100
    assert abs(int(sound[-1])) < 100


def test_a_tone_sounds_the_same_at_either_rate() -> None:
    for name in TONES:
        assert heights(name, 8000) == pytest.approx(heights(name, 16000), rel=0.01)
