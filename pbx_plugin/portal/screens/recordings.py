"""The list of recordings: filters, pages, saved searches, columns, and why each was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from pbx_plugin.db.engine import gathering
from pbx_plugin.db.hold_times import hold_times
from pbx_plugin.db.paging import PageQueries
from pbx_plugin.db.saved_searches import saved_searches
from pbx_plugin.db.search import Counted, DatabaseSearch, Page
from pbx_plugin.domain.access import Action, Role, Scope, Viewer, scope
from pbx_plugin.portal import recordings_view as view
from pbx_plugin.portal.desks import changing, looking
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.handing import Hands, form_of
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.recording_view import parted
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services import saved_searches as saving
from pbx_plugin.services import search_cursor
from pbx_plugin.services.explanation import explain_call
from pbx_plugin.services.searching import Search, SearchError, is_filter, read, to_pairs

router = APIRouter()

Seer = Annotated[Viewer, Depends(Needs(Action.SEE))]
_IN_SIGHT = frozenset({"period", "from", "to", "user", "number", "text", "sort", "limit"})
"""Filters that the form shows without unfolding it."""


@router.get(view.LIST)
def listed(request: Request, viewer: Seer, after: str = "") -> Response:
    """Show what a search finds, today's first where nothing is asked for; everything about it is in the address."""
    site: PortalSite = request.app.state.site
    with gathering(site.engine):
        return _listed(request, viewer, after)


@router.get(f"{view.LIST}/more")
def more(request: Request, viewer: Seer, after: str) -> Response:
    """Show the rows behind a cursor, as a part of the page."""
    site: PortalSite = request.app.state.site
    search = read(_asked(request))
    found = _search(site).page(scope(viewer), search, site.now(), after=search_cursor.read(after, search))
    with saved_searches(site.engine) as store:
        columns = store.columns(viewer)
    return page(
        request, "recordings_rows.html", search=search, found=found, **_shown(site, viewer, search, found, columns)
    )


@router.get(f"{view.LIST}/count")
def counted(request: Request, viewer: Seer) -> Response:
    """Show how many a search finds, as a part of the page that comes afterwards."""
    site: PortalSite = request.app.state.site
    count: Counted = _search(site).count(scope(viewer), read(_asked(request)), site.now())
    return page(request, "recordings_count.html", count=count)


@router.get(view.LIST + "/{recording}/why")
def why(request: Request, viewer: Seer, recording: str) -> Response:
    """Show why something was recorded, and the consent that it rests on, beside the list."""
    hands = Hands(request)
    found = hands.recorded(viewer, recording, gone=True)
    queries = PageQueries(hands.site.engine)
    detail = asdict(queries.call_detail(found.call_id, viewer.tenant_id))
    if viewer.role is not Role.SUPERUSER:
        # Of a call with several users each sees their own part.
        own = {person for person in (found.person_id,) if person}
        for part in ("decisions", "recordings", "gaps"):
            detail[part] = tuple(one for one in detail[part] if one["user_id"] in own)
        detail["timeline"] = ()
    with looking(request, viewer) as desk:
        names = {group.id: group.name for group in desk.directory.groups(viewer.tenant_id)}
        names |= {part.id: part.name for part in desk.directory.departments(viewer.tenant_id)}
    told = explain_call(detail, names)
    return page(request, "recordings_why.html", told=told, parted=parted, recording=recording, at=found.at)


@router.post(f"{view.LIST}/saved")
def save(
    request: Request,
    viewer: Seer,
    name: Annotated[str, Form()],
    query: Annotated[str, Form()] = "",
    shared: Annotated[str, Form()] = "",
) -> Response:
    """Keep the search under a name."""
    site: PortalSite = request.app.state.site
    search = saving.search_of(query)
    with saved_searches(site.engine, change=True) as store:
        kept = saving.save(store, viewer, name, search, shared=bool(shared), new_id=site.new_id(), at=site.now())
    if kept.shared:
        with changing(request, viewer) as desk:
            desk.note("search shared", kept.id, name=kept.name, query=kept.query)
    words = tongue_of(request)
    return go(request, view.address(search), said=words.gettext("The search “%(name)s” is saved.", name=kept.name))


@router.post(view.LIST + "/saved/{saved_id}/remove")
def forget(request: Request, viewer: Seer, saved_id: str) -> Response:
    """Forget a saved search."""
    site: PortalSite = request.app.state.site
    with saved_searches(site.engine, change=True) as store:
        gone = saving.remove(store, viewer, saved_id)
    if gone.shared:
        with changing(request, viewer) as desk:
            desk.note("shared search removed", gone.id, name=gone.name)
    words = tongue_of(request)
    return go(request, view.LIST, said=words.gettext("The search “%(name)s” is removed.", name=gone.name))


@router.post(f"{view.LIST}/columns")
def choose(request: Request, viewer: Seer, form: Annotated[FormData, Depends(form_of)]) -> Response:
    """Keep which columns the list has."""
    site: PortalSite = request.app.state.site
    columns = saving.columns_from([name for name in form.getlist("column") if isinstance(name, str)])
    query = form.get("query")
    search = saving.search_of(query if isinstance(query, str) else "")
    with saved_searches(site.engine, change=True) as store:
        store.choose_columns(viewer, columns)
    return go(request, view.address(search))


def _listed(request: Request, viewer: Viewer, after: str) -> Response:
    site: PortalSite = request.app.state.site
    problems: dict[str, str] = {}
    search, found = Search(), Page((), None)
    try:
        search = read(_asked(request))
        found = _search(site).page(
            scope(viewer), search, site.now(), after=search_cursor.read(after, search) if after else None
        )
    except SearchError as error:
        problems = error.problems
    with saved_searches(site.engine) as store:
        columns, saved = store.columns(viewer), store.saved(viewer.tenant_id, viewer.account_id)
    partly = request.headers.get("hx-target") == "found"
    answer = page(
        request,
        "recordings_found.html" if partly else "recordings.html",
        status=422 if problems else 200,
        search=search,
        typed=(typed := _typed(request, search)),
        unfolded=bool(problems or typed.keys() - _IN_SIGHT),
        problems=problems,
        found=found,
        first=not after,
        saved=[one for one in saved if saving.still_fits(one)],
        choices=view.choices(site.engine, scope(viewer)),
        **_shown(site, viewer, search, found, columns),
    )
    answer.headers["Vary"] = "HX-Target"
    if partly and not problems:
        answer.headers["HX-Push-Url"] = view.address(search)
    return answer


def _search(site: PortalSite) -> DatabaseSearch:
    return DatabaseSearch(site.engine, site.zone)


def _asked(request: Request) -> list[tuple[str, str]]:
    """Return the filters of the address; what is no filter is the page's own (or nobody's) and asks for nothing."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if is_filter(name)]
    period = {value for name, value in pairs if name == "period"}
    if period - {"custom", ""}:
        # The days stay in the form when another period is chosen: they then count for nothing.
        pairs = [(name, value) for name, value in pairs if name not in ("from", "to")]
    elif not period and any(name in ("from", "to") and value for name, value in pairs):
        pairs.append(("period", "custom"))
    return pairs


def _typed(request: Request, search: Search) -> dict[str, list[str]]:
    """Return what the form's fields hold: what was typed, right or wrong."""
    typed: dict[str, list[str]] = {}
    pairs: Sequence[tuple[str, str]] = _asked(request) or to_pairs(search)
    for name, value in pairs:
        typed.setdefault(name, []).append(value[:200])
    typed.setdefault("period", [search.period.value])
    return typed


def _shown(site: PortalSite, viewer: Viewer, search: Search, found: Page, columns: Sequence[str]) -> dict[str, Any]:
    reach: Scope = scope(viewer)
    shown = [one.recording for journey in found.journeys for one in journey.segments]
    timed = shown if {"hold", "talk"} & set(columns) else []
    calls = [journey.lead.recording.call_id for journey in found.journeys] if "api_tags" in columns else []
    return {
        "columns": columns,
        "all_columns": saving.COLUMNS,
        "chips": view.chips(search),
        "query": saving.query_of(search),
        "address": view.address,
        "sort_address": view.sort_address,
        "sorted_by": view.SORTED,
        "after": search_cursor.tell(found.after) if found.after else "",
        "api_tags": _search(site).api_tags(viewer.tenant_id, calls) if calls else {},
        "held": hold_times(site.engine, viewer.tenant_id, timed) if timed else {},
        "everything": reach.everything,
    }
