"""What every request passes through: an id, the limits, a line in the log. Plain ASGI, for the speed of it."""

from __future__ import annotations

import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pbx_plugin.api.limits import Buckets
from pbx_plugin.api.problems import ProblemResponse

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _TooLargeError(Exception):
    """The body grew beyond the limit while it was read: whoever reads it gets no more, and what they answer is lost."""


class Gate:
    """The outermost part of the application."""

    def __init__(self, app: ASGIApp, addresses: Buckets, largest_body: int) -> None:
        self._app = app
        self._addresses = addresses
        self._largest = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid4())
        status, begun, answered = 500, perf_counter(), False

        async def sending(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                answer = MutableHeaders(scope=message)
                answer[REQUEST_ID] = request_id
                answer.setdefault("Cache-Control", "no-store")
                answer.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._pass(scope, headers, receive, sending)
            except Exception:
                log.exception("a request failed", method=scope["method"], path=scope["path"])
                if not answered:
                    detail = "something went wrong that should not: the log knows it by its id"
                    await ProblemResponse(500, detail)(scope, receive, sending)
            finally:
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round((perf_counter() - begun) * 1000, 1),
                    address=address_of(scope),
                    token=scope.get("state", {}).get("token", ""),
                )

    async def _pass(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        wait = self._addresses.take(address_of(scope))
        if wait:
            detail = f"too many requests from your address: wait {wait} s"
            await ProblemResponse(429, detail, {"Retry-After": str(wait)})(scope, receive, send)
            return
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._largest:
            await self._too_large()(scope, receive, send)
            return
        seen, begun = 0, False

        async def receiving() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                raise _TooLargeError
            return message

        async def sending(message: Message) -> None:
            nonlocal begun
            if seen <= self._largest or begun:
                begun = True
                await send(message)

        try:
            await self._app(scope, receiving, sending)
        except _TooLargeError:
            log.info("a body was too large", path=scope["path"])
        if seen > self._largest and not begun:
            await self._too_large()(scope, receive, send)

    def _too_large(self) -> ProblemResponse:
        return ProblemResponse(413, f"the body is larger than {self._largest} bytes: send less at a time")


def address_of(scope: Scope) -> str:
    """Return the address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""
