"""Journal entries as one line of JSON each, and back. Datetimes are ISO 8601 in UTC."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from pbx_plugin.domain.entries import Entry

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


class CodecError(ValueError):
    """An entry cannot be written as JSON, or a line is no entry."""


def encode(entry: Entry) -> str:
    """Return the entry as JSON on one line, without the line's end.

    Text that is not valid Unicode (lone surrogates from a broken caller id) gets ``?`` in its place. Raises
    CodecError for a naive datetime and for facts or details that JSON cannot hold (NaN, objects).
    """
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}
    try:
        line = json.dumps(values, default=_instant, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise CodecError(f"a {entry.kind!r} entry cannot be written: {error}") from error
    return line.encode("utf-8", "replace").decode("utf-8")


def decode(line: str | bytes) -> Entry:
    """Return the entry that :func:`encode` wrote; fields of a newer version are ignored.

    Raises CodecError when the line is no entry.
    """
    try:
        return _ENTRY.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CodecError(f"not a journal entry: {where or 'line'}: {first['msg']}") from error


def _instant(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is not JSON")
    if value.tzinfo is None:
        raise ValueError(f"a time without a time zone: {value!r}")
    return value.astimezone(UTC).isoformat()
