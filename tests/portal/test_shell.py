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
