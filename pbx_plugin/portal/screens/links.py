"""The links that are mailed: an invitation, and a new password for one that was forgotten. Each works once."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pbx_plugin.domain.signing import LinkPurpose
from pbx_plugin.portal.cookies import SESSION, Cookies
from pbx_plugin.portal.door import SIGN_IN, visitor
from pbx_plugin.portal.entering import form_again, signing, too_many
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.services.account_mails import LINK_PATH
from pbx_plugin.services.signing_in import DeadLinkError, LinkSeen, TooManyError

router = APIRouter()

Text = Annotated[str, Form()]


@router.get(LINK_PATH + "{link}")
def link_form(request: Request, link: str) -> Response:
    """Ask for the password; looking at a link does not use it up (mail programs look, too)."""
    seen = _look(request, link)
    return seen if isinstance(seen, Response) else page(request, "link.html", **_values(seen), problem="", flaws=())


@router.post(LINK_PATH + "{link}")
def use_link(request: Request, link: str, new: Text = "", again: Text = "") -> Response:
    """Set the password, and lead to signing in with it."""
    seen = _look(request, link)
    if isinstance(seen, Response):
        return seen
    words = tongue_of(request)
    if new != again:
        problem = words.gettext("The two new passwords are not the same.")
        return page(request, "link.html", status=422, **_values(seen), problem=problem, flaws=())

    def work() -> Response:
        try:
            account = signing(request).use_link(visitor(request), link, new)
        except DeadLinkError:
            return _dead(request)
        cookies: Cookies = request.app.state.cookies
        name = {"email": account.email}
        if signing(request).asks_company():
            name["company"] = seen.tenant.name
        said = words.gettext("Your password is set. Sign in with it now.")
        answer = go(request, f"{SIGN_IN}?{urlencode(name)}", said=said)
        cookies.drop(answer, SESSION)
        return answer

    return form_again(request, "link.html", work, **_values(seen))


def _look(request: Request, link: str) -> LinkSeen | Response:
    try:
        seen = signing(request).look_at_link(visitor(request), link)
    except DeadLinkError:
        return _dead(request)
    except TooManyError as error:
        headers = {"Retry-After": str(error.seconds)}
        return page(request, "link_dead.html", status=429, headers=headers, problem=too_many(request, error))
    request.state.language = seen.language
    return seen


def _dead(request: Request) -> Response:
    return page(request, "link_dead.html", status=410, problem="")


def _values(seen: LinkSeen) -> dict[str, Any]:
    return {"seen": seen, "rules": seen.rules, "invited": seen.purpose is LinkPurpose.INVITATION}
