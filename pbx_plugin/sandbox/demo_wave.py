"""A recording as two rows of bars over time: the user above, the other party below, and the seconds under them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pbx_plugin.sandbox.listening_files import Audio

BLOCKS = " ▁▂▃▄▅▆▇█"
QUIETEST_DBFS, LOUDEST_DBFS = -30.0, -9.0
"""What is drawn empty, and what is drawn full. The people's marks (see `demo_cast`) are to stay all but unseen."""

STEPS_S = (0.05, 0.06, 0.075, 0.08, 0.1, 0.125, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
LABEL_EVERY = 10
"""Columns that a label of the scale gets at least."""


def step_for(seconds: float, width: int) -> float:
    """Return how many seconds a column stands for, so that so long a recording fits into ``width`` columns."""
    return next((step for step in STEPS_S if seconds / step <= width), max(seconds / width, STEPS_S[-1]))


def bars(samples: NDArray[np.float64], rate: int, step_s: float, height: int = 2) -> list[str]:
    """Return the loudness (RMS) of each column as bars ``height`` lines high, the top line first."""
    size = max(1, round(rate * step_s))
    levels = [_level(samples[at : at + size]) for at in range(0, samples.size, size)]
    marks = len(BLOCKS) - 1
    eighths = [round(level * marks * height) for level in levels]
    return [
        "".join(BLOCKS[min(max(count - line * marks, 0), marks)] for count in eighths)
        for line in reversed(range(height))
    ]


def scale(seconds: float, step_s: float) -> tuple[str, str]:
    """Return a ruler with a tick at every label, and the labels in seconds, both as wide as the bars."""
    width = int(np.ceil(round(seconds / step_s, 6)))
    every = next(s for s in (1, 2, 5, 10, 30, 60, 120, 300, 600, 3600) if s / step_s >= LABEL_EVERY or s == 3600)
    ruler, labels = ["─"] * width, [" "] * (width + 8)
    for second in range(0, int(seconds) + 1, every):
        at = round(second / step_s)
        if at < width:
            ruler[at] = "┴"
            text = f"{second} s" if second else "0"
            labels[at : at + len(text)] = text
    return "".join(ruler), "".join(labels).rstrip()


def picture(audio: Audio, names: Sequence[str], width: int) -> list[str]:
    """Return the lines of the picture; ``names`` are what stands before each side, ``width`` that of the whole."""
    label = max(len(name) for name in names)
    step = step_for(audio.seconds, width - label - 3)
    lines = []
    for name, samples in zip(names, audio.samples, strict=True):
        upper, lower = bars(samples, audio.rate, step)
        lines += [f"{'':{label}} ┤{upper}", f"{name:{label}} ┤{lower}"]
    ruler, labels = scale(audio.seconds, step)
    return [*lines, f"{'':{label}} └{ruler}", f"{'':{label}}  {labels}"]


def strip(length_s: float, marked: Sequence[tuple[float, float]], width: int) -> str:
    """Return a call's length as one line: thick where it was recorded, thin where it was not."""
    if length_s <= 0:
        return ""
    signs = ["╌"] * width
    for start, end in marked:
        for at in range(round(start / length_s * width), max(round(end / length_s * width), 1)):
            if 0 <= at < width:
                signs[at] = "█"
    return "".join(signs)


def _level(samples: NDArray[np.float64]) -> float:
    power = 2 * float(np.mean(samples**2)) if samples.size else 0.0
    dbfs = 10 * float(np.log10(max(power, 1e-12)))
    return min(max((dbfs - QUIETEST_DBFS) / (LOUDEST_DBFS - QUIETEST_DBFS), 0.0), 1.0)
