"""Where somebody who is signed in works: their own company's directory or accounts, with their name in the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from pbx_plugin.db.directory import change_directory, read_directory
from pbx_plugin.domain.access import Viewer
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.portal.problems import PageError
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.accounts import Office
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import Directory


@contextmanager
def looking(request: Request, viewer: Viewer) -> Iterator[Desk]:
    """Open the company's directory for looking only."""
    site: PortalSite = request.app.state.site
    with read_directory(site.engine) as directory:
        yield _desk(site, directory, viewer)


@contextmanager
def changing(request: Request, viewer: Viewer) -> Iterator[Desk]:
    """Open the company's directory for a change, in force as a whole at the end, or not at all."""
    site: PortalSite = request.app.state.site
    with change_directory(site.engine) as directory:
        yield _desk(site, directory, viewer)


@contextmanager
def office(request: Request, viewer: Viewer, *, change: bool = False) -> Iterator[Office]:
    """Open the company's accounts, for looking unless ``change``; a change is in force as a whole or not at all."""
    site: PortalSite = request.app.state.site
    with site.accounts.writing() if change else site.accounts.reading() as store:
        yield Office(_desk(site, store, viewer), store, site.tools)


def desk_in(request: Request, viewer: Viewer, directory: Directory) -> Desk:
    """Return who works, in a transaction that is open already."""
    site: PortalSite = request.app.state.site
    return _desk(site, directory, viewer)


def _desk(site: PortalSite, directory: Directory, viewer: Viewer) -> Desk:
    return Desk(directory, _tenant(directory, viewer), viewer.actor, site.now(), site.new_id)


def _tenant(directory: Directory, viewer: Viewer) -> Tenant:
    for tenant in directory.tenants():
        if tenant.id == viewer.tenant_id:
            return tenant
    raise PageError(404)
