"""A small asynchronous client for Asterisk's REST interface, over one aiohttp session.

It keeps ari-py's operation names (``snoop_channel``, ``list_channels`` …) without its Python 2 code. One TCP pool,
one WebSocket, no reconnect of its own: :mod:`pbx_plugin.asterisk.connection` decides when and how to come back.
Names that hold a slash go out as ``%2F``: Asterisk answers 404 to a plain slash.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from pbx_plugin.settings import Ari

Json = dict[str, Any]


class AriError(Exception):
    """Asterisk refused a request: ``status`` is HTTP's, ``message`` is Asterisk's own word."""

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        super().__init__(f"{method} {path}: {status} {message}")
        self.status = status
        self.message = message


class AriUnreachableError(Exception):
    """Asterisk did not answer: down, frozen, or the network is cut."""


class AriClient:
    """Requests and events of one Stasis application. Use as an async context manager.

    Every request raises AriError (Asterisk said no) or AriUnreachableError (no answer within ``timeout`` seconds).
    """

    def __init__(self, settings: Ari, *, timeout: float = 5.0) -> None:
        self._base = f"http://{settings.host}:{settings.port}/ari"
        pair = f"{settings.user}:{settings.password.get_secret_value()}".encode()
        # The header, never ?api_key=user:password: that one ends in access logs.
        self._headers = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise AriUnreachableError("the client is not open")
        return self._http

    async def request(
        self, method: str, path: Sequence[str], query: Mapping[str, str] | None = None, body: Json | None = None
    ) -> Any:
        """Perform one request; ``path`` is a sequence of raw segments, each escaped here. Returns JSON or None."""
        where = "/" + "/".join(quote(part, safe="") for part in path)
        url = URL(self._base + where, encoded=True)
        if query:
            url = url.with_query(dict(query))
        try:
            async with self._session.request(method, url, json=body) as answer:
                if answer.status >= 400:
                    raise AriError(method, where, answer.status, await _reason(answer))
                return await answer.json(content_type=None) if answer.status != 204 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:  # ValueError: an answer cut off
            raise AriUnreachableError(f"{method} {where}: {error or type(error).__name__}") from error

    async def events(self, app: str, *, everything: bool = True) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open the event stream of ``app``; yields the one open WebSocket.

        With ``everything`` it tells of every channel and bridge, else of those that are in the application.
        """
        url = URL(self._base + "/events").with_query(app=app, subscribeAll="true" if everything else "false")
        try:
            async with self._session.ws_connect(url, heartbeat=10.0, max_msg_size=0) as socket:
                yield socket
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AriUnreachableError(f"events of {app}: {error or type(error).__name__}") from error

    # -- asterisk and applications

    async def info(self) -> Json:
        """Return Asterisk's build, system and configuration information."""
        found: Json = await self.request("GET", ["asterisk", "info"])
        return found

    async def filter_events(self, app: str, allowed: Sequence[str]) -> None:
        """Let only these event types through. Gone after a reconnect: ask again each time."""
        body = {"allowed": [{"type": kind} for kind in allowed], "disallowed": []}
        await self.request("PUT", ["applications", app, "eventFilter"], body=body)

    async def get_application(self, app: str) -> Json:
        """Return the application's registration; AriError 404 when Asterisk does not know it."""
        found: Json = await self.request("GET", ["applications", app])
        return found

    async def user_event(self, name: str, app: str, said: Mapping[str, str] | None = None) -> None:
        """Send a user event to ``app``, with what it has to say."""
        body = {"variables": dict(said)} if said else None
        await self.request("POST", ["events", "user", name], {"application": app}, body)

    async def get_global(self, variable: str) -> str:
        """Return a global variable, empty when it is not set."""
        found = await self.request("GET", ["asterisk", "variable"], {"variable": variable})
        return str(found.get("value") or "")

    async def set_global(self, variable: str, value: str) -> None:
        """Set a global variable; it lasts until Asterisk restarts."""
        await self.request("POST", ["asterisk", "variable"], {"variable": variable, "value": value})

    # -- channels and bridges

    async def list_channels(self) -> list[Json]:
        """Return all channels that Asterisk has now."""
        found: list[Json] = await self.request("GET", ["channels"])
        return found

    async def list_bridges(self) -> list[Json]:
        """Return all bridges with the ids of their channels."""
        found: list[Json] = await self.request("GET", ["bridges"])
        return found

    async def get_variable(self, channel: str, variable: str) -> str:
        """Return a channel variable or function, empty when it is not set."""
        try:
            found = await self.request("GET", ["channels", channel, "variable"], {"variable": variable})
        except AriError as error:
            if error.status == 404 and "variable" in error.message.lower():
                return ""
            raise
        return str(found.get("value", ""))

    async def set_variable(self, channel: str, variable: str, value: str) -> None:
        """Set a channel variable or function."""
        await self.request("POST", ["channels", channel, "variable"], {"variable": variable, "value": value})

    async def snoop_channel(
        self, channel: str, snoop: str, app: str, *, spy: str = "none", whisper: str = "none"
    ) -> None:
        """Create a snoop channel with id ``snoop``; usable once its StasisStart has come, not before."""
        await self.request("POST", ["channels", channel, "snoop", snoop], {"app": app, "spy": spy, "whisper": whisper})

    async def hangup(self, channel: str) -> None:
        """Hang up one of our own channels; a channel that is gone is fine."""
        try:
            await self.request("DELETE", ["channels", channel])
        except AriError as error:
            if error.status != 404:
                raise

    async def play(self, channel: str, playback: str, media: str) -> None:
        """Play ``media`` (``sound:/path/without/extension``) on a channel under a known playback id."""
        await self.request("POST", ["channels", channel, "play", playback], {"media": media})

    async def record_channel(self, channel: str, name: str) -> None:
        """Record one of our snoops to ``name``.wav; never over an existing file (AriError 409)."""
        query = {"name": name, "format": "wav", "ifExists": "fail", "maxDurationSeconds": "0"}
        query |= {"maxSilenceSeconds": "0", "terminateOn": "none", "beep": "false"}
        await self.request("POST", ["channels", channel, "record"], query)

    # -- recordings

    async def live_recording(self, name: str) -> Json | None:
        """Return a recording that is running now, None when it is not."""
        return await self._or_none(["recordings", "live", name])

    async def stop_recording(self, name: str) -> bool:
        """Stop and keep a running recording; False when it had ended already (its file is closed then)."""
        try:
            await self.request("POST", ["recordings", "live", name, "stop"])
        except AriError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _or_none(self, path: Sequence[str]) -> Json | None:
        try:
            found: Json = await self.request("GET", path)
        except AriError as error:
            if error.status == 404:
                return None
            raise
        return found


async def _reason(answer: aiohttp.ClientResponse) -> str:
    """Return Asterisk's own word: ``message``, or ``error`` where an allocation failed."""
    try:
        said = await answer.json(content_type=None)
    except (ValueError, aiohttp.ClientError):
        return answer.reason or ""
    return str(said.get("message") or said.get("error") or answer.reason) if isinstance(said, dict) else str(said)
