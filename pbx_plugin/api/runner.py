"""Starts and stops the REST interface as a process of its own, with the sender of webhooks beside it."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from uuid import uuid4

import structlog
import uvicorn

from pbx_plugin.api.app import build_service
from pbx_plugin.api.sender import Sender
from pbx_plugin.api.site import ApiSite, asking_by_ari
from pbx_plugin.clock import now
from pbx_plugin.db.engine import make_engine
from pbx_plugin.settings import Settings

log = structlog.get_logger(__name__)

BUSY_MS = 5_000
"""How long a request waits for the database's lock; the recorder holds it for milliseconds."""
GRACE_S = 5


def build_site(settings: Settings) -> ApiSite:
    """Return what the routes work with; nothing is opened yet."""
    engine = make_engine(settings.database, busy_ms=BUSY_MS)
    return ApiSite(settings, engine, now, lambda: str(uuid4()), monotonic, asking_by_ari(settings.ari))


def listen(settings: Settings) -> socket.socket:
    """Return a socket on the configured address. Raises OSError when that is taken."""
    family = socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET
    return socket.create_server((settings.api.host, settings.api.port), family=family, backlog=128)


def build_server(site: ApiSite) -> uvicorn.Server:
    """Return the server; it ends on SIGTERM or SIGINT, or when ``should_exit`` is set."""
    proxies = list(site.settings.api.trusted_proxies)
    config = uvicorn.Config(
        build_service(site),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def run(settings: Settings, listening: socket.socket) -> None:
    """Answer on the socket, and send webhooks, until told to stop (SIGTERM, SIGINT)."""
    site = build_site(settings)
    server = build_server(site)
    sender = Sender(site.webhooks, settings.webhooks, now)
    host, port = listening.getsockname()[:2]
    sender.start()
    log.info("answering", host=host, port=port)
    try:
        asyncio.run(server.serve(sockets=[listening]))
    finally:
        sender.stop()
        site.engine.dispose()
