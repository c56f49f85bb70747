"""What the tests in a real browser share; see README.md beside this."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from portal_stage import PortalStage

from pbx_plugin.db.migrate import upgrade
from pbx_plugin.portal.cookies import SESSION

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PICTURES = "PBX_PLUGIN_PICTURES"
"""Environment variable: the folder into which pages are photographed. Without it they go to the test's own folder."""
PATIENCE_MS = 15_000
STOPPED = """addEventListener('securitypolicyviolation', (event) =>
  console.error(`stopped by the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))"""
"""Runs in every page: what the Content-Security-Policy stops is a complaint of the page."""

SignIn = Callable[..., Page]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and nothing in them, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "empty.sqlite"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module")
def portal_site(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[PortalStage]:
    """Two companies behind a served portal, shared by the tests of a file."""
    folder = tmp_path_factory.mktemp("portal")
    stage = PortalStage(folder, Path(shutil.copy(empty_database, folder / "pbx.sqlite")))
    with stage.served():
        yield stage


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium as Debian has it."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.fail("no Chromium here: run 'sh deploy/test.sh', or as root: apt-get install chromium")
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def sign_in(portal_site: PortalStage, chromium: Browser) -> Iterator[SignIn]:
    """Open a browser of its own for somebody: ``sign_in("own")`` returns their page, at the portal's first one.

    In place of a role there may be the address of an account that the test made (``portal_site.account(...)``).

    ``dark`` and ``phone`` are how they look at it. Whatever the page complains about (a script's error, something that
    the Content-Security-Policy stopped, a file that is not there) fails the test, unless ``page.complaints`` is
    cleared.
    """
    opened: list[tuple[BrowserContext, list[str]]] = []

    def open_for(
        role: str,
        *,
        dark: bool = False,
        phone: bool = False,
        path: str = "/",
        language: str = "en",
        scripts: bool = True,
    ) -> Page:
        context = chromium.new_context(
            base_url=portal_site.url,
            color_scheme="dark" if dark else "light",
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
            locale=language,
            has_touch=phone,
            java_script_enabled=scripts,
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(STOPPED)
        secret = portal_site.session(role)
        if secret:
            context.add_cookies([{"name": SESSION, "value": secret, "url": portal_site.url, "httpOnly": True}])
        complaints: list[str] = []
        opened.append((context, complaints))
        page = context.new_page()
        page.on("console", lambda said: _note(said, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.complaints = complaints  # type: ignore[attr-defined]
        page.goto(path)
        return page

    yield open_for
    for context, _ in opened:
        context.close()
    assert [complaint for _, complaints in opened for complaint in complaints] == []


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Photograph a page: ``picture(page, "recordings-dark")`` returns the file."""
    folder = Path(os.environ.get(PICTURES) or tmp_path)

    def take(page: Page, name: str, *, whole: bool = True) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{re.sub('[^a-z0-9-]+', '-', name.lower())}.png"
        page.screenshot(path=path, full_page=whole)
        return path

    return take


def _note(said: ConsoleMessage, complaints: list[str]) -> None:
    # Answers that are no success are told here too: tests ask for some on purpose.
    if said.type == "error" and "the server responded with a status of" not in said.text:
        complaints.append(said.text)
