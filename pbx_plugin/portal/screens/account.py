"""My account: password, second factor, language, and where one is signed in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from pbx_plugin.domain.access import Viewer
from pbx_plugin.portal.desks import office
from pbx_plugin.portal.devices import device
from pbx_plugin.portal.door import Signed, signed_in, standing_of, visitor
from pbx_plugin.portal.entering import give_session, session_token, signing, too_many
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.problems import ElsewhereError
from pbx_plugin.services.signing_in import FlawedPasswordError, Grant, TooManyError, WrongError

router = APIRouter()

Text = Annotated[str, Form()]
HERE = "/account"


@router.get(HERE)
def account(request: Request, viewer: Signed) -> Response:
    """Show everything on one page."""
    return _shown(request, viewer)


@router.post(f"{HERE}/password")
def change_password(request: Request, viewer: Signed, old: Text = "", new: Text = "", again: Text = "") -> Response:
    """Set a new password; every other session of the account ends."""
    words = tongue_of(request)
    if new != again:
        return _shown(
            request, viewer, 422, about="password", problem=words.gettext("The two new passwords are not the same.")
        )
    try:
        grant = signing(request).change_password(session_token(request), visitor(request), old=old, new=new)
    except WrongError:
        return _shown(request, viewer, 422, about="password", problem=words.gettext("The old password is not right."))
    except FlawedPasswordError as error:
        problem = words.gettext("This password is not taken:")
        return _shown(request, viewer, 422, about="password", problem=problem, flaws=error.flaws)
    except TooManyError as error:
        return _shown(request, viewer, 429, about="password", problem=too_many(request, error))
    said = words.gettext("Your password is changed. Wherever else you were signed in, you are signed out.")
    return _with(request, grant, said)


@router.post(f"{HERE}/second-factor/drop")
def drop_factor(request: Request, viewer: Signed, password: Text = "") -> Response:
    """Do without the second factor from now on."""
    words = tongue_of(request)
    try:
        grant = signing(request).drop_factor(session_token(request), visitor(request), password=password)
    except WrongError:
        problem = words.gettext("The password is not right, or your company asks for a second factor.")
        return _shown(request, viewer, 422, about="factor", problem=problem)
    except TooManyError as error:
        return _shown(request, viewer, 429, about="factor", problem=too_many(request, error))
    return _with(request, grant, words.gettext("The second factor is off."))


@router.post(f"{HERE}/sessions/end", dependencies=[Depends(signed_in)])
def end_sessions(request: Request, id: Annotated[list[str] | None, Form()] = None, others: Text = "") -> Response:
    """End the chosen sessions of this account, or all others than this one."""
    own = signing(request).sessions(session_token(request), visitor(request))
    theirs = {seen.session.id: seen for seen in own}
    chosen = [one for one in id or () if one in theirs]
    if others:
        chosen = [one for one, seen in theirs.items() if not seen.own]
    ended = signing(request).end_sessions(session_token(request), visitor(request), chosen)
    said = tongue_of(request).ngettext("%(num)s device is signed out.", "%(num)s devices are signed out.", ended)
    return go(request, HERE, said=said)


def _with(request: Request, grant: Grant, said: str) -> Response:
    answer = go(request, HERE, said=said)
    give_session(request, answer, grant)
    return answer


def _shown(
    request: Request, viewer: Viewer, status: int = 200, *, about: str = "", problem: str = "", flaws: Any = ()
) -> Response:
    standing = standing_of(request)
    if standing is None:
        raise ElsewhereError("/")
    with office(request, viewer) as opened:
        left = opened.store.recovery_codes_left(standing.account) if standing.account.factor_at else 0
    seen = signing(request).sessions(session_token(request), visitor(request))
    return page(
        request,
        "account.html",
        status=status,
        account=standing.account,
        tenant=standing.tenant,
        rules=standing.rules,
        codes_left=left,
        must_have_factor=standing.account.role in standing.rules.factor_roles,
        sessions=[(one, device(one.session.agent)) for one in seen],
        about=about,
        problem=problem,
        flaws=flaws,
    )
