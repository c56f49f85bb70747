"""Puts the application together: routes, errors, limits, and the OpenAPI document that tells of them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from pbx_plugin.api import problems
from pbx_plugin.api.caller import Door
from pbx_plugin.api.middleware import Gate
from pbx_plugin.api.problems import Problem, documented
from pbx_plugin.api.routes import (
    account,
    audit,
    calls,
    deleting,
    exclusions,
    gaps,
    groups,
    imports,
    live,
    notices,
    numbers,
    peaks,
    people,
    policy,
    policy_drafts,
    receipts,
    recording_groups,
    recordings,
    units,
    webhooks,
)
from pbx_plugin.api.site import ApiSite

DESCRIPTION = """\
Call recording: people, groups, numbers, exclusions and policy of one company; its calls, why they were or were not
recorded, and the recordings. Send `Authorization: Bearer TOKEN`; a token has scopes and belongs to one company, and
nothing of another company is there for it (404). Errors are `application/problem+json` (RFC 9457).
"""
ROUTERS: tuple[APIRouter, ...] = (
    people.router,
    units.router,
    notices.router,
    groups.router,
    recording_groups.router,
    numbers.router,
    exclusions.router,
    imports.router,
    policy.router,
    policy_drafts.router,
    calls.router,
    live.router,
    recordings.router,
    deleting.router,
    peaks.router,
    gaps.router,
    receipts.router,
    webhooks.router,
    audit.router,
)
"""Every router whose routes need a token with a scope."""


def build_app(site: ApiSite) -> FastAPI:
    """Return the application without its gate, for those who look at its routes."""
    app = FastAPI(
        title="pbx-plugin",
        version=version("pbx-plugin"),
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        # Their pages load scripts from elsewhere: whoever wants them points them at the document.
        docs_url=None,
        redoc_url=None,
    )
    app.state.addresses = site.buckets_of_addresses()
    app.state.door = Door(site, app.state.addresses)
    common = documented(400, 401, 403, 413, 422, 429, 503)
    for router in ROUTERS:
        app.include_router(router, responses=common)
    app.include_router(account.router)
    app.state.every_route = [route for router in (*ROUTERS, account.router) for route in router.routes]
    problems.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def build_service(site: ApiSite) -> ASGIApp:
    """Return the whole service, with its gate."""
    app = build_app(site)
    return Gate(app, app.state.addresses, site.settings.api.largest_body)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document with the form of problems in it, in place of FastAPI's own form of errors."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        known = schema.setdefault("components", {}).setdefault("schemas", {})
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        known |= problem.pop("$defs", {})
        known["Problem"] = problem
        known.pop("HTTPValidationError", None)
        known.pop("ValidationError", None)
        app.openapi_schema = schema
    return app.openapi_schema
