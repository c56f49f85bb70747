"""Starts and stops the portal as a process of its own."""

from __future__ import annotations

import socket

import uvicorn

from pbx_plugin.portal.app import portal_app
from pbx_plugin.portal.site import PortalSite
from pbx_plugin.settings import Settings

GRACE_S = 5


def listen(settings: Settings) -> socket.socket:
    """Return a socket on the configured address. Raises OSError when that is taken."""
    family = socket.AF_INET6 if ":" in settings.portal.host else socket.AF_INET
    return socket.create_server((settings.portal.host, settings.portal.port), family=family, backlog=128)


def build_server(site: PortalSite) -> uvicorn.Server:
    """Return the server; it ends on SIGTERM or SIGINT, or when ``should_exit`` is set."""
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
