"""Where a page of found recordings ended, as a short text for addresses: the next page begins behind it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from pbx_plugin.services.searching import Search, SearchError, Sort

LONGEST = 600


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: what it is sorted by besides time (None for time itself), its time and id.

    ``shown`` is how many rows were listed up to it, so that a list's limit holds over all its pages.
    """

    sort: Sort
    key: str | int | None
    at: datetime
    id: str
    shown: int


def tell(cursor: Cursor) -> str:
    """Return the cursor as text of letters, digits, ``-`` and ``_``."""
    data = [cursor.sort.value, cursor.key, cursor.at.astimezone(UTC).isoformat(), cursor.id, cursor.shown]
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


def read(text: str, search: Search) -> Cursor:
    """Return the cursor that :func:`tell` wrote. Raises SearchError for any other text, and for another order's."""
    try:
        if len(text) > LONGEST:
            raise ValueError
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        sort, key, at, row_id, shown = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(at)
        right = (
            isinstance(row_id, str)
            and type(shown) is int
            and shown >= 0
            and moment.tzinfo is not None
            and type(key) is {"length": int, "date": type(None)}.get(search.sort.by, str)
            and Sort(sort) is search.sort
            and not (isinstance(key, int) and abs(key) >= 2**63)
        )
        if not right:
            raise ValueError
        return Cursor(search.sort, key, moment, row_id, shown)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise SearchError({"after": "this page cannot be gone on from: begin at the first one again"}) from None
