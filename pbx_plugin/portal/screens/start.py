"""The first page: where one's work is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pbx_plugin.portal.door import Signed
from pbx_plugin.portal.menu import entries_for
from pbx_plugin.portal.pages import go, page

router = APIRouter()


@router.get("/")
def start(request: Request, viewer: Signed) -> Response:
    """Lead on to the first entry of the person's menu; say so where there is none."""
    entries = entries_for(viewer)
    return go(request, entries[0].path) if entries else page(request, "start.html")
