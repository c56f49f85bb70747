"""The portal's own scripts, styles and pictures, read once, squeezed once, and kept by browsers for a year.

All of them lie under one folder whose name is the checksum of them all: a new version of any has a new address, and
they may name each other by relative addresses.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class _File:
    kind: str
    plain: bytes
    squeezed: bytes


class StaticFiles:
    """An ASGI application that serves them under ``/static``."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files: dict[str, _File] = {}
        checksum = sha256()
        for path in sorted(folder.rglob("*")):
            kind = TYPES.get(path.suffix)
            if kind and path.is_file():
                plain, name = path.read_bytes(), path.relative_to(folder).as_posix()
                checksum.update(f"{name} {len(plain)}\n".encode() + plain)
                self._files[name] = _File(kind, plain, gzip.compress(plain, 9, mtime=0))
        self.version = checksum.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Return a file's address. Raises KeyError when there is no such file."""
        if name not in self._files:
            raise KeyError(f"portal/static has no {name!r}")
        return f"/static/{self.version}/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file."""
        request = Request(scope, receive)
        version, _, name = request.path_params["path"].partition("/")
        await self._answer(request, version, name)(scope, receive, send)

    def _answer(self, request: Request, version: str, name: str) -> Response:
        file = self._files.get(name)
        if file is None or version != self.version or request.method not in ("GET", "HEAD"):
            return PlainTextResponse("no such file", 404)
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding", "ETag": f'"{self.version}"'}
        body = file.plain
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = file.squeezed, "gzip"
        return Response(body, media_type=file.kind, headers=headers)
