"""Mailing a link to a recording, and the page that such a link opens: for anybody who has it, and nothing else."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, Request
from starlette.responses import Response

from pbx_plugin.clock import time_zone
from pbx_plugin.db.directory import read_directory
from pbx_plugin.domain.access import Role, Scope
from pbx_plugin.domain.call_data import facts, link_words
from pbx_plugin.portal.door import Signed
from pbx_plugin.portal.guessing import Guesses
from pbx_plugin.portal.handing import Hands, desk_of
from pbx_plugin.portal.middleware import address_of
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.portal.streams import no_referrer, open_part
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import ForbiddenError, Recorded, why_no_link
from pbx_plugin.services.listeners import TooManyListenersError
from pbx_plugin.services.sharing import (
    LONGEST_SUBJECT,
    ONE_TIME_HOLDS,
    PATH,
    Link,
    LinkWish,
    OpeningKind,
    call_data,
    digest,
    is_token,
    share,
)

router = APIRouter()

Text = Annotated[str, Form(max_length=1000)]
CLAIM = "pbxrec_link"
"""The cookie of the one browser in which a one-time link was opened; only this link's own pages get it."""
LONGEST_HEADER = 500


@router.get("/recordings/{recording}/share")
def share_form(request: Request, viewer: Signed, recording: str) -> Response:
    """Show the form, and the links that were mailed already."""
    return _form(request, viewer, recording)


@router.post("/recordings/{recording}/share")
def send(
    request: Request,
    viewer: Signed,
    recording: str,
    recipient: Text = "",
    subject: Text = "",
    hours: Text = "",
    one_time: Annotated[bool, Form()] = False,
) -> Response:
    """Mail a link."""
    hands, words = Hands(request), tongue_of(request)
    found = hands.recorded(viewer, recording)
    typed = {"recipient": recipient, "subject": subject, "hours": hours, "one_time": one_time}
    if hours and not (hours.isascii() and hours.isdecimal() and len(hours) <= 4):
        return _form(request, viewer, recording, 422, words.gettext("Write the number of hours as digits."), typed)
    wish = LinkWish(recipient, subject, int(hours) if hours else None, one_time)
    site = hands.site
    name = site.settings.portal.time_zone
    try:
        made = share(
            hands.links, desk_of(request, viewer), viewer, hands.rules(viewer), found, wish, site.url, site.zone, name
        )
    except ForbiddenError as error:
        raise PageError(403) from error
    except RefusedError as error:
        return _form(request, viewer, recording, 422, str(error), typed)
    said = words.gettext("The link is on its way to %(recipient)s.", recipient=made.recipient)
    return go(request, f"/recordings/{found.recording_id}/share", said=said)


@router.post("/recordings/{recording}/links/{link}/revoke")
def revoke(request: Request, viewer: Signed, recording: str, link: str) -> Response:
    """Let a link open nothing from now on: one's own, or as superuser anybody's."""
    hands = Hands(request)
    found = hands.recorded(viewer, recording, gone=True)
    mine = {one.id: one for one in hands.links.of_recording(viewer.tenant_id, found.recording_id)}
    if link not in mine:
        raise PageError(404)
    if viewer.role is not Role.SUPERUSER and mine[link].account_id != viewer.account_id:
        raise PageError(403)
    hands.links.revoke(desk_of(request, viewer), link)
    said = tongue_of(request).gettext("The link opens nothing any more.")
    return go(request, f"/recordings/{found.recording_id}/share", said=said)


@router.get(PATH + "{token}")
def shared(request: Request, token: str) -> Response:
    """Show the page of a link, with a player; of a one-time link first a button, so that mail programs open nothing."""
    link, recorded = _alive(request, token)
    if link.one_time and not link.taken:
        # A form's origin would be hidden by no-referrer, and then not be believed.
        headers = no_referrer({"Referrer-Policy": "same-origin"})
        return page(request, "share_once.html", headers=headers, token=token)
    address = address_of(request.scope)
    if not Hands(request).links.open(_desk(request, link), link, address, OpeningKind.PAGE):
        raise _dead(request)
    words, site = link_words(link.language), Hands(request).site
    zone = time_zone(link.zone) or site.zone if link.zone else site.zone
    return page(
        request,
        "share.html",
        headers=no_referrer(),
        facts=facts(call_data(recorded, zone), link.language),
        secret=words.secret,
        until=link.expires_at,
        audio=f"{PATH}{token}/audio",
    )


@router.post(PATH + "{token}")
def open_once(request: Request, token: str) -> Response:
    """Open a one-time link, for this browser alone."""
    link, _ = _alive(request, token)
    claim = secrets.token_urlsafe(32)
    if not Hands(request).links.claim(_desk(request, link), link, address_of(request.scope), claim):
        raise _dead(request)
    answer = go(request, f"{PATH}{token}")
    site: PortalSite = request.app.state.site
    seconds = round(ONE_TIME_HOLDS.total_seconds())
    answer.set_cookie(
        CLAIM, claim, max_age=seconds, path=f"{PATH}{token}", secure=site.secure, httponly=True, samesite="lax"
    )
    answer.headers.update(no_referrer())
    return answer


@router.get(PATH + "{token}/audio")
@router.head(PATH + "{token}/audio")
def shared_audio(
    request: Request,
    token: str,
    range: Annotated[str | None, Header(max_length=LONGEST_HEADER)] = None,
    if_range: Annotated[str | None, Header(max_length=LONGEST_HEADER)] = None,
) -> Response:
    """Play the recording of a link, whole or in parts."""
    link, recorded = _alive(request, token)
    if link.one_time and not link.taken:
        raise _dead(request)
    hands = Hands(request)
    part = open_part(hands.site.settings.paths.archive, recorded, range, if_range)
    try:
        if request.method == "GET":
            hands.listen(link.tenant_id, f"link:{link.id}", link.recipient, recorded, part)
            if part.first == 0 and not hands.links.open(
                _desk(request, link), link, address_of(request.scope), OpeningKind.SOUND
            ):
                raise _dead(request)
    except TooManyListenersError as error:
        part.close()
        # Who else listens is nothing for somebody from outside.
        raise PageError(503, "listeners", {"Retry-After": "30"}) from error
    except BaseException:
        part.close()
        raise
    answer = part.answer(head=request.method == "HEAD")
    answer.headers.update(no_referrer())
    return answer


def _form(
    request: Request, viewer: Signed, recording: str, status: int = 200, problem: str = "", typed: Any = None
) -> Response:
    hands = Hands(request)
    found, rules = hands.recorded(viewer, recording), hands.rules(viewer)
    why_not = why_no_link(viewer, rules, found)
    if why_not and viewer.role is not Role.SUPERUSER:
        raise PageError(403)
    links = hands.links.of_recording(viewer.tenant_id, found.recording_id)
    openings = {link.id: hands.links.openings(viewer.tenant_id, link.id)[:20] for link in links[:50]}
    usual = {"recipient": "", "subject": link_words(viewer.language).subject, "hours": "", "one_time": False}
    return page(
        request,
        "share_form.html",
        status=status,
        recorded=found,
        rules=rules,
        why_not=why_not,
        links=links[:50],
        openings=openings,
        now=hands.site.now(),
        problem=problem,
        typed=typed or usual,
        longest_subject=LONGEST_SUBJECT,
    )


def _alive(request: Request, token: str) -> tuple[Link, Recorded]:
    """Return a link that opens something for this browser, and its recording. Raises one and the same error else."""
    address, guesses = address_of(request.scope), _guesses(request)
    wait = guesses.wait(address)
    if wait:
        raise PageError(429, headers=no_referrer({"Retry-After": str(wait)}))
    hands = Hands(request)
    link = hands.links.find(digest(token)) if is_token(token) else None
    at = hands.site.now()
    if link is None or not link.alive(at):
        raise _dead(request)
    if link.taken and not link.opens_for(request.cookies.get(CLAIM, ""), at):
        raise _dead(request)
    recorded = hands.handing.one(Scope(link.tenant_id, everything=True), link.recording_id)
    if recorded is None or not recorded.playable:
        raise _dead(request)
    request.state.language = link.language
    return link, recorded


def _dead(request: Request) -> PageError:
    _guesses(request).missed(address_of(request.scope))
    return PageError(404, "link", no_referrer())


def _guesses(request: Request) -> Guesses:
    state = request.app.state
    if not hasattr(state, "link_guesses"):
        state.link_guesses = Guesses(state.site.now)
    found: Guesses = state.link_guesses
    return found


def _desk(request: Request, link: Link) -> Desk:
    """Return whoever has the link, as the audit calls them."""
    site: PortalSite = request.app.state.site
    with read_directory(site.engine) as directory:
        tenant = next((one for one in directory.tenants() if one.id == link.tenant_id), None)
        if tenant is None:
            raise _dead(request)
        return Desk(directory, tenant, f"link to {link.recipient}"[:100], site.now(), site.new_id)
