"""The picture of a recording: lowest and highest sample of each twentieth of a second, for both sides.

The file is JSON in the shape of BBC audiowaveform, version 2, which players know: ``data`` holds, bucket after bucket,
``left min, left max, right min, right max``, each -128 to 127; ``length`` counts the buckets and ``samples_per_pixel``
the frames of one. wavesurfer.js takes an array for each channel, scaled to 1:
``data.filter((_, i) => (i >> 1) % 2 === channel).map(v => v / 128)``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pbx_plugin.storage.wav import Samples

BUCKETS_A_SECOND = 20
"""Fine enough to see a word, small enough to send: 80 bytes a second before compression."""

SILENT_BELOW = 33
"""Largest sample of a silent side is less than this: -60 dBFS of 32768.

A line without a talker is not zero: A-law idles at ±8 (-72 dBFS), µ-law and comfort noise reach ±24 (-63 dBFS).
Speech, even whispered, peaks above -45 dBFS.
"""


@dataclass(slots=True)
class Peaks:
    """Gathers the picture while the sound goes by; ``frames`` counts what went by."""

    rate: int
    frames: int = 0
    _blocks: list[NDArray[np.int8]] = field(default_factory=list)
    _loudest: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def bucket(self) -> int:
        """Frames of one bucket."""
        return self.rate // BUCKETS_A_SECOND

    def feed(self, left: Samples, right: Samples) -> None:
        """Take the next sound of both sides, equally long and, except for the last, in whole buckets."""
        self.frames += len(left)
        columns = []
        for side, samples in enumerate((left, right)):
            missing = -len(samples) % self.bucket
            whole = np.pad(samples, (0, missing), mode="edge") if missing else samples
            rows = whole.reshape(-1, self.bucket)
            low, high = rows.min(axis=1).astype(np.int32), rows.max(axis=1).astype(np.int32)
            if len(rows):
                self._loudest[side] = max(self._loudest[side], -int(low.min()), int(high.max()))
            columns += [_eight_bits(low), _eight_bits(high)]
        self._blocks.append(np.stack(columns, axis=1))

    def silent(self) -> tuple[bool, bool]:
        """Tell for left and right whether nothing but line noise was heard throughout."""
        return self._loudest[0] < SILENT_BELOW, self._loudest[1] < SILENT_BELOW

    def as_json(self, recording: Mapping[str, object]) -> bytes:
        """Return the file's content; ``recording`` is kept with it under that name and is ignored by players."""
        data = np.concatenate(self._blocks) if self._blocks else np.empty((0, 4), np.int8)
        picture = {
            "version": 2,
            "channels": 2,
            "sample_rate": self.rate,
            "samples_per_pixel": self.bucket,
            "bits": 8,
            "length": len(data),
            "recording": dict(recording),
            "data": data.ravel().tolist(),
        }
        return json.dumps(picture, separators=(",", ":")).encode()


def _eight_bits(values: NDArray[np.int32]) -> NDArray[np.int8]:
    rounded: NDArray[np.int32] = np.minimum((values + 128) >> 8, 127)
    return rounded.astype(np.int8)
