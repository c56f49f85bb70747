"""Answers in HTML: a screen's template filled with its values, in the reader's language.

``page(request, "name.html", **values)`` is all that a screen needs. Every template has, beside its values: ``viewer``
(None when nobody is signed in), ``menu``, ``tongue``, ``languages``, ``csrf`` (the token for a form, see
``macros.html``), ``nonce``, ``static(name)``, ``path``, ``theme``, ``said``, and the filters ``moment``, ``day``,
``clock``, ``number``, ``percent`` and ``lasting`` (of seconds). A value that is missing is an
error, not an empty place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pbx_plugin.domain.access import Action, Viewer, may
from pbx_plugin.portal import csrf, words
from pbx_plugin.portal.cookies import LANGUAGE, SAID, THEME, VISIT, Cookies
from pbx_plugin.portal.menu import entries_for
from pbx_plugin.portal.refusals import retold, retold_values
from pbx_plugin.portal.static import StaticFiles
from pbx_plugin.portal.words import LANGUAGES, Tongue

FOLDER = Path(__file__).parent / "templates"
THEMES = ("light", "dark")
SAID_SECONDS = 60


class Pages:
    """The templates in every language. One an application, at ``app.state.pages``."""

    def __init__(self, tongues: Mapping[str, Tongue], static: StaticFiles) -> None:
        self.tongues = tongues
        self.static = static
        self._environments = {language: self._environment(tongue) for language, tongue in tongues.items()}

    def render(self, name: str, language: str, values: Mapping[str, Any]) -> str:
        """Return a page."""
        return self._environments[language].get_template(name).render(values)

    def _environment(self, tongue: Tongue) -> Environment:
        made = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        # Installed by the extension, and unknown to its types.
        cast("Any", made).install_gettext_callables(tongue.catalogue.gettext, tongue.catalogue.ngettext, newstyle=True)
        for name in ("moment", "day", "clock", "number", "percent"):
            made.filters[name] = getattr(tongue, name)
        made.filters["lasting"] = words.length
        made.filters["retold"] = partial(retold, tongue)
        made.globals |= {"tongue": tongue, "languages": LANGUAGES, "static": self.static.url, "Action": Action}
        return made


def page(
    request: Request, name: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """Return the page of a template (a whole one, or a part for htmx), in the reader's language."""
    pages: Pages = request.app.state.pages
    cookies: Cookies = request.app.state.cookies
    viewer = viewer_of(request)
    secret = csrf.secret_of(request, cookies)
    visit = "" if secret else request.state.visit
    theme = request.cookies.get(THEME, "")
    said = cookies.get(request, SAID)
    shown = {
        "viewer": viewer,
        "menu": entries_for(viewer),
        "csrf": csrf.token(secret or visit),
        "nonce": request.state.nonce,
        "path": request.url.path,
        "theme": theme if theme in THEMES else "",
        "said": unquote(said),
        "may": may,
        "bare": viewer is None,
        **values,
        **dict(retold_values(tongue_of(request), values)),
    }
    answer = HTMLResponse(pages.render(name, language_of(request), shown), status, dict(headers or {}))
    if visit:
        cookies.set(answer, VISIT, visit)
    if said:
        cookies.drop(answer, SAID)
    return answer


def tongue_of(request: Request) -> Tongue:
    """Return the reader's language, for sentences that come from code: ``tongue_of(request).gettext("Saved.")``."""
    pages: Pages = request.app.state.pages
    return pages.tongues[language_of(request)]


def language_of(request: Request) -> str:
    """Return the code of the reader's language: their account's, else the one chosen here, else that of the link that
    brought them, else the browser's."""
    cookies: Cookies = request.app.state.cookies
    standing = getattr(request.state, "standing", None)
    account = standing.account.language if standing is not None else ""
    link = getattr(request.state, "language", "")
    return words.choose(request.headers.get("accept-language", ""), account, cookies.get(request, LANGUAGE), link)


def viewer_of(request: Request) -> Viewer | None:
    """Return who is signed in, as far as the screen has asked for that."""
    return getattr(request.state, "viewer", None)


def go(request: Request, path: str, *, said: str = "") -> Response:
    """Send the person to another page of the portal, after a form; ``said`` is told there, once, and is translated."""
    cookies: Cookies = request.app.state.cookies
    answer: Response
    if request.headers.get("hx-request"):
        answer = Response(status_code=204, headers={"HX-Redirect": path})
    else:
        answer = RedirectResponse(path, 303)
    if said:
        cookies.set(answer, SAID, quote(said[:500]), seconds=SAID_SECONDS)
    return answer
