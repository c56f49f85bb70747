"""Signing in and out: name and password, a code of the second factor, a forgotten password."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pbx_plugin.domain.signing import Stage
from pbx_plugin.portal.cookies import SESSION, Cookies
from pbx_plugin.portal.door import SIGN_IN, local, standing_of, visitor
from pbx_plugin.portal.entering import at_stage, form_again, let_in, session_token, signing, way_on
from pbx_plugin.portal.pages import go, page, tongue_of

router = APIRouter()

Text = Annotated[str, Form()]


@router.get(SIGN_IN)
def sign_in_form(request: Request, next: str = "/", email: str = "", company: str = "") -> Response:
    """Ask who it is; whoever is signed in already is led on."""
    standing = standing_of(request)
    if standing is not None:
        return go(request, way_on(standing, next))
    return page(request, "sign_in.html", **_sign_in_values(request, next, email, company), problem="", flaws=())


@router.post(SIGN_IN)
def sign_in(
    request: Request,
    email: Text = "",
    password: Text = "",
    company: Text = "",
    keep: Text = "",
    next: Text = "/",
) -> Response:
    """Begin a session. A session that the browser had before is ended: nobody is put into another's."""
    wrong = tongue_of(request).gettext(
        "This is not right, or there were too many tries. Look over what you entered, wait a little, or set a new "
        "password."
    )

    def work() -> Response:
        who = visitor(request)
        grant = signing(request).sign_in(
            who, company=company.strip(), email=email.strip(), password=password, keep=bool(keep)
        )
        if session_token(request):
            signing(request).sign_out(session_token(request), who)
        return let_in(request, grant, next)

    values = _sign_in_values(request, next, email, company)
    return form_again(request, "sign_in.html", work, wrong, **values)


@router.get("/sign-in/code")
def code_form(request: Request, next: str = "/") -> Response:
    """Ask for a code of the second factor."""
    at_stage(request, Stage.SECOND_FACTOR)
    return page(request, "sign_in_code.html", next=local(next), problem="", flaws=())


@router.post("/sign-in/code")
def give_code(request: Request, code: Text = "", next: Text = "/") -> Response:
    """Take the code."""
    at_stage(request, Stage.SECOND_FACTOR)
    wrong = tongue_of(request).gettext(
        "This code is not right, was used already, or there were too many tries. Wait for the next one."
    )

    def work() -> Response:
        return let_in(request, signing(request).give_code(session_token(request), visitor(request), code.strip()), next)

    return form_again(request, "sign_in_code.html", work, wrong, next=local(next))


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session."""
    cookies: Cookies = request.app.state.cookies
    said = tongue_of(request).gettext("You are signed out.")
    if session_token(request):
        signing(request).sign_out(session_token(request), visitor(request))
    answer = go(request, SIGN_IN, said=said)
    cookies.drop(answer, SESSION)
    return answer


@router.get("/forgotten")
def forgotten_form(request: Request, email: str = "", company: str = "") -> Response:
    """Ask for whom a link is to be mailed."""
    return page(
        request, "forgotten.html", asks_company=signing(request).asks_company(), email=email, company=company,
        sent=False, problem="", flaws=(),
    )  # fmt: skip


@router.post("/forgotten")
def forgotten(request: Request, email: Text = "", company: Text = "") -> Response:
    """Mail a link where there is such an account; the answer is the same where there is none."""
    values: dict[str, Any] = {
        "asks_company": signing(request).asks_company(),
        "email": email.strip(),
        "company": company.strip(),
    }

    def work() -> Response:
        signing(request).ask_reset(visitor(request), company=company.strip(), email=email.strip())
        return page(request, "forgotten.html", **values, sent=True, problem="", flaws=())

    return form_again(request, "forgotten.html", work, **values, sent=False)


def _sign_in_values(request: Request, wanted: str, email: str, company: str) -> dict[str, Any]:
    return {
        "asks_company": signing(request).asks_company(),
        "next": local(wanted),
        "email": email.strip(),
        "company": company.strip(),
    }
