"""Starts and stops the portal as a process of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import structlog
import uvicorn

from pbx_plugin.bootstrap import build_account_tools, finish_deletions
from pbx_plugin.clock import now
from pbx_plugin.db.accounts import DatabaseAccounts
from pbx_plugin.db.engine import make_engine
from pbx_plugin.portal.app import portal_app
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.services.deleting import EraseError
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.settings import Settings

log = structlog.get_logger(__name__)

BUSY_MS = 5_000
"""How long a request waits for the database's lock; the recorder holds it for milliseconds."""
GRACE_S = 5
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  (compared, not bound)


def build_site(settings: Settings, port: int, clock: Callable[[], datetime] = now) -> PortalSite:
    """Return what the screens work with, on the port where it answers; nothing is opened yet."""
    engine = make_engine(settings.database, busy_ms=BUSY_MS)
    tools = replace(build_account_tools(settings), public_url=_address(settings, port))
    return PortalSite(settings, engine, DatabaseAccounts(engine), tools, clock, lambda: str(uuid4()), port)


def listen(settings: Settings) -> socket.socket:
    """Return a socket on the configured address. Raises OSError when that is taken."""
    family = socket.AF_INET6 if ":" in settings.portal.host else socket.AF_INET
    return socket.create_server((settings.portal.host, settings.portal.port), family=family, backlog=128)


def build_server(site: PortalSite) -> uvicorn.Server:
    """Return the server; it ends on SIGTERM or SIGINT, or when ``should_exit`` is set.

    Raises SettingsError for a time zone that this machine does not know.
    """
    proxies = list(site.settings.portal.trusted_proxies)
    config = uvicorn.Config(
        portal_app(site),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def run(settings: Settings, listening: socket.socket) -> None:
    """Answer on the socket until told to stop (SIGTERM, SIGINT). Raises SettingsError."""
    host, port = listening.getsockname()[:2]
    site = build_site(settings, port)
    server = build_server(site)
    _finish_deletions(settings, site)
    log.info("answering", host=host, port=port, url=site.url)
    try:
        asyncio.run(server.serve(sockets=[listening]))
    finally:
        site.engine.dispose()


def _finish_deletions(settings: Settings, site: PortalSite) -> None:
    """Bring to an end what an earlier run was killed over; what the disk or the database refuses waits for the next."""
    try:
        finished = finish_deletions(settings, site.engine, site.now())
    except (StoreUnavailableError, EraseError) as error:
        log.error("deleted recordings still have files", error=str(error))
    else:
        if finished:
            log.warning("finished deletions that somebody had died over", recordings=finished)


def _address(settings: Settings, port: int) -> str:
    if settings.portal.public_url:
        return settings.portal.public_url.rstrip("/")
    host = socket.gethostname() if settings.portal.host in ANYWHERE else settings.portal.host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
