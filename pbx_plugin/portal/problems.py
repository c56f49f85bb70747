"""What ends a request otherwise than with its page: an error with a page of its own, or a way elsewhere."""

from __future__ import annotations

from collections.abc import Mapping


class PageError(Exception):
    """Ends a request with an error's page. ``status`` chooses the words, ``kind`` finer ones (templates/errors)."""

    def __init__(self, status: int, kind: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {kind}".strip())
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})


class ElsewhereError(Exception):
    """Ends a request by sending the person to another page of the portal."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
