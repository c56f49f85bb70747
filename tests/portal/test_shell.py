"""The shell around every screen: menu, light and dark, phone, keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from portal_fixtures import SignIn

Picture = Callable[..., Path]


def look(page: Page, theme: str) -> None:
    """Expect a page to be light or dark."""
    expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)


def test_somebody_without_a_role_is_told_what_to_do(sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("none")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    expect(page.get_by_text("your account has no role")).to_be_visible()
    picture(page, "shell-none")


def test_the_menu_has_what_the_role_may(sign_in: SignIn) -> None:
    for role, has in (("superuser", True), ("own", False), ("team leader", False)):
        page = sign_in(role, path="/account")
        menu = page.get_by_role("navigation", name="Menu")
        expect(menu.get_by_role("link", name="Recordings")).to_be_visible()
        expect(menu.get_by_role("link", name="Accounts")).to_have_count(int(has))


def test_pages_are_as_dark_as_the_system_until_somebody_chooses(sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("own", path="/account", dark=True)
    look(page, "dark")
    picture(page, "account-dark")
    page.emulate_media(color_scheme="light")
    look(page, "light")
    page.get_by_role("button", name="Light or dark").click()
    look(page, "dark")
    page.reload()
    look(page, "dark")
    page.get_by_role("button", name="Light or dark").click()
    page.emulate_media(color_scheme="dark")
    page.reload()
    look(page, "light")


def test_on_a_phone_the_menu_opens_and_no_page_is_wider_than_the_screen(sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("superuser", path="/account", phone=True)
    menu = page.get_by_role("navigation", name="Menu")
    expect(menu).to_be_hidden()
    button = page.get_by_role("button", name="Menu")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(menu).to_be_visible()
    picture(page, "menu-phone", whole=False)
    menu.get_by_role("link", name="Accounts").click()
    for path in ("/accounts", "/accounts/new", "/account"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        picture(page, f"{path.strip('/')}-phone")


def test_everything_is_reached_by_keyboard(sign_in: SignIn) -> None:
    page = sign_in("superuser", path="/account")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.get_by_label("My account: Sofie").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="My account")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="My account")).to_be_hidden()
    expect(page.get_by_label("My account: Sofie")).to_be_focused()


def test_a_menu_that_dropped_down_closes_on_a_click_elsewhere(sign_in: SignIn) -> None:
    page = sign_in("own", path="/account")
    page.get_by_label("Language: English").click()
    expect(page.get_by_role("button", name="Dansk")).to_be_visible()
    page.get_by_role("heading", name="My account").click()
    expect(page.get_by_role("button", name="Dansk")).to_be_hidden()


@pytest.mark.parametrize("path", ["/sign-in", "/forgotten", "/nowhere"])
def test_pages_work_without_scripts(sign_in: SignIn, path: str) -> None:
    page = sign_in("stranger", path=path, scripts=False)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("path", ["/account", "/accounts", "/accounts/new", "/nowhere"])
def test_every_field_and_button_has_a_name_and_headings_are_in_order(sign_in: SignIn, path: str) -> None:
    page = sign_in("superuser", path=path)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a, summary')]
        .filter(one => !(one.labels && one.labels.length) && !one.getAttribute('aria-label')
          && !one.textContent.trim() && !one.title)
        .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
