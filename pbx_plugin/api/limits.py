"""Token buckets in memory: who asks too much waits. A restart fills them all."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

MOST_KEPT = 10_000
"""Names remembered at a time; beyond that, those whose bucket is full again are forgotten."""


class Buckets:
    """A bucket a name: ``burst`` at once, ``rate`` a second in the long run. Safe to share between threads."""

    def __init__(self, rate: float, burst: int, ticks: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._ticks = ticks
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, cost: float = 1.0) -> int:
        """Take from a bucket and return 0, or leave it and return the whole seconds to wait."""
        with self._lock:
            left = self._now(name)
            if left >= cost:
                self._left[name] = left - cost, self._ticks()
                return 0
            return max(1, math.ceil((min(cost, self._burst) - left) / self._rate))

    def charge(self, name: str, cost: float) -> None:
        """Take from a bucket as much as there is, for what has been done already."""
        with self._lock:
            self._left[name] = max(0.0, self._now(name) - cost), self._ticks()

    def _now(self, name: str) -> float:
        left, at = self._left.get(name, (self._burst, 0.0))
        if name not in self._left and len(self._left) >= MOST_KEPT:
            self._forget()
        return min(self._burst, left + (self._ticks() - at) * self._rate)

    def _forget(self) -> None:
        now = self._ticks()
        self._left = {
            name: (left, at) for name, (left, at) in self._left.items() if left + (now - at) * self._rate < self._burst
        }
        if len(self._left) >= MOST_KEPT:
            # Everybody asks at once: the oldest half starts anew rather than that memory grows.
            keep = sorted(self._left.items(), key=lambda item: item[1][1])[MOST_KEPT // 2 :]
            self._left = dict(keep)
