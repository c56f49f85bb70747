"""The picture of a recording shows who sounds when, on whose side, and how many seconds it lasts."""

from pathlib import Path

import numpy as np

from pbx_plugin.sandbox.demo_wave import bars, picture, scale, step_for, strip
from pbx_plugin.sandbox.listening_files import Audio
from pbx_plugin.sandbox.signals import RATE, tone

LOUD = tone(800, 1, -9.0)
SILENCE = np.zeros(RATE)


def test_a_loud_second_is_drawn_full_and_a_silent_one_empty() -> None:
    upper, lower = bars(np.concatenate([LOUD, SILENCE]), RATE, 0.5)
    assert upper == lower == "██  "


def test_a_softer_voice_is_lower_and_never_higher_than_its_bar() -> None:
    upper, lower = bars(tone(800, 1, -24.0), RATE, 0.5)
    assert upper == "  "
    assert set(lower) < set("▁▂▃▄▅▆▇")


def test_the_user_is_above_the_other_party_and_the_seconds_below() -> None:
    audio = Audio(Path("x.wav"), RATE, np.stack([np.concatenate([LOUD, SILENCE]), np.concatenate([SILENCE, LOUD])]))
    lines = picture(audio, ("L user", "R other"), 60)
    user, other, ruler, labels = lines[1], lines[3], lines[4], lines[5]
    half = len(ruler.split("└")[1]) // 2
    assert user.split("┤")[1] == "█" * half + " " * half
    assert other.split("┤")[1] == " " * half + "█" * half
    assert labels.index("1 s") == ruler.index("┴", ruler.index("┴") + 1)
    assert all(len(line) <= 60 for line in lines)


def test_an_hour_fits_into_the_width_that_there_is() -> None:
    step = step_for(3600.0, 80)
    ruler, labels = scale(3600.0, step)
    assert len(ruler) <= 80
    assert "600 s" in labels


def test_a_call_is_thick_only_where_it_was_recorded() -> None:
    assert strip(10.0, [(2.0, 4.0), (8.0, 10.0)], 10) == "╌╌██╌╌╌╌██"
    assert strip(10.0, [], 5) == "╌╌╌╌╌"
