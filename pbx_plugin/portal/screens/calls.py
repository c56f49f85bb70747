"""Calls: one's own, made and taken in a period; the company's by day; and what was not recorded, and why."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from pbx_plugin.db.own_calls import DatabaseCalls
from pbx_plugin.db.paging import PageQueries
from pbx_plugin.db.queries import NotFoundError
from pbx_plugin.db.search import DatabaseSearch
from pbx_plugin.db.unrecorded import DatabaseUnrecorded, Why
from pbx_plugin.domain.access import Action, Role, Viewer, scope
from pbx_plugin.portal.desks import looking
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.pages import page
from pbx_plugin.portal.periods import period_of
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.recording_view import parted
from pbx_plugin.portal.recordings_view import address
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.explanation import explain_call

router = APIRouter()

Seer = Annotated[Viewer, Depends(Needs(Action.SEE))]
Superuser = Annotated[Viewer, Depends(Needs(Action.SEE_UNRECORDED))]


@router.get("/calls")
def calls(request: Request, viewer: Seer, after: str = "") -> Response:
    """Show the viewer's own calls of a period, and to superusers the company's by day."""
    site: PortalSite = request.app.state.site
    search, span, problems = period_of(request, viewer)
    found, further = [], None
    if viewer.person_id and not problems:
        own = DatabaseCalls(site.engine).own(viewer.tenant_id, viewer.person_id, span, after=_moment(after))
        found, further = list(own[0]), own[1]
    overview = None
    if viewer.role is Role.SUPERUSER and not problems:
        zone = DatabaseSearch(site.engine, site.zone).company(viewer.tenant_id).zone
        overview = DatabaseCalls(site.engine).overview(viewer.tenant_id, span, zone)
    return page(
        request,
        "calls.html",
        status=422 if problems else 200,
        search=search,
        problems=problems,
        found=found,
        overview=overview,
        tied=bool(viewer.person_id),
        further=address(search, "/calls", after=further.isoformat()) if further else "",
    )


@router.get("/unrecorded")
def unrecorded(request: Request, viewer: Superuser, user: str = "", why: str = "", after: str = "") -> Response:
    """Show what was not recorded in a period, and why, newest first."""
    site: PortalSite = request.app.state.site
    search, span, problems = period_of(request, viewer)
    kinds = tuple(Why) if not why else tuple(kind for kind in Why if kind.value == why)
    moment, _, row_id = after.partition("~")
    found = DatabaseUnrecorded(site.engine).page(
        scope(viewer),
        span,
        kinds=kinds,
        user=user.strip()[:200],
        after=(_needed(moment), row_id[:36]) if after else None,
    )
    more = {"user": user.strip()[:200], "why": why} if user or why else {}
    more = {name: value for name, value in more.items() if value}
    further = ""
    if found.after:
        further = address(search, "/unrecorded", **more, after=f"{found.after[0].isoformat()}~{found.after[1]}")
    return page(
        request,
        "unrecorded.html",
        status=422 if problems else 200,
        search=search,
        problems=problems,
        user=user,
        why=why,
        kinds=tuple(Why),
        found=found.rows,
        further=further,
    )


@router.get("/unrecorded/{call}/why")
def explained(request: Request, viewer: Superuser, call: str) -> Response:
    """Show all that is known of why a call was or was not recorded."""
    site: PortalSite = request.app.state.site
    try:
        detail = PageQueries(site.engine).exact_call(call[:150], viewer.tenant_id)
    except NotFoundError:
        raise PageError(404) from None
    with looking(request, viewer) as desk:
        names = {group.id: group.name for group in desk.directory.groups(viewer.tenant_id)}
        names |= {part.id: part.name for part in desk.directory.departments(viewer.tenant_id)}
    return page(
        request,
        "recordings_why.html",
        told=explain_call(asdict(detail), names),
        parted=parted,
        recording="",
        at=detail.call.began_at,
    )


def _moment(text: str) -> datetime | None:
    return _needed(text) if text else None


def _needed(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text[:40].replace(" ", "+"))
    except ValueError:
        raise PageError(422) from None
    if at.tzinfo is None:
        raise PageError(422)
    return at
