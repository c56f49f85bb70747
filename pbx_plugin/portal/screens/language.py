"""The switch between languages."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pbx_plugin.portal.cookies import LANGUAGE, YEAR, Cookies
from pbx_plugin.portal.door import local, visitor
from pbx_plugin.portal.entering import session_token, signing
from pbx_plugin.portal.pages import go
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.words import LANGUAGES
from pbx_plugin.services.signing_in import NotSignedInError

router = APIRouter()


@router.post("/language")
def change_language(request: Request, language: Annotated[str, Form()]) -> Response:
    """Speak another language from now on, here and wherever else this account is used, and show the page again."""
    if language not in LANGUAGES:
        raise PageError(422)
    token = session_token(request)
    answer = go(request, back(request))
    if token:
        try:
            signing(request).choose_language(token, visitor(request), language)
        except NotSignedInError:
            # On the way in, a code is still asked for: then it is this browser's choice, not yet the account's.
            request.state.standing = None
    cookies: Cookies = request.app.state.cookies
    cookies.set(answer, LANGUAGE, language, seconds=YEAR)
    return answer


def back(request: Request) -> str:
    """Return the portal's page on which the form stood."""
    parts = urlsplit(request.headers.get("referer", ""))
    if parts.netloc != request.headers.get("host"):
        return "/"
    return local(parts.path + (f"?{parts.query}" if parts.query else ""))
