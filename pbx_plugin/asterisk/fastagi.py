"""A FastAGI server: one thread a call, bounded, and unmoved by whatever connects to it.

A connection that cannot be served is closed, which Asterisk takes for a failed AGI: the dialplan goes on.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from asterisk.agi import AGIException, AGIHangup

from pbx_plugin.asterisk.agi import AgiSession

Handler = Callable[[AgiSession], None]
"""A script: drives one conversation to its end."""

_log = structlog.get_logger(__name__)

_CHUNK = 4096


class SocketReader:
    """Reads lines from a socket. Until :meth:`patient` is called, all of them must come within one deadline."""

    def __init__(self, connection: socket.socket, header_seconds: float) -> None:
        self._socket = connection
        self._deadline: float | None = time.monotonic() + header_seconds
        self._patience = header_seconds
        self._buffer = bytearray()

    def patient(self, seconds: float) -> None:
        """From now on wait ``seconds`` for each piece: an answer comes only when a prompt has been played."""
        self._deadline = None
        self._patience = seconds

    def readline(self, limit: int, /) -> bytes:
        """Return the next line, or what there is at the end or at ``limit``. Raises TimeoutError, OSError."""
        while (end := self._buffer.find(b"\n", 0, limit)) < 0 and len(self._buffer) < limit:
            if self._deadline is not None:
                self._patience = self._deadline - time.monotonic()
                if self._patience <= 0:
                    raise TimeoutError("the AGI headers took too long")
            self._socket.settimeout(self._patience)
            piece = self._socket.recv(_CHUNK)
            if not piece:
                end = len(self._buffer) - 1
                break
            self._buffer += piece
        size = end + 1 if end >= 0 else min(limit, len(self._buffer))
        line = bytes(self._buffer[:size])
        del self._buffer[:size]
        return line


class SocketWriter:
    """Writes whole commands to a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def write(self, data: bytes, /) -> None:
        """Send all of ``data``. Raises OSError."""
        self._socket.sendall(data)

    def flush(self) -> None:
        """Nothing waits: :meth:`write` has sent it."""


class FastAgiServer:
    """Listens on ``host``:``port`` (0 takes a free one) and runs ``routes[path]`` for ``agi://host:port/path,…``.

    Listening begins with :meth:`start`. More than ``max_sessions`` calls at a time are turned away at once.
    ``header_seconds`` is the time for all request lines together, ``answer_seconds`` for one answer of Asterisk.
    """

    def __init__(
        self,
        host: str,
        port: int,
        routes: Mapping[str, Handler],
        *,
        max_sessions: int = 256,
        header_seconds: float = 5.0,
        answer_seconds: float = 180.0,
    ) -> None:
        self._wanted = (host, port)
        self._routes = dict(routes)
        self._max_sessions = max_sessions
        self._header_seconds = header_seconds
        self._answer_seconds = answer_seconds
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port in use. Raises RuntimeError before :meth:`start`."""
        if self._server is None:
            raise RuntimeError("the AGI service is not listening")
        host, port = self._server.socket.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Bind, listen, and serve in a thread of its own. Raises OSError when the address cannot be had."""
        server = _Server(self._wanted, self._serve, self._max_sessions)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="fastagi", daemon=True)
        self._thread.start()

    def stop(self, grace: float = 2.0) -> None:
        """Stop listening, give running scripts ``grace`` seconds, then close their connections. Again is harmless."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        server.drain(grace)
        if self._thread is not None:
            self._thread.join(timeout=grace + 1)

    def _serve(self, connection: socket.socket) -> None:
        reader = SocketReader(connection, self._header_seconds)
        try:
            session = AgiSession(reader, SocketWriter(connection))
        except AGIHangup:
            # A port check, or a caller who was faster than we.
            return
        except AGIException as error:
            _log.warning("agi.request_refused", reason=str(error))
            return
        reader.patient(self._answer_seconds)
        path = session.env.get("agi_network_script", "").partition("?")[0].strip("/")
        handler = self._routes.get(path)
        if handler is None:
            _log.warning("agi.unknown_script", script=path[:100])
            return
        try:
            handler(session)
        except AGIHangup:
            _log.info("agi.hung_up", script=path)
        except AGIException as error:
            _log.warning("agi.conversation_failed", script=path, reason=str(error))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], serve: Callable[[socket.socket], None], places: int) -> None:
        self._serve = serve
        self._places = threading.BoundedSemaphore(places)
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, socketserver.BaseRequestHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it when all places are taken."""
        if not self._places.acquire(blocking=False):
            _log.error("agi.all_places_taken")
            self.shutdown_request(request)
            return
        with self._changed:
            self._open.add(request)
        try:
            super().process_request(request, client_address)
        except BaseException:
            # No thread could be started: the place is free again, socketserver closes the connection.
            self._leave(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection; whatever a script raises ends that connection only."""
        try:
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(request)
        except Exception:
            _log.exception("agi.script_failed", client=client_address[0])
        finally:
            self._leave(request)
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log instead of printing to stderr."""
        _log.exception("agi.connection_failed", client=client_address[0])
        del request

    def drain(self, grace: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._open, timeout=grace)
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _leave(self, request: socket.socket) -> None:
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()
        self._places.release()
