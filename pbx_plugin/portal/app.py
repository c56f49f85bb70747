"""Puts the portal together: screens, errors, the files that pages load, the gate."""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pbx_plugin.db.queries import AmbiguousError, NotFoundError
from pbx_plugin.portal import csrf
from pbx_plugin.portal.cookies import Cookies
from pbx_plugin.portal.middleware import Gate
from pbx_plugin.portal.pages import Pages, go, page
from pbx_plugin.portal.problems import ElsewhereError, PageError
from pbx_plugin.portal.screens import (
    account,
    accounts,
    calls,
    deleting,
    first_steps,
    handing,
    handing_settings,
    language,
    links,
    lists_settings,
    recording,
    recordings,
    results,
    second_factor,
    sharing,
    sign_in,
    signing_settings,
    start,
)
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.portal.static import StaticFiles
from pbx_plugin.portal.words import tongues
from pbx_plugin.services.account_records import SealError
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.ports import StoreUnavailableError

log = structlog.get_logger(__name__)

SCREENS: Final[tuple[APIRouter, ...]] = (
    start.router,
    language.router,
    sign_in.router,
    first_steps.router,
    second_factor.router,
    recording.router,
    recordings.router,
    calls.router,
    links.router,
    account.router,
    accounts.router,
    sharing.router,
    handing.router,
    deleting.router,
    handing_settings.router,
    lists_settings.router,
    signing_settings.router,
    results.router,
)
"""Every screen's router."""
SMALLEST_SQUEEZED = 1000


def build_app(site: PortalSite) -> FastAPI:
    """Return the application without its gate, for those who look at its routes."""
    app = FastAPI(
        title="pbx-plugin portal",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(csrf.guard)],
        redirect_slashes=False,
    )
    app.state.site = site
    app.state.cookies = Cookies(secure=site.secure)
    app.state.static = StaticFiles()
    app.state.pages = Pages(tongues(site.zone), app.state.static)
    app.router.routes.append(Route("/static/{path:path}", app.state.static))
    for router in SCREENS:
        app.include_router(router)
    _install_errors(app)
    return app


def portal_app(site: PortalSite) -> ASGIApp:
    """Return the whole portal, with its gate."""
    return Gate(GZipMiddleware(build_app(site), SMALLEST_SQUEEZED, compresslevel=6), site)


def error_page(request: Request, status: int, kind: str = "", **values: object) -> Response:
    """Return an error's page; for a part of a page that htmx asked for, only its inner part."""
    known = status if status in (401, 403, 404, 405, 409, 413, 421, 422, 429, 503) else 500
    partly = bool(request.headers.get("hx-request"))
    shown = page(
        request,
        "errors/part.html" if partly else "errors/page.html",
        status=status,
        code=known,
        kind=kind,
        values={"detail": "", **values},
    )
    if partly:
        # htmx swaps no errors: they are shown where notices are, whatever was to be replaced.
        shown.headers["HX-Retarget"], shown.headers["HX-Reswap"] = "#notices", "innerHTML"
    return shown


def _install_errors(app: FastAPI) -> None:
    def on_elsewhere(request: Request, error: Exception) -> Response:
        return go(request, str(error))

    def on_page_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, PageError)  # noqa: S101  (Starlette hands on what it was registered for)
        answer = error_page(request, error.status, error.kind)
        answer.headers.update(error.headers)
        return answer

    def on_refused(request: Request, error: Exception) -> Response:
        return error_page(request, 422, detail=str(error))

    def on_not_found(request: Request, error: Exception) -> Response:
        del error  # it names what was looked for, which may be another company's
        return error_page(request, 404)

    def on_away(request: Request, error: Exception) -> Response:
        log.warning("the database is away", error=str(error))
        answer = error_page(request, 503)
        answer.headers["Retry-After"] = "2"
        return answer

    def on_sealed(request: Request, error: Exception) -> Response:
        log.error("the portal's key cannot be used", error=str(error))
        return error_page(request, 500, "key")

    def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return error_page(request, 422, fields=[str(found["loc"][-1]) for found in error.errors()][:5])

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        answer = error_page(request, error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    def on_unexpected(request: Request, error: Exception) -> Response:
        del error  # Starlette raises it again behind this page, and the gate logs it
        return error_page(request, 500)

    app.add_exception_handler(ElsewhereError, on_elsewhere)
    app.add_exception_handler(PageError, on_page_error)
    app.add_exception_handler(RefusedError, on_refused)
    app.add_exception_handler(NotFoundError, on_not_found)
    app.add_exception_handler(AmbiguousError, on_not_found)
    app.add_exception_handler(StoreUnavailableError, on_away)
    app.add_exception_handler(SealError, on_sealed)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_unexpected)
