"""A company's switches for downloads, links, deleting and listeners."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from pbx_plugin.domain.access import Action, Viewer
from pbx_plugin.domain.handing import MOST_LINK_HOURS, MOST_LISTENERS, Rules
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.handing import Hands, desk_of
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import set_rules
from pbx_plugin.storage.mp3 import find_ffmpeg

router = APIRouter()

Setter = Annotated[Viewer, Depends(Needs(Action.SETTINGS))]
Tick = Annotated[bool, Form()]
Count = Annotated[int, Form(ge=0, le=1_000_000)]
HERE = "/settings/handing"


@router.get(HERE)
def shown(request: Request, viewer: Setter) -> Response:
    """Show the switches."""
    return _page(request, viewer, Hands(request).rules(viewer))


@router.post(HERE)
def save(
    request: Request,
    viewer: Setter,
    link_hours: Count,
    link_hours_most: Count,
    listeners_most: Count = 0,
    downloads: Tick = False,
    links: Tick = False,
    deleting: Tick = False,
    second_person: Tick = False,
) -> Response:
    """Let these switches be in force from now on."""
    hands = Hands(request)
    rules = Rules(downloads, links, link_hours, link_hours_most, deleting, second_person, listeners_most)
    try:
        set_rules(hands.handing, desk_of(request, viewer), rules)
    except RefusedError as error:
        return _page(request, viewer, rules, str(error))
    return go(request, HERE, said=tongue_of(request).gettext("The settings are saved."))


def _page(request: Request, viewer: Viewer, rules: Rules, problem: str = "") -> Response:
    hands = Hands(request)
    return page(
        request,
        "handing_settings.html",
        status=422 if problem else 200,
        rules=rules,
        problem=problem,
        most_hours=MOST_LINK_HOURS,
        most_listeners=MOST_LISTENERS,
        listening=hands.listeners.listening(viewer.tenant_id, hands.site.now()),
        mp3=find_ffmpeg() is not None,
    )
