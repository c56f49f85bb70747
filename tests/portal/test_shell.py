"""The shell around every screen: menu, light and dark, phone, keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from portal_fixtures import SignIn

Picture = Callable[..., Path]


def test_somebody_without_a_role_is_told_what_to_do(sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("none")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    expect(page.get_by_text("your account has no role")).to_be_visible()
    picture(page, "shell-none")


def test_tour(sign_in: SignIn, picture: Picture) -> None:
    picture(sign_in("stranger", path="/recordings"), "sign-in")
    picture(sign_in("stranger", path="/sign-in", dark=True), "sign-in-dark")
    picture(sign_in("stranger", path="/sign-in", phone=True, language="da"), "sign-in-phone")
    picture(sign_in("stranger", path="/forgotten"), "forgotten")
    picture(sign_in("own", path="/account"), "account")
    picture(sign_in("own", path="/account", dark=True), "account-dark")
    picture(sign_in("own", path="/account", phone=True), "account-phone")
    page = sign_in("superuser", path="/accounts")
    picture(page, "accounts")
    page.get_by_role("link", name="Tove").click()
    picture(page, "account-form")
    picture(sign_in("superuser", path="/accounts", dark=True), "accounts-dark")
    picture(sign_in("superuser", path="/accounts", phone=True), "accounts-phone")
    picture(sign_in("superuser", path="/accounts/new", phone=True), "account-form-phone")
    page = sign_in("own", path="/sign-in/second-factor")
    page.get_by_role("button", name="Set it up now").click()
    picture(page, "second-factor")
    picture(sign_in("own", path="/nowhere"), "not-found")
