"""Whoever guesses addresses that are secrets soon has to wait; counted in memory, by network."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

FREE = 30
"""Misses that a network has; whoever opens a dead link a few times never notices."""
WINDOW = timedelta(minutes=10)
MOST_KEPT = 10_000


class Guesses:
    """Counts misses. One an application; safe to share between threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._missed: dict[str, tuple[int, datetime]] = {}

    def wait(self, address: str) -> int:
        """Return how many seconds a visitor has to wait; 0: go on."""
        with self._lock:
            count, since = self._missed.get(_network(address), (0, self._now()))
            left = since + WINDOW - self._now()
        return max(1, round(left.total_seconds())) if count >= FREE and left > timedelta(0) else 0

    def missed(self, address: str) -> None:
        """Count a miss."""
        now, network = self._now(), _network(address)
        with self._lock:
            count, since = self._missed.get(network, (0, now))
            if now >= since + WINDOW:
                count, since = 0, now
            self._missed[network] = (count + 1, since)
            if len(self._missed) > MOST_KEPT:
                self._missed = {key: seen for key, seen in self._missed.items() if now < seen[1] + WINDOW}
            if len(self._missed) > MOST_KEPT:
                # Everybody guesses at once: better that some begin anew than that memory grows.
                self._missed = dict(list(self._missed.items())[MOST_KEPT // 2 :])


def _network(address: str) -> str:
    with suppress(ValueError):
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(parsed, ipaddress.IPv6Address):
            mapped = parsed.ipv4_mapped
            return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
