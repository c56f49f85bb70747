"""What every request passes through: known host, own origin, size, headers that browsers keep us safe by, a log line.

Plain ASGI, for the speed of it.
"""

from __future__ import annotations

import re
import secrets
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pbx_plugin.portal.csrf import from_ourselves
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.account_mails import LINK_PATH
from pbx_plugin.services.sharing import PATH as SHARED_PATH

log = structlog.get_logger(__name__)

REQUEST_ID = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PORT = re.compile(r":[0-9]{1,5}$")

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing from elsewhere, no script or style in the page but with this answer's nonce."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: forms would then come with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
TWO_YEARS = "max-age=63072000"


class _TooLargeError(Exception):
    """The body grew beyond the limit while it was read."""


class Gate:
    """The outermost part of the application."""

    def __init__(self, app: ASGIApp, site: PortalSite) -> None:
        self._app = app
        self._site = site
        self._largest = site.settings.portal.largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid4())
        nonce = secrets.token_urlsafe(18)
        scope["state"] = {**scope.get("state", {}), "nonce": nonce, "visit": secrets.token_urlsafe(24)}
        status, begun, answered = 500, perf_counter(), False

        async def sending(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                self._dress(MutableHeaders(scope=message), nonce, request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._pass(scope, headers, receive, sending)
            except Exception:
                log.exception("a request failed", method=scope["method"], path=scope["path"])
                if not answered:
                    await PlainTextResponse("Something went wrong that should not.", 500)(scope, receive, sending)
            finally:
                log.info(
                    "request",
                    method=scope["method"],
                    path=shown_path(scope),
                    status=status,
                    ms=round((perf_counter() - begun) * 1000, 1),
                    address=address_of(scope),
                    account=scope["state"].get("account", ""),
                )

    def _dress(self, answer: MutableHeaders, nonce: str, request_id: str) -> None:
        answer[REQUEST_ID] = request_id
        for name, value in HEADERS.items():
            answer.setdefault(name, value)
        answer.setdefault("Content-Security-Policy", POLICY.format(nonce=nonce))
        answer.setdefault("Cache-Control", "no-store")
        if self._site.secure:
            answer["Strict-Transport-Security"] = TWO_YEARS

    async def _pass(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        if _PORT.sub("", headers.get("host", "").lower()) not in self._site.hosts:
            words = "This name is not known here. If people are to come by it, set portal.public_url.\n"
            await PlainTextResponse(words, 421)(scope, receive, send)
            return
        if not from_ourselves(scope["method"], headers, self._site.url):
            words = "This came from a page that is not the portal's own. Open the portal and try again.\n"
            await PlainTextResponse(words, 403)(scope, receive, send)
            return
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._largest:
            await self._too_large()(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
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

    def _too_large(self) -> PlainTextResponse:
        return PlainTextResponse(f"That is larger than {self._largest} bytes: send less at a time.\n", 413)


def address_of(scope: Scope) -> str:
    """Return the address that a request came from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


SECRET_PATHS = (LINK_PATH, SHARED_PATH)
"""Beginnings of addresses whose rest opens something: the log does not have it."""


def shown_path(scope: Scope) -> str:
    """Return the path as the log may have it."""
    path: str = scope["path"]
    for secret in SECRET_PATHS:
        if path.startswith(secret):
            return f"{secret}…"
    return path
