"""The period that a page about calls is asked for, by the words that the list of recordings uses."""

from __future__ import annotations

from dataclasses import replace

from fastapi import Request

from pbx_plugin.db.search import DatabaseSearch
from pbx_plugin.domain.access import Viewer
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.search_times import Span, span_of
from pbx_plugin.services.searching import Period, Search, SearchError, read

_NAMES = ("period", "from", "to")


def period_of(request: Request, viewer: Viewer, usual: Period = Period.TODAY) -> tuple[Search, Span, dict[str, str]]:
    """Return the period of the address, its moments (UTC), and by field what is wrong with it; then nothing is in it.

    ``usual`` is the one of an address that names none.
    """
    site: PortalSite = request.app.state.site
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name in _NAMES]
    chosen = {value for name, value in pairs if name == "period" and value}
    if chosen and chosen != {"custom"}:
        # The days stay in the form when another period is chosen: they then count for nothing.
        pairs = [(name, value) for name, value in pairs if name == "period"]
    elif not chosen and any(value for name, value in pairs if name in ("from", "to")):
        pairs.append(("period", "custom"))
    elif not chosen:
        pairs = [("period", usual.value)]
    company = DatabaseSearch(site.engine, site.zone).company(viewer.tenant_id)
    try:
        search = read(pairs)
        return search, span_of(search, site.now(), company.zone), {}
    except SearchError as error:
        return replace(Search(), period=usual), Span(site.now(), site.now()), error.problems
