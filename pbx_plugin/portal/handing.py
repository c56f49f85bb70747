"""What the screens of handing on and deleting share: the recordings somebody sees, their company's switches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import FormData

from pbx_plugin.db.deletions import DatabaseDeletions
from pbx_plugin.db.exports import DatabaseExports
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.links import DatabaseLinks
from pbx_plugin.db.listeners import DatabaseListeners
from pbx_plugin.db.search import DatabaseSearch
from pbx_plugin.domain.access import Viewer, scope
from pbx_plugin.domain.handing import Rules
from pbx_plugin.portal.desks import looking
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.portal.streams import Part
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.exporting import MOST_RECORDINGS
from pbx_plugin.services.handing import Recorded
from pbx_plugin.services.listeners import sound_of
from pbx_plugin.services.searching import read

_ID = re.compile(r"[0-9A-Za-z-]{1,36}")


class Hands:
    """The stores of one request's site."""

    def __init__(self, request: Request) -> None:
        self.site: PortalSite = request.app.state.site
        engine = self.site.engine
        self.handing = DatabaseHanding(engine)
        self.links = DatabaseLinks(engine)
        self.deletions = DatabaseDeletions(engine)
        self.exports = DatabaseExports(engine)
        self.listeners = DatabaseListeners(engine)

    def rules(self, viewer: Viewer) -> Rules:
        """Return the switches of somebody's company."""
        return self.handing.rules(viewer.tenant_id)

    def recorded(self, viewer: Viewer, recording: str, *, gone: bool = False) -> Recorded:
        """Return a recording that somebody sees; a deleted one only where ``gone``. Raises PageError 404."""
        found = self.handing.one(scope(viewer), recording) if _ID.fullmatch(recording) else None
        if found is None or (found.deleted_at is not None and not gone):
            raise PageError(404)
        return found

    def listen(self, tenant_id: str, listener: str, name: str, recorded: Recorded, part: Part) -> None:
        """Count a listener for the part that they fetch. Raises TooManyListenersError."""
        sound: timedelta = sound_of(part.end - part.first, recorded.rate)
        self.listeners.listen(tenant_id, listener, name, recorded.recording_id, self.site.now(), sound)


def desk_of(request: Request, viewer: Viewer) -> Desk:
    """Return who works, for stores that open transactions of their own."""
    with looking(request, viewer) as desk:
        return desk


async def form_of(request: Request) -> FormData:
    """Return the whole form that was sent. A dependency of screens whose forms have many fields of one name."""
    return await request.form()


def selected(request: Request, viewer: Viewer, form: FormData) -> Sequence[str]:
    """Return the ids that a form selects: ticked ones (``recording``, ``ids``), or all that a ``search`` finds.

    ``search`` is a list's query as :func:`pbx_plugin.services.searching.to_pairs` writes it. What the viewer does not
    see is not among what a search finds; ids are only read here, and judged one by one later. Raises PageError 413 for
    more than fit into one go, SearchError.
    """
    site: PortalSite = request.app.state.site
    query = form.get("search")
    if isinstance(query, str) and form.get("all"):
        search = read(parse_qsl(query, keep_blank_values=False))
        found = DatabaseSearch(site.engine).ids(scope(viewer), search, site.now(), most=MOST_RECORDINGS + 1)
    else:
        words = [value for value in form.getlist("recording") if isinstance(value, str)]
        packed = form.get("ids")
        words += packed.split() if isinstance(packed, str) else []
        found = [word for word in dict.fromkeys(words) if _ID.fullmatch(word)]
    if len(found) > MOST_RECORDINGS:
        raise PageError(413)
    return found
