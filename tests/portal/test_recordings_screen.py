"""The list of recordings in a real browser: finding, paging, keys, phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect
from portal_fixtures import SignIn
from portal_stage import PortalStage

Picture = Callable[..., Path]


@pytest.fixture(scope="module")
def calls(portal_site: PortalStage) -> list[str]:
    """Recordings of today, yesterday and long ago, of everybody."""
    now = portal_site.now()
    return [
        portal_site.recording("anna", number="+4531200118", at=now - timedelta(minutes=2)),
        portal_site.recording("bo", number="+4531200119", direction="outgoing", at=now - timedelta(minutes=3)),
        portal_site.recording("cilla", number="<b>+4531</b>", at=now - timedelta(minutes=4), seconds=61),
        portal_site.recording("anna", number="+4531200120", at=now - timedelta(days=20)),
        portal_site.recording("sven", company=portal_site.other, at=now - timedelta(minutes=2)),
    ]


def test_a_superuser_sees_the_company_s_recordings_and_finds_one_by_its_number(
    calls: list[str], sign_in: SignIn, picture: Picture
) -> None:
    page = sign_in("superuser", path="/recordings?period=all")
    expect(page.locator(".rec-row")).to_have_count(4)
    expect(page.get_by_text("4 recordings")).to_be_visible()
    page.get_by_role("searchbox", name="Other number").fill("31 20 01 19")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".rec-row")).to_have_count(1)
    expect(page.locator(".rec-row")).to_contain_text("+4531200119")
    expect(page).to_have_url(f"{page.url.split('/recordings')[0]}/recordings?period=all&number=31+20+01+19")
    page.get_by_title("Without this filter").click()
    expect(page.locator(".rec-row")).to_have_count(4)
    picture(page, "recordings-superuser")


def test_each_sees_only_theirs(calls: list[str], sign_in: SignIn) -> None:
    for role, seen in (("own", 2), ("team leader", 3), ("group leader", 1), ("foreign", 1)):
        page = sign_in(role, path="/recordings?period=all")
        expect(page.locator(".rec-row")).to_have_count(seen)


def test_why_something_was_recorded_is_one_key_away(calls: list[str], sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("own", path="/recordings?period=all")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("?")
    panel = page.get_by_role("region", name="Why was this recorded?")
    expect(panel).to_contain_text("user in mode always")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    page.keyboard.press("?")
    expect(panel).to_be_visible()
    picture(page, "recordings-why", whole=False)


def test_on_a_phone_each_recording_is_a_card(calls: list[str], sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("superuser", path="/recordings?period=all", phone=True, dark=True)
    expect(page.locator(".rec-row")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    picture(page, "recordings-phone-dark")


def test_a_search_that_cannot_be_made_says_what_to_change(sign_in: SignIn) -> None:
    page = sign_in("superuser", path="/recordings?longer=x")
    expect(page.get_by_text("This search cannot be made:")).to_be_visible()
    expect(page.get_by_text("'x' is no length").first).to_be_visible()


def test_a_search_gets_a_name_and_columns_are_chosen(calls: list[str], sign_in: SignIn) -> None:
    page = sign_in("superuser", path="/recordings?period=all&direction=outgoing")
    page.get_by_text("Save this search").click()
    page.get_by_label("Name").fill("Outgoing <i>ones</i>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is saved")).to_be_visible()
    page.goto("/recordings")
    page.locator("summary", has_text="Saved").click()
    page.get_by_role("link", name="Outgoing <i>ones</i>").click()
    expect(page.locator(".rec-row")).to_have_count(1)
    page.locator("summary", has_text="Columns").click()
    page.locator(".rec-columns").get_by_label("Rule").check()
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("columnheader", name="Rule")).to_be_visible()
