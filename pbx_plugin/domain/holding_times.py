"""How long of a recording somebody was on hold, from the steps of its call's time line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

BEGINS, ENDS = "hold", ("unhold", "left")
"""A leg that leaves its bridge leaves its hold behind: nothing else says so."""


def held_ms(steps: Iterable[tuple[datetime, str, str]], began: datetime, ended: datetime) -> int:
    """Return the milliseconds between ``began`` and ``ended`` in which any leg was on hold; two at once count once.

    ``steps`` are moment, leg and what happened, in the order of time. A hold that nothing ends lasts to the end.
    """
    since: dict[str, datetime] = {}
    spans: list[tuple[datetime, datetime]] = []
    for at, leg, what in steps:
        if what == BEGINS:
            since.setdefault(leg, at)
        elif what in ENDS and leg in since:
            spans.append((since.pop(leg), at))
    spans += [(at, ended) for at in since.values()]
    total, reached = 0.0, began
    for first, last in sorted(spans):
        start, end = max(first, reached), min(last, ended)
        if end > start:
            total += (end - start).total_seconds()
            reached = end
    return round(total * 1000)
