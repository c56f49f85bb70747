"""HTTP ranges of bytes (RFC 9110, section 14): which part of a file is asked for."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=[ \t]*([0-9]{1,18})?-([0-9]{1,18})?[ \t]*", re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The part that is asked for lies behind the end of the file."""


def part_of(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last, None for the whole file.

    Several ranges, other units and what is no range at all are asking for the whole, which the RFC allows. Raises
    UnsatisfiableError.
    """
    found = _ONE.fullmatch(header) if header else None
    if found is None or found[1] is found[2] is None:
        return None
    if found[1] is None:
        length = int(found[2])
        if length == 0 or size == 0:
            raise UnsatisfiableError
        return max(size - length, 0), size
    first = int(found[1])
    end = int(found[2]) + 1 if found[2] is not None else size
    if found[2] is not None and end <= first:
        return None
    if first >= size:
        raise UnsatisfiableError
    return first, min(end, size)
