"""What may be asked between signing in and the first page: a new password, the terms of use."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pbx_plugin.domain.signing import Stage
from pbx_plugin.portal.door import local, visitor
from pbx_plugin.portal.entering import at_stage, form_again, let_in, session_token, signing, way_on
from pbx_plugin.portal.pages import go, page, tongue_of

router = APIRouter()

Text = Annotated[str, Form()]


@router.get("/sign-in/password")
def password_form(request: Request, next: str = "/") -> Response:
    """Ask for a new password: the first one was given by somebody, or the old one has run out."""
    standing = at_stage(request, Stage.PASSWORD)
    return page(
        request, "change_password.html", rules=standing.rules, next=local(next), forced=True, problem="", flaws=()
    )


@router.post("/sign-in/password")
def change_password(
    request: Request,
    old: Text = "",
    new: Text = "",
    again: Text = "",
    next: Text = "/",
) -> Response:
    """Set the new password."""
    standing = at_stage(request, Stage.PASSWORD)
    words = tongue_of(request)
    values: dict[str, Any] = {"rules": standing.rules, "next": local(next), "forced": True}
    if new != again:
        problem = words.gettext("The two new passwords are not the same.")
        return page(request, "change_password.html", status=422, **values, problem=problem, flaws=())

    def work() -> Response:
        grant = signing(request).change_password(session_token(request), visitor(request), old=old, new=new)
        return let_in(request, grant, next, said=words.gettext("Your password is changed."))

    return form_again(request, "change_password.html", work, words.gettext("The old password is not right."), **values)


@router.get("/sign-in/terms")
def terms_form(request: Request, next: str = "/") -> Response:
    """Show the terms of use that are to be accepted."""
    standing = at_stage(request, Stage.TERMS)
    return page(request, "terms.html", terms=standing.terms, next=local(next), problem="", flaws=())


@router.post("/sign-in/terms")
def accept_terms(request: Request, version: Annotated[int, Form()], next: Text = "/") -> Response:
    """Keep that they were accepted; a text that has changed meanwhile is shown again."""
    standing = at_stage(request, Stage.TERMS)
    wrong = tongue_of(request).gettext("The terms have changed while you read them. Please read them again.")

    def work() -> Response:
        return go(
            request, way_on(signing(request).accept_terms(session_token(request), visitor(request), version), next)
        )

    return form_again(request, "terms.html", work, wrong, terms=standing.terms, next=local(next))
