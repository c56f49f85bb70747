"""Sends one delivery: to the address that was looked up and allowed, never where that one points on to."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult

from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.webhooks import Network, checked_url, may_reach

READ_OF_ANSWER = 1024
MOST_ADDRESSES = 4
"""Of one name, tried in turn."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: HTTP's status (0: nothing), and why that is no delivery (empty: it is one)."""

    status: int
    error: str = ""


class _Connection(http.client.HTTPConnection):
    """A connection to addresses that were chosen before: the name is looked up once, so it cannot change its mind."""

    def __init__(
        self, parts: SplitResult, addresses: Sequence[str], patience: float, tls: ssl.SSLContext | None
    ) -> None:
        port = parts.port or (443 if tls else 80)
        super().__init__(parts.hostname or "", port, timeout=patience)
        self._addresses = addresses
        self._patience = patience
        self._tls = tls

    def connect(self) -> None:
        """Connect to the first of the addresses that answers; the certificate must be the name's."""
        plain = self._reach()
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
        except BaseException:
            plain.close()
            raise

    def _reach(self) -> socket.socket:
        *others, last = self._addresses
        # One that does not answer must leave time for the next, as where a machine has no IPv6.
        share = self._patience / len(self._addresses)
        for address in others:
            with contextlib.suppress(OSError):
                return self._with_patience(socket.create_connection((address, self.port), share))
        return self._with_patience(socket.create_connection((last, self.port), share))

    def _with_patience(self, reached: socket.socket) -> socket.socket:
        reached.settimeout(self._patience)
        return reached

    def cut(self) -> None:
        """End it from another thread."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def post(url: str, headers: Mapping[str, str], body: bytes, own: Sequence[Network], patience: float) -> Answer:
    """Send a body and return what was answered within ``patience`` seconds in all. Never raises."""
    try:
        parts = checked_url(url, own)
        addresses = _look_up(parts, own)
    except (RefusedError, OSError, UnicodeError) as error:
        return Answer(0, f"{error}"[:200])
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    connection = _Connection(parts, addresses, patience, tls)
    # A receiver that sends a byte now and then would keep within every single time limit.
    watch = threading.Timer(patience, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        answer = connection.getresponse()
        answer.read(READ_OF_ANSWER)
        return _judged(answer.status)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(0, f"{type(error).__name__}: {error}"[:200])
    finally:
        watch.cancel()
        connection.close()


def _judged(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer(status)
    return Answer(status, "redirects are not followed" if 300 <= status < 400 else f"the receiver answered {status}")


def _look_up(parts: SplitResult, own: Sequence[Network]) -> list[str]:
    """Return the addresses to send to. Raises RefusedError when the name leads to any that is not allowed."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = list(dict.fromkeys(str(entry[4][0]) for entry in told))[:MOST_ADDRESSES]
    for address in found:
        if not may_reach(ip_address(address.partition("%")[0]), own):
            raise RefusedError(f"{host} leads to {address}, inside the network: nothing is sent there")
    return found
