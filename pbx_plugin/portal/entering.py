"""What the pages before the first one share: the way on from each stage, the session's cookie, telling failures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from pbx_plugin.domain.signing import Stage
from pbx_plugin.portal.cookies import SESSION, Cookies
from pbx_plugin.portal.door import SIGN_IN, STAGES, local, standing_of
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.problems import ElsewhereError
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.signing_in import (
    FlawedPasswordError,
    Grant,
    NotSignedInError,
    SigningIn,
    Standing,
    TooManyError,
    WrongError,
)


def signing(request: Request) -> SigningIn:
    """Return the steps of signing in."""
    site: PortalSite = request.app.state.site
    return site.signing


def session_token(request: Request) -> str:
    """Return the secret that the browser shows."""
    cookies: Cookies = request.app.state.cookies
    return cookies.get(request, SESSION)


def at_stage(request: Request, *stages: Stage) -> Standing:
    """Return the session's standing if it waits for one of these; else lead to where it goes on (ElsewhereError)."""
    standing = standing_of(request)
    if standing is None:
        raise ElsewhereError(SIGN_IN)
    if standing.stage not in stages:
        raise ElsewhereError(STAGES[standing.stage])
    return standing


def way_on(standing: Standing, wanted: str) -> str:
    """Return where a session goes on: what was wanted, or the next thing that it waits for."""
    wanted = local(wanted)
    if standing.stage is Stage.OPEN:
        return wanted
    return STAGES[standing.stage] + (f"?next={quote(wanted, safe='')}" if wanted != "/" else "")


def let_in(request: Request, grant: Grant, wanted: str = "/", *, said: str = "") -> Response:
    """Send on with the session's new cookie."""
    answer = go(request, way_on(grant.standing, wanted), said=said)
    give_session(request, answer, grant)
    return answer


def give_session(request: Request, answer: Response, grant: Grant) -> None:
    """Set the session's new cookie: for as long as it lasts where the person stays signed in."""
    cookies: Cookies = request.app.state.cookies
    site: PortalSite = request.app.state.site
    seconds = None if grant.until is None else max(0, int((grant.until - site.now()).total_seconds()))
    cookies.set(answer, SESSION, grant.token, seconds=seconds)


def form_again(request: Request, name: str, work: Callable[[], Response], wrong: str = "", **values: Any) -> Response:
    """Do the work of a form, or show the form again with what was wrong with it.

    ``wrong`` is what a WrongError means here. Of what was entered only ``values`` come back: never a password.
    """
    tongue = tongue_of(request)
    try:
        return work()
    except WrongError:
        return page(request, name, status=422, **{**values, "problem": wrong, "flaws": ()})
    except FlawedPasswordError as error:
        problem = tongue.gettext("This password is not taken:")
        return page(request, name, status=422, **{**values, "problem": problem, "flaws": error.flaws})
    except TooManyError as error:
        problem = too_many(request, error)
        headers = {"Retry-After": str(error.seconds)}
        return page(request, name, status=429, headers=headers, **{**values, "problem": problem, "flaws": ()})
    except NotSignedInError:
        return go(request, SIGN_IN)


def too_many(request: Request, error: TooManyError) -> str:
    """Return how long to wait, in words."""
    minutes = max(1, math.ceil(error.seconds / 60))
    return tongue_of(request).ngettext(
        "Too many tries from your network. Wait %(num)s minute, then try again.",
        "Too many tries from your network. Wait %(num)s minutes, then try again.",
        minutes,
    )
