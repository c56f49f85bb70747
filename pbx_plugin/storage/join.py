"""Lays two mono sounds side by side on one time line, piece by piece, in constant memory.

A sample's moment is its side's start plus its place in the file: Asterisk writes a snoop's file by the wall clock and
fills pauses with silence, so places are moments (both sides in steps of 20 ms, without drift). Where it had no time to
do so, the holes were filled before (``storage/patched.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from pbx_plugin.storage.peaks import BUCKETS_A_SECOND
from pbx_plugin.storage.wav import Pcm, Samples

PIECE_BUCKETS = 10 * BUCKETS_A_SECOND
"""Ten seconds a piece: a few hundred kB, which stays in a processor's cache on its way to disk, hash and picture."""

_REACH = 16
_MICROSECOND = timedelta(microseconds=1)


def frames_between(start: datetime, end: datetime, rate: int) -> int:
    """Return how many whole frames lie between two moments; 0 when the end is not after the start."""
    return max(0, (end - start) // _MICROSECOND * rate // 1_000_000)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the stereo file. ``pcm`` is None when nothing was recorded.

    ``kept`` counts the frames of ``pcm``, at its own rate, that may be used; ``head`` is the silence before them, in
    frames of the stereo file, whose ``rate`` is that of ``pcm`` or twice as high.
    """

    pcm: Pcm | None
    kept: int
    head: int
    rate: int

    @property
    def end(self) -> int:
        """Frame of the stereo file after this side's last one."""
        return self.head + self.kept * self._factor if self.kept else 0

    @property
    def _factor(self) -> int:
        return self.rate // self.pcm.rate if self.pcm else 1

    def read(self, first: int, last: int) -> Samples:
        """Return frames ``first`` to before ``last`` of the stereo file, silence where this side has nothing."""
        start, stop = max(first, self.head), min(last, self.end)
        if self.pcm is None or start >= stop:
            return np.zeros(last - first, np.int16)
        if self._factor == 1:
            sound = self.pcm.read(start - self.head, stop - self.head)
        else:
            sound = self._doubled(start - self.head, stop - self.head)
        if (start, stop) == (first, last):
            return sound
        whole = np.zeros(last - first, np.int16)
        whole[start - first : stop - first] = sound
        return whole

    def _doubled(self, first: int, last: int) -> Samples:
        """Return frames of the sound at twice its rate.

        Every second frame is an original sample; those between come from a windowed-sinc half-band filter over 16
        samples on either side. Linear interpolation would mirror the upper half of speech to above 4 kHz, only 5 dB
        softer than itself. The filter is centred: no delay against the other side. It sees nothing beyond ``kept``.
        """
        assert self.pcm is not None  # noqa: S101  (read() has looked)
        low, high = first // 2, (last + 1) // 2
        have_low, have_high = max(0, low - _REACH), min(self.kept, high + _REACH)
        around = np.zeros(high - low + 2 * _REACH, np.float64)
        at = have_low - (low - _REACH)
        around[at : at + have_high - have_low] = self.pcm.read(have_low, have_high)
        between = np.convolve(around, _half_band(), mode="valid")[1 : high - low + 1]
        twice = np.empty((high - low, 2), np.int16)
        twice[:, 0] = around[_REACH : _REACH + high - low]
        twice[:, 1] = np.clip(np.rint(between), -32768, 32767)
        return twice.ravel()[first - 2 * low : last - 2 * low]


def pieces(left: Side, right: Side, rate: int) -> Iterator[tuple[Samples, Samples]]:
    """Yield both sides, equally long, until the longer one ends."""
    total = max(left.end, right.end)
    step = rate // BUCKETS_A_SECOND * PIECE_BUCKETS
    for first in range(0, total, step):
        last = min(first + step, total)
        yield left.read(first, last), right.read(first, last)


def halves(stereo: Pcm) -> Iterator[tuple[Samples, Samples]]:
    """Yield both sides of a file that is stereo already, in the same pieces."""
    step = stereo.rate // BUCKETS_A_SECOND * PIECE_BUCKETS
    for first in range(0, stereo.frames, step):
        both = stereo.read(first, min(first + step, stereo.frames)).reshape(-1, 2)
        yield np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])


def _half_band() -> NDArray[np.float64]:
    """Return the filter for the frames half way between two samples: 32 taps, sum 1."""
    places = np.arange(2 * _REACH) - _REACH + 0.5
    taps = np.sinc(places) * np.kaiser(2 * _REACH, 6.0)
    return np.asarray(taps / taps.sum(), np.float64)
