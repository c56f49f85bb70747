"""Values that requests bring, checked for what no database or file could hold, and pages of lists."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from pbx_plugin.api.problems import ProblemError
from pbx_plugin.db.paging import Key, Span
from pbx_plugin.services.directory import RefusedError

LONGEST_PAGE = 500

T = TypeVar("T")


def sound(text: str) -> str:
    """Return the text if it can be kept. Raises ValueError, which makes a 422 of the request."""
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("this is not valid text: no zero characters, no halves of surrogate pairs")
    return text


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this time is before year 1 or after year 9999") from error


Word = Annotated[str, Field(max_length=500), AfterValidator(sound)]
"""Text of moderate length."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone, as ``2026-11-22T12:00:00Z``."""

Name = Annotated[str, Path(max_length=200), AfterValidator(sound)]
"""What stands for one thing in a path."""

DryRun = Annotated[bool, Query(description="Check everything and show the result, but change nothing.")]
Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE, description="Rows on a page, at most.")]
Cursor = Annotated[
    str, Query(max_length=500, description="The `next` of the page before: goes on behind it."), AfterValidator(sound)
]
Since = Annotated[Moment | None, Query(description="Only from this time on.")]
Until = Annotated[Moment | None, Query(description="Only before this time.")]


class Body(BaseModel):
    """What a request brings: unknown fields are refused, so that a misspelt one is not overlooked."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """What a response brings."""

    model_config = ConfigDict(from_attributes=True)


class Page(Shown, Generic[T]):
    """A part of a list, newest first."""

    items: list[T]
    next: str | None = Field(None, description="Cursor of the following page; null on the last one.")


def span(limit: int, since: datetime | None, until: datetime | None, cursor: str) -> Span:
    """Return which rows are asked for. Raises ProblemError 422 for a cursor that is none of ours."""
    return Span(limit + 1, since, until, _key(cursor) if cursor else None)


def page_of(found: list[T], limit: int, key: Any) -> dict[str, Any]:
    """Return the page of rows that were read one more than asked for; ``key(row)`` is its time and id."""
    rest = found[limit:]
    return {"items": found[:limit], "next": _cursor(key(found[limit - 1])) if rest else None}


def found(deed: Any, *given: Any) -> Any:
    """Return what a use case finds by a name in the path. Raises ProblemError 404 where it finds nothing."""
    try:
        return deed(*given)
    except RefusedError as error:
        raise ProblemError(404, str(error)) from error


def _cursor(key: Key) -> str:
    at, row_id = key
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), row_id]).encode()).decode().rstrip("=")


def _key(cursor: str) -> Key:
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        when = datetime.fromisoformat(at)
        return when.astimezone(UTC), sound(str(row_id))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ProblemError(422, f"query.cursor: {cursor!r} is not the 'next' of a page: begin without one") from error
