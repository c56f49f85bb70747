"""Photographs the portal of a demonstration that was left up, for the documentation: ``sh deploy/pictures.sh``.

Every main screen on a wide screen, light and dark, and on a phone, with what people do there: play, note, flag, judge,
mail a link, select, ask for consequences. A person of the demonstration signs in as people do, by their link.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from pbx_plugin.sandbox.demo_portal import ACCOUNTS, invite
from pbx_plugin.settings import load_settings

PASSWORD = f"Marimba-{secrets.token_hex(6)}-7"
"""Another one each time: none of the last ones is taken."""
LARGEST = 150_000
PATIENCE_MS = 8000
WIDE, PHONE = {"width": 1180, "height": 820}, {"width": 390, "height": 844}
NOTES = (("1", "Asks for last month's invoice once more"), ("4", "Promised to call back on Thursday"))


class Photographer:
    """Looks at the portal as one person, and keeps what it sees in a folder."""

    def __init__(self, browser: Browser, url: str, folder: Path, email: str) -> None:
        self._browser, self._url, self._folder = browser, url, folder
        self._state = browser.new_context(base_url=url)
        self.sign_in(self._state, email)

    def sign_in(self, context: BrowserContext, email: str) -> None:
        """Set the password by the one-time link, then sign in with it."""
        links = {one.email: one.link for one in invite(load_settings())}
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(links[email])
        page.fill("#new", PASSWORD)
        page.fill("#again", PASSWORD)
        page.locator("form:has(#new) button[type=submit]").click()
        page.wait_for_url("**/sign-in**")
        page.fill("input[name=email]", email)
        page.fill("input[type=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{self._url}/recordings")

    def open(self, path: str, *, dark: bool = False, phone: bool = False) -> Page:
        """Open a page in a browser of its own."""
        context = self._browser.new_context(
            base_url=self._url,
            color_scheme="dark" if dark else "light",
            viewport=PHONE if phone else WIDE,  # type: ignore[arg-type]
            has_touch=phone,
            locale="en",
            storage_state=self._state.storage_state(),
        )
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(path)
        page.wait_for_load_state("networkidle")
        return page

    def take(self, page: Page, name: str, *, whole: bool = False) -> None:
        """Keep a picture, and close its browser."""
        path = self._folder / f"{name}.png"
        page.wait_for_timeout(400)
        page.screenshot(path=path, full_page=whole, animations="disabled")
        if path.stat().st_size > LARGEST:
            sys.stderr.write(f"{path.name} has {path.stat().st_size} bytes: {LARGEST} at most\n")
        page.context.close()


def work(photographer: Photographer) -> str:
    """Do on the first recording of the list what people do, and return its address."""
    page = photographer.open("/recordings")
    address = page.locator("a.rec-open").last.get_attribute("href") or ""
    page.goto(address)
    for second, text in NOTES:
        if page.get_by_text(text).count() == 0:
            page.goto(f"{address}#t={second}")
            page.fill("#note", text)
            page.get_by_role("button", name="Add").click()
            page.get_by_text(text).first.wait_for()
    if page.locator("#evaluation .badge").count() == 0:
        press(page, "#marks input[name=flag][value=green]")
        page.wait_for_timeout(500)
        page.select_option("select[name=outcome]", label="Call back")
        page.wait_for_timeout(500)
        for key, answer in (("greeting", 5), ("listening", 4), ("understood", 5), ("solved", 3)):
            press(page, f"input[name='answer:{key}'][value='{answer}']")
        page.get_by_role("button", name="Save evaluation").click()
        page.locator("#evaluation .badge").wait_for()
    page.context.close()
    return address


def press(page: Page, what: str) -> None:
    """Click something that is covered by what stands for it, or folded away."""
    page.locator(what).evaluate("one => one.click()")


def draw(photographer: Photographer) -> None:
    """Take every picture."""
    recording = work(photographer)
    for dark in (False, True):
        shade = "dark" if dark else "light"
        page = photographer.open("/recordings", dark=dark)
        page.locator("input[name=recording]").first.check()
        photographer.take(page, f"recordings-{shade}")
        page = photographer.open(f"{recording}#t=2", dark=dark)
        photographer.take(page, f"recording-{shade}", whole=False)
    pages = {
        "unrecorded": "/unrecorded",
        "calls": "/calls",
        "results": "/evaluations",
        "accounts": "/accounts",
        "settings-form": "/settings/evaluation",
        "settings-signing": "/settings/signing",
        "mail-a-link": f"{recording}/share",
    }
    for name, path in pages.items():
        photographer.take(photographer.open(path), name)
    page = photographer.open("/recordings")
    press(page, ".rec-why >> nth=-1")
    page.locator("#why:not([hidden])").wait_for()
    photographer.take(page, "why")
    page = photographer.open("/recordings")
    for box in page.locator("input[name=recording]:visible").all():
        box.check()
    page.locator("#selection").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/selection/delete")
    photographer.take(page, "delete")
    photographer.take(photographer.open("/recordings", phone=True), "recordings-phone")
    photographer.take(photographer.open(f"{recording}#t=2", phone=True, dark=True), "recording-phone-dark")


def main() -> int:
    """Photograph the portal that the configuration in the environment names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    url = f"http://127.0.0.1:{load_settings().portal.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        draw(Photographer(browser, url, folder, ACCOUNTS[0].email or ""))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
