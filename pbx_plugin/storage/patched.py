"""A side's sound with silence where Asterisk threw sound away, so that what follows is where it belongs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pbx_plugin.domain.pacing import Hole
from pbx_plugin.storage.wav import Pcm, Samples


@dataclass(frozen=True, slots=True)
class Patched(Pcm):
    """A mono file that reads as if it had its holes. ``frames`` counts them, as do the places given to ``read``.

    ``holes`` are pairs in the order of the file: how many frames of the file are before it, how many it has.
    """

    holes: tuple[tuple[int, int], ...] = ()

    def read(self, first: int, last: int) -> Samples:
        """Return frames ``first`` to before ``last``. Raises OSError as ``Pcm.read``."""
        parts: list[Samples] = []
        shift = 0
        for place, length in (*self.holes, (self.frames, 0)):
            begin, end = place + shift, place + shift + length
            if first < min(begin, last):
                # Not super(): a dataclass with slots is another class than the one that this was written in.
                parts.append(Pcm.read(self, first - shift, min(begin, last) - shift))
                first = min(begin, last)
            if first < min(end, last):
                parts.append(np.zeros(min(end, last) - first, np.int16))
                first = min(end, last)
            shift += length
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int16), *parts])


def patched(pcm: Pcm, holes: tuple[Hole, ...]) -> Pcm:
    """Return the sound with these holes; the sound itself where there are none. One behind its end is left out."""
    places = ((hole.at_ms * pcm.rate // 1000, hole.ms * pcm.rate // 1000) for hole in holes)
    inside = tuple((place, length) for place, length in places if place < pcm.frames)
    if not inside:
        return pcm
    frames = pcm.frames + sum(length for _, length in inside)
    return Patched(pcm.fd, pcm.rate, pcm.channels, pcm.offset, frames, pcm.claimed, pcm.modified_at, inside)
