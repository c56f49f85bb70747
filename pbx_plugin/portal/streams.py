"""Sound and files as answers: parts of a file for a player, downloads with a name for people."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import structlog
from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pbx_plugin.portal.middleware import shown_path
from pbx_plugin.portal.problems import PageError
from pbx_plugin.services.handing import Recorded
from pbx_plugin.services.ranges import UnsatisfiableError, part_of
from pbx_plugin.storage.opening import open_stored, pieces

log = structlog.get_logger(__name__)


class Streamed(StreamingResponse):
    """Bytes as they come. What makes them is ended with the answer, also when the browser goes away in the middle."""

    def __init__(
        self,
        content: Iterator[bytes],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status, headers, media_type)
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        except ClientDisconnect:
            log.info("a download was broken off", path=shown_path(scope))
        finally:
            with CancelScope(shield=True):
                await run_in_threadpool(close, self._content)


@dataclass(frozen=True)
class Part:
    """An open file and the part of it that is asked for; ``whole`` when no range was. Must be sent or closed."""

    file: int
    size: int
    first: int
    end: int
    whole: bool
    etag: str

    def close(self) -> None:
        """Close the file, of a part that is not sent."""
        os.close(self.file)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of an answer that holds this part, besides the name."""
        said = {"Accept-Ranges": "bytes", "ETag": self.etag, "Cache-Control": "private, no-store"}
        said["Content-Length"] = str(self.end - self.first)
        if not self.whole:
            said["Content-Range"] = f"bytes {self.first}-{self.end - 1}/{self.size}"
        return said

    def answer(self, *, head: bool = False) -> Response:
        """Return the answer for a player; of a HEAD request its headers only."""
        status, headers = 200 if self.whole else 206, {**self.headers, "Content-Disposition": "inline"}
        if head:
            self.close()
            return Response(None, status, headers, "audio/wav")
        return Streamed(pieces(self.file, self.first, self.end), status, headers, "audio/wav")


def open_part(archive: Path, recorded: Recorded, asked: str | None, if_range: str | None) -> Part:
    """Open a recording's file at the part that a player asks for.

    Raises PageError 404 when there is no sound (any more), 416 for a part behind the end.
    """
    if not recorded.playable:
        raise PageError(404)
    try:
        file = open_stored(archive, recorded.path)
    except OSError as error:
        log.error("a stored file cannot be read", recording=recorded.recording_id, error=str(error))
        raise PageError(404) from error
    size, etag = os.fstat(file).st_size, f'"{recorded.sha256}"'
    try:
        # A part of another file than the one that the player has is of no use to it: it gets the whole.
        part = part_of(asked if if_range in (None, etag) else None, size)
    except UnsatisfiableError as error:
        os.close(file)
        raise PageError(416, headers={"Content-Range": f"bytes */{size}"}) from error
    first, end = part or (0, size)
    return Part(file, size, first, end, part is None, etag)


def download(content: Iterator[bytes], name: str, media_type: str, size: int | None = None) -> Response:
    """Return a download under a name for people; the name may hold any letters."""
    headers = {"Content-Disposition": disposition(name), "Cache-Control": "private, no-store"}
    if size is not None:
        headers["Content-Length"] = str(size)
    return Streamed(content, headers=headers, media_type=media_type)


def close(content: Iterator[bytes]) -> None:
    """Give up bytes that nobody will read, and what stands behind them."""
    end = getattr(content, "close", None)
    if end is not None:
        end()


def disposition(name: str) -> str:
    """Return the header that gives a download its name (RFC 6266): in ASCII for old browsers, and as it is (RFC 8187).

    Nothing of the name can end the header or begin another.
    """
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in " ._+-") else "_" for sign in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='', errors='replace')}"


def no_referrer(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the headers of a page whose address is a secret: it is told to nobody, kept nowhere, and not searched."""
    said = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}
    return {**said, **(more or {})}
