"""The one place that asks what time it is. Entry points ask here; everything below them is told."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


def now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  (this is the clock)


@lru_cache(maxsize=64)
def time_zone(name: str) -> ZoneInfo | None:
    """Return a time zone by its name in the IANA database, None where this machine has none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # ValueError: a name that would lead out of the folder. OSError: a folder, or what cannot be read.
        return None
