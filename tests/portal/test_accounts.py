"""My account, and the superuser's work on everybody's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from portal_fixtures import SignIn
from portal_stage import PASSWORD, PortalStage

from pbx_plugin.domain.access import Role

Picture = Callable[..., Path]
NEW = "Battery-Staple-7"


def test_somebody_sees_where_they_are_signed_in_and_ends_it_there(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    portal_site.account("busy@one.example")
    here = sign_in("busy@one.example", path="/account")
    there, third = (sign_in("busy@one.example", path="/account") for _ in range(2))
    here.reload()
    own = here.get_by_role("listitem").filter(has_text="this one")
    expect(own).to_have_count(1)
    picture(here, "account")
    here.get_by_role("button", name="Sign out: ").first.click()
    expect(here.get_by_text("1 device is signed out.")).to_be_visible()
    here.get_by_role("button", name="Sign out everywhere else").click()
    expect(here.get_by_text("1 device is signed out.")).to_be_visible()
    for other in (there, third):
        other.reload()
        expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    here.reload()
    expect(here.get_by_role("heading", name="My account")).to_be_visible()


def test_somebody_changes_their_password(portal_site: PortalStage, sign_in: SignIn) -> None:
    portal_site.account("changer@one.example")
    page, elsewhere = (sign_in("changer@one.example", path="/account") for _ in range(2))
    page.get_by_label("Password until now").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password once more").fill(NEW)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_superuser_adds_a_team_leader_and_hands_the_link_over(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    page = sign_in("superuser", path="/accounts")
    page.get_by_role("link", name="New account").click()
    expect(page.get_by_label("Sales 1")).to_be_hidden()
    page.get_by_label("Name", exact=True).fill("Lotte Lund")
    page.get_by_label("E-mail address").fill("lotte@one.example")
    page.get_by_text("Team leader").click()
    page.get_by_label("Sales 1").check()
    page.get_by_label("Hotline 1").check()
    page.get_by_label("download").check()
    picture(page, "account-new")
    page.get_by_role("button", name="Add").click()
    # This site has no mail server, so that the link is shown.
    link = page.get_by_label("Link").input_value()
    guest = sign_in("stranger", path=link)
    guest.get_by_label("New password", exact=True).fill(NEW)
    guest.get_by_label("New password once more").fill(NEW)
    guest.get_by_role("button", name="Set the password").click()
    expect(guest.get_by_text("Your password is set.")).to_be_visible()
    viewer = portal_site.viewer("lotte@one.example")
    assert viewer.role is Role.RESTRICTED
    assert viewer.department_ids == {portal_site.own.departments["Sales"]}
    assert viewer.recording_group_ids == {portal_site.own.recording_groups["Hotline"]}
    assert (viewer.may_listen, viewer.may_download, viewer.may_mail) == (True, True, False)
    page.goto("/accounts?search=lund")
    expect(page.get_by_role("row").filter(has_text="Lotte Lund")).to_contain_text("Sales 1")
    expect(page.get_by_role("row").filter(has_text="Tove")).to_have_count(0)
    picture(page, "accounts-found")


def test_what_does_not_fit_is_told_and_what_was_typed_stays(sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("superuser", path="/accounts/new")
    page.get_by_label("Name", exact=True).fill("Double")
    page.get_by_label("E-mail address").fill("TOVE@one.example")
    page.get_by_text("May sign in, and sees nothing.").click()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("There is an account TOVE@one.example already.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Double")
    page.get_by_label("E-mail address").fill("double@one.example")
    page.get_by_text("Sees the recordings of one user.").click()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("Whose recordings are they?")
    page.get_by_label("User", exact=True).fill("999")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no user with the extension 999.")
    picture(page, "account-refused")


def test_a_superuser_changes_locks_unlocks_and_removes_an_account(portal_site: PortalStage, sign_in: SignIn) -> None:
    account = portal_site.account("temp@one.example")
    theirs = sign_in("temp@one.example", path="/account")
    page = sign_in("superuser", path=f"/accounts/{account.id}")
    page.get_by_text("Sees the recordings of one user.").click()
    page.get_by_label("User", exact=True).fill("102 Bo 1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert portal_site.viewer("temp@one.example").person_id == portal_site.own.people["bo"].id
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.get_by_text("Locked.")).to_be_visible()
    theirs.reload()
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_text("Unlocked.")).to_be_visible()
    page.get_by_role("button", name="Send a link for a new password").click()
    expect(page.get_by_label("Link")).to_have_value(re.compile(re.escape(f"{portal_site.url}/password/")))
    page.get_by_role("link", name="Go on").click()
    page.get_by_text("Remove this account").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("Removed.")).to_be_visible()
    expect(page.get_by_text("temp@one.example")).to_have_count(0)


def test_the_last_superuser_stays(portal_site: PortalStage, sign_in: SignIn) -> None:
    page = sign_in("superuser", path="/accounts")
    page.get_by_role("link", name="Sofie").click()
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("This is the last superuser who can sign in.")
    page.get_by_text("May sign in, and sees nothing.").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("This is the last superuser who can sign in.")
    assert portal_site.viewer("superuser").role is Role.SUPERUSER
