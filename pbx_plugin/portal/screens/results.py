"""What evaluations came to in a period, user by user, for those who evaluate."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from pbx_plugin.db.working import look_at_work
from pbx_plugin.domain.access import Action, Viewer
from pbx_plugin.portal.desks import looking
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.pages import page
from pbx_plugin.portal.periods import period_of
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.evaluating import form_in_use, results_by_user
from pbx_plugin.services.searching import Period

router = APIRouter()

Judge = Annotated[Viewer, Depends(Needs(Action.EVALUATE))]
HERE = "/evaluations"


@router.get(HERE)
def results(request: Request, viewer: Judge) -> Response:
    """Show each user's mean scores of a period, the best first, as far as the viewer sees."""
    site: PortalSite = request.app.state.site
    search, span, problems = period_of(request, viewer, Period.THIS_MONTH)
    with looking(request, viewer) as desk:
        people = {person.id: person for person in desk.directory.people(viewer.tenant_id)}
    with look_at_work(site.engine) as work:
        form = form_in_use(work, viewer.tenant_id)
        found = [] if problems else results_by_user(work, viewer.tenant_id, viewer, span.since, span.until)
    return page(
        request,
        "results.html",
        status=422 if problems else 200,
        search=search,
        problems=problems,
        found=found,
        people=people,
        form=form,
    )
