"""Forms are taken only from our own pages: by where the browser says they come from, and by a token.

The token is made of the session's secret (of a visitor's random word before signing in), so that nothing has to be
stored and signing in or out changes it. It looks different on every page: compressed pages then tell nothing of it.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers

from pbx_plugin.portal.cookies import SESSION, VISIT, Cookies
from pbx_plugin.portal.problems import PageError

FIELD = "csrf"
"""Name of the hidden field of every form."""
HEADER = "X-CSRF-Token"
"""Name of the header that htmx and our scripts send instead."""
SAFE = ("GET", "HEAD", "OPTIONS")
LENGTH = 32


def token(secret: str) -> str:
    """Return a token for forms of whoever has this cookie; each call returns another that is as good."""
    pad = secrets.token_bytes(LENGTH)
    return urlsafe_b64encode(pad + _mixed(pad, _proof(secret))).decode().rstrip("=")


def fits(given: str, secret: str) -> bool:
    """Whether a token was made for whoever has this cookie."""
    try:
        raw = urlsafe_b64decode(given.encode() + b"=" * (-len(given) % 4))
    except ValueError:
        return False
    if not secret or len(raw) != 2 * LENGTH:
        return False
    return hmac.compare_digest(_mixed(raw[:LENGTH], raw[LENGTH:]), _proof(secret))


def secret_of(request: Request, cookies: Cookies) -> str:
    """Return what this browser's forms are tied to, empty on its first visit: the session that this answer begins,
    else the one that it has."""
    given: str = getattr(request.state, "session", "")
    return given or cookies.get(request, SESSION) or cookies.get(request, VISIT)


def from_ourselves(method: str, headers: Headers, public_url: str) -> bool:
    """Whether the browser says that a request which may change something comes from our own pages.

    One that says nothing at all is no browser of the last years, and is not believed.
    """
    if method in SAFE:
        return True
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site == "same-origin"
    host = headers.get("host", "")
    public = urlsplit(public_url)
    allowed = {f"http://{host}", f"https://{host}"} if public.scheme != "https" else {f"https://{host}"}
    return bool(host) and (origin in allowed or origin == f"{public.scheme}://{public.netloc}")


async def guard(request: Request) -> None:
    """Let only requests pass that change nothing or bring a token that fits. A dependency of the whole application."""
    if request.method in SAFE:
        return
    given = request.headers.get(HEADER, "")
    if not given:
        found = (await request.form()).get(FIELD)
        given = found if isinstance(found, str) else ""
    if not fits(given, secret_of(request, request.app.state.cookies)):
        raise PageError(403, "expired form")


def _proof(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"the portal's forms", "sha256")


def _mixed(pad: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(pad, other, strict=True))
