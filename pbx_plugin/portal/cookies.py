"""The portal's cookies: their names, and how each is set."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response

SESSION = "pbxrec_session"
"""The secret of a session; not readable by scripts."""
VISIT = "pbxrec_visit"
"""A random word of a browser that is not signed in, which its forms are tied to; not readable by scripts."""
LANGUAGE = "pbxrec_language"
"""The language chosen by somebody who is not signed in."""
THEME = "pbxrec_theme"
"""``light`` or ``dark`` where somebody chose; a script reads and writes it too."""
SAID = "pbxrec_said"
"""What is to be said on the next page, once."""

YEAR = 365 * 24 * 3600


class Cookies:
    """Reads and writes cookies. ``secure`` prefixes names with ``__Host-``, so that no other host can set them."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure

    def name(self, cookie: str) -> str:
        """Return a cookie's name on the wire. The theme has one name, for the script's sake."""
        return f"__Host-{cookie}" if self._secure and cookie != THEME else cookie

    def get(self, request: HTTPConnection, cookie: str) -> str:
        """Return a cookie's value, empty where there is none."""
        return request.cookies.get(self.name(cookie), "")

    def set(self, response: Response, cookie: str, value: str, *, seconds: int | None = None) -> None:
        """Set a cookie; without ``seconds`` the browser forgets it when it is closed."""
        response.set_cookie(
            self.name(cookie), value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def drop(self, response: Response, cookie: str) -> None:
        """Let the browser forget a cookie."""
        response.delete_cookie(self.name(cookie), path="/", secure=self._secure, httponly=True, samesite="lax")

    def sets(self, headers: MutableHeaders, cookie: str) -> bool:
        """Whether an answer sets a cookie."""
        return any(line.startswith(f"{self.name(cookie)}=") for line in headers.getlist("set-cookie"))
