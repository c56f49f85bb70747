"""Errors as programs get them (RFC 9457): what is wrong, with which value, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pbx_plugin.db.queries import AmbiguousError, NotFoundError
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.ports import StoreUnavailableError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request cannot be read",
    401: "No token that opens anything",
    403: "The token lacks a scope",
    404: "Not there",
    405: "No such method here",
    409: "Not possible as things are",
    413: "The body is too large",
    416: "No such part of the file",
    422: "A value cannot be used",
    429: "Too many requests",
    500: "Unexpected trouble",
    503: "Not available now",
}
LONGEST_VALUE = 200


class Fault(BaseModel):
    """One value that cannot be used."""

    where: str = Field(description="Place of the value, as body.name or query.limit.")
    value: str = Field(description="The value as it was read, shortened.")
    problem: str


class Problem(BaseModel):
    """What went wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="One sentence: what, which value, what to do.")
    errors: list[Fault] = []
    request_id: str = Field("", description="By which the log knows this request.")


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


class ProblemResponse(Response):
    """A problem as a response. Text that is not valid Unicode is escaped rather than refused."""

    media_type = MEDIA_TYPE

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Sequence[Fault] = ()
    ) -> None:
        self._problem = Problem(
            title=TITLES.get(status, "Not possible"),
            status=status,
            detail=detail.encode("utf-8", "replace").decode(),
            errors=list(errors),
            request_id=str(structlog.contextvars.get_contextvars().get("request", "")),
        )
        super().__init__(status_code=status, headers=dict(headers or {}))

    def render(self, content: object) -> bytes:
        """Return the problem as JSON."""
        del content
        return json.dumps(self._problem.model_dump()).encode()


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for problems of these statuses."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": TITLES[status], "content": {MEDIA_TYPE: schema}} for status in statuses}


def install(app: FastAPI) -> None:
    """Let everything that can go wrong end as a problem."""

    def on_problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)  # noqa: S101  (Starlette hands on what it was registered for)
        return ProblemResponse(error.status, str(error), error.headers)

    def on_refused(request: Request, error: Exception) -> Response:
        # What is refused on removal is refused because of what there is, not because of what was said.
        return ProblemResponse(409 if request.method == "DELETE" else 422, str(error))

    def on_not_found(_: Request, error: Exception) -> Response:
        return ProblemResponse(404, str(error))

    def on_away(_: Request, error: Exception) -> Response:
        log.warning("the database is away", error=str(error))
        return ProblemResponse(503, "the database does not answer now: try again", {"Retry-After": "2"})

    def on_unexpected(_: Request, error: Exception) -> Response:
        del error  # the middleware has logged it
        return ProblemResponse(500, "something went wrong that should not: the log knows this request by its id")

    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(RefusedError, on_refused)
    app.add_exception_handler(NotFoundError, on_not_found)
    app.add_exception_handler(AmbiguousError, on_not_found)
    app.add_exception_handler(StoreUnavailableError, on_away)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, on_unexpected)


def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = [_fault(found) for found in error.errors()]
    unreadable = any(found["type"] in ("json_invalid", "value_error.jsondecode") for found in error.errors())
    status = 400 if unreadable else 422
    first = faults[0]
    detail = f"{first.where}: {first.problem}, not {first.value}" if first.value else f"{first.where}: {first.problem}"
    return ProblemResponse(status, detail, errors=faults[:20])


def _fault(found: Mapping[str, Any]) -> Fault:
    where = ".".join(str(part) for part in found["loc"])
    given = "" if found["type"] in ("missing", "json_invalid") else repr(found.get("input"))[:LONGEST_VALUE]
    return Fault(where=_clean(where)[:LONGEST_VALUE], value=_clean(given), problem=str(found["msg"]))


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # Starlette names the methods of the first route alone that has this path.
        headers["Allow"] = ", ".join(sorted(_methods(request)))
        return ProblemResponse(405, f"{request.method} is not for {request.url.path}: {headers['Allow']} are", headers)
    if error.status_code == 404:
        return ProblemResponse(404, f"there is nothing at {_clean(request.url.path)[:LONGEST_VALUE]}", headers)
    return ProblemResponse(error.status_code, str(error.detail), headers)


def _methods(request: Request) -> Iterable[str]:
    found: set[str] = set()
    for route in request.app.state.every_route:
        match, _ = route.matches(request.scope)
        if match.value:
            found |= getattr(route, "methods", None) or set()
    return found


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
