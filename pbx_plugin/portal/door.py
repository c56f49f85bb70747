"""Who asks: the account whose session the browser shows, or the way to sign in."""

from __future__ import annotations

from typing import Annotated, TypeAlias
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request

from pbx_plugin.domain.access import Action, Viewer, may
from pbx_plugin.domain.signing import Stage
from pbx_plugin.portal.cookies import SESSION, Cookies
from pbx_plugin.portal.middleware import address_of
from pbx_plugin.portal.problems import ElsewhereError, PageError
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.signing_in import Standing, Visitor

SIGN_IN = "/sign-in"
STAGES = {
    Stage.SECOND_FACTOR: "/sign-in/code",
    Stage.PASSWORD: "/sign-in/password",
    Stage.SET_UP_FACTOR: "/sign-in/second-factor",
    Stage.TERMS: "/sign-in/terms",
    Stage.OPEN: "/",
}
"""Where a session goes on from each stage."""
LONGEST_AGENT = 200


def standing_of(request: Request) -> Standing | None:
    """Return how far this browser's session has come, None where there is none. Asked once a request."""
    if not hasattr(request.state, "standing"):
        cookies: Cookies = request.app.state.cookies
        site: PortalSite = request.app.state.site
        token = cookies.get(request, SESSION)
        standing = site.signing.standing(token, visitor(request)) if token else None
        request.state.standing = standing
        if standing is not None:
            request.state.viewer = standing.viewer if standing.stage is Stage.OPEN else None
            request.state.account = standing.account.email
    found: Standing | None = request.state.standing
    return found


def visitor(request: Request) -> Visitor:
    """Return who knocks."""
    site: PortalSite = request.app.state.site
    return Visitor(address_of(request.scope), site.now(), request.headers.get("user-agent", "")[:LONGEST_AGENT])


def signed_in(request: Request) -> Viewer:
    """Return who is signed in; whoever is not is led to the sign-in page and back. A dependency of screens.

    Raises ElsewhereError, and PageError 401 to scripts and players in a page, which cannot be led anywhere.
    """
    standing = standing_of(request)
    if standing is not None and standing.stage is Stage.OPEN:
        return standing.viewer
    way = way_in(request, SIGN_IN if standing is None else STAGES[standing.stage])
    if request.headers.get("sec-fetch-mode", "navigate") != "navigate" and not request.headers.get("hx-request"):
        raise PageError(401)
    raise way


Signed: TypeAlias = Annotated[Viewer, Depends(signed_in)]
"""How a screen says that it is for people who are signed in: ``def shown(request: Request, viewer: Signed)``."""


class Needs:
    """A dependency: the viewer, if they may do this at all. Others get the page of errors/403."""

    def __init__(self, action: Action) -> None:
        self.action = action

    def __call__(self, viewer: Signed) -> Viewer:
        """Return who is signed in. Raises PageError 403."""
        if not may(viewer, self.action):
            raise PageError(403, "role")
        return viewer


def way_in(request: Request, page: str = SIGN_IN) -> ElsewhereError:
    """Return the way to a page on the way in, and from there back to what was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = request.method in ("GET", "HEAD") and asked != "/" and not request.headers.get("hx-request")
    return ElsewhereError(f"{page}?next={quote(local(asked), safe='')}" if back else page)


def local(path: str) -> str:
    """Return the path if it leads to a page of the portal itself, else the first page."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return "/"
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    return path if not parts.scheme and not parts.netloc else "/"
