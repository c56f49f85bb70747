"""Setting up the second factor, because one wants it or because the company asks for it."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import segno
from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from pbx_plugin.domain.signing import Stage
from pbx_plugin.portal.door import local, visitor
from pbx_plugin.portal.entering import at_stage, form_again, give_session, session_token, signing, way_on
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.problems import ElsewhereError
from pbx_plugin.services.signing_in import FactorOffer, NotSignedInError

router = APIRouter()

Text = Annotated[str, Form()]
PLACE = "/sign-in/second-factor"
_OFFER = re.compile(r"otpauth://totp/[!-~]{1,400}")
_SECRET = re.compile(r"[A-Z2-7]{16,128}")


@router.get(PLACE)
def begin(request: Request, next: str = "/") -> Response:
    """Say what it is and what one needs for it."""
    standing = at_stage(request, Stage.SET_UP_FACTOR, Stage.OPEN)
    return page(request, "second_factor.html", forced=standing.stage is Stage.SET_UP_FACTOR, next=local(next))


@router.post(PLACE)
def offer(request: Request, next: Text = "/") -> Response:
    """Show a new secret, as picture and in letters."""
    at_stage(request, Stage.SET_UP_FACTOR, Stage.OPEN)
    try:
        made = signing(request).offer_factor(session_token(request), visitor(request))
    except NotSignedInError as error:
        raise ElsewhereError(PLACE) from error
    return page(request, "second_factor_offer.html", **_shown(made), next=local(next), problem="", flaws=())


@router.post(f"{PLACE}/confirm")
def confirm(request: Request, code: Text = "", uri: Text = "", next: Text = "/") -> Response:
    """Let it count once a code of it was given; then show the recovery codes, this once.

    ``uri`` is the offer as the form had it, only to show it again when the code is wrong.
    """
    at_stage(request, Stage.SET_UP_FACTOR, Stage.OPEN)
    again = _again(uri)
    if again is None:
        return go(request, PLACE)
    wrong = tongue_of(request).gettext(
        "This code is not right. Is the clock of your phone right? Wait for the next code and enter that."
    )

    def work() -> Response:
        made = signing(request).set_factor(session_token(request), visitor(request), code.strip())
        request.state.standing = made.grant.standing
        # Its forms belong to the session as it is from now on.
        request.state.session = made.grant.token
        way = way_on(made.grant.standing, next)
        answer = page(request, "recovery_codes.html", codes=made.recovery_codes, way=way)
        give_session(request, answer, made.grant)
        return answer

    return form_again(request, "second_factor_offer.html", work, wrong, **_shown(again), next=local(next))


def _again(uri: str) -> FactorOffer | None:
    """Return the offer that a form brought back, None where it is none."""
    if not _OFFER.fullmatch(uri):
        return None
    secret = parse_qs(urlsplit(uri).query).get("secret", [""])[0]
    return FactorOffer(secret, uri) if _SECRET.fullmatch(secret) else None


def _shown(made: FactorOffer) -> dict[str, Any]:
    picture = segno.make(made.uri, error="m").svg_data_uri(scale=4, border=2, dark="#000", light="#fff")
    letters = " ".join(made.secret[place : place + 4] for place in range(0, len(made.secret), 4))
    return {"picture": picture, "letters": letters, "uri": made.uri}
