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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: HTTP's status (0: nothing), and why that is no delivery (empty: it is one)."""

    status: int
    error: str = ""


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was chosen before: the name is looked up once, so it cannot change its mind."""

    def __init__(self, parts: SplitResult, address: str, patience: float, tls: ssl.SSLContext | None) -> None:
        port = parts.port or (443 if tls else 80)
        super().__init__(parts.hostname or "", port, timeout=patience)
        self._address = address
        self._tls = tls

    def connect(self) -> None:
        """Connect to the chosen address; the certificate must be the name's."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
        except BaseException:
            plain.close()
            raise

    def cut(self) -> None:
        """End it from another thread."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def post(url: str, headers: Mapping[str, str], body: bytes, own: Sequence[Network], patience: float) -> Answer:
    """Send a body and return what was answered within ``patience`` seconds in all. Never raises."""
    try:
        parts = checked_url(url, own)
        address = _look_up(parts, own)
    except (RefusedError, OSError, UnicodeError) as error:
        return Answer(0, f"{error}"[:200])
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    connection = _Connection(parts, address, patience, tls)
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


def _look_up(parts: SplitResult, own: Sequence[Network]) -> str:
    """Return the address to send to. Raises RefusedError when the name leads to any that is not allowed."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not may_reach(ip_address(address.partition("%")[0]), own):
            raise RefusedError(f"{host} leads to {address}, inside the network: nothing is sent there")
    return found[0]
