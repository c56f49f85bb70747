"""Coming in: by password, by a mailed link, with a second factor, past terms and a forced change; and going out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Page, expect
from portal_fixtures import SignIn
from portal_stage import PASSWORD, PortalStage
from sqlalchemy import select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import MailRow
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import Rules
from pbx_plugin.services import accounts, portal_settings
from pbx_plugin.services.account_mails import link_address

Picture = Callable[..., Path]
NEW = "Battery-Staple-7"


def fill_in(page: Page, email: str, password: str = PASSWORD, company: str = "Company One") -> None:
    """Type into the sign-in page and send it."""
    page.get_by_label("Customer reference").fill(company)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("textbox", name="Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def choose_password(page: Page, button: str, new: str = NEW, again: str | None = None) -> None:
    """Type a new password twice and send it."""
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password once more").fill(again or new)
    page.get_by_role("button", name=button).click()


def test_somebody_signs_in_finds_what_they_wanted_and_signs_out(sign_in: SignIn) -> None:
    page = sign_in("stranger", path="/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    fill_in(page, "anna@one.example")
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    assert page.url.endswith("/account")
    page.get_by_label("My account: Anna").click()
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto("/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_told_and_only_the_password_is_forgotten(sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("stranger", path="/sign-in")
    fill_in(page, "anna@one.example", "Wrong-Horse-9")
    expect(page.get_by_role("alert")).to_contain_text("This is not right")
    expect(page.get_by_label("E-mail address")).to_have_value("anna@one.example")
    expect(page.get_by_role("textbox", name="Password", exact=True)).to_have_value("")
    picture(page, "sign-in-wrong")


def test_the_password_can_be_looked_at_while_it_is_typed(sign_in: SignIn) -> None:
    page = sign_in("stranger", path="/sign-in")
    field = page.get_by_role("textbox", name="Password", exact=True)
    field.fill("abc")
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="Show the password").click()
    expect(field).to_have_attribute("type", "text")


def test_the_customer_reference_of_another_company_lets_nobody_in(sign_in: SignIn) -> None:
    page = sign_in("stranger", path="/sign-in")
    fill_in(page, "anna@one.example", company="Secret Two")
    expect(page.get_by_role("alert")).to_contain_text("This is not right")


def test_who_stays_signed_in_has_a_cookie_that_outlives_the_browser(sign_in: SignIn) -> None:
    for kept in (True, False):
        page = sign_in("stranger", path="/sign-in")
        if kept:
            page.get_by_label("Stay signed in on this device").check()
        fill_in(page, "tove@one.example")
        expect(page.get_by_label("My account: Tove")).to_be_visible()
        (cookie,) = [one for one in page.context.cookies() if one["name"] == "pbxrec_session"]
        assert (cookie["expires"] > 0) is kept
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"


def test_an_invited_person_chooses_a_password_by_the_rules_and_signs_in(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    account = portal_site.account("invited@one.example", password="", role=Role.SUPERUSER)
    with portal_site.office(portal_site.own) as office:
        link = link_address(office.tools, accounts.invite(office, account, mailed=False))
    page = sign_in("stranger", path=link)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    expect(page.get_by_text("Company One")).to_be_visible()
    page.get_by_label("New password", exact=True).fill("aB3")
    expect(page.locator("[data-rule=upper]")).to_have_class("kept")
    expect(page.locator("[data-rule=length]")).not_to_have_class("kept")
    picture(page, "invitation")
    choose_password(page, "Set the password", "short")
    expect(page.get_by_role("alert")).to_contain_text("it is too short")
    expect(page.get_by_role("alert")).to_contain_text("it has no capital letter")
    choose_password(page, "Set the password", NEW, "Something-Else-1")
    expect(page.get_by_role("alert")).to_contain_text("not the same")
    choose_password(page, "Set the password")
    expect(page.get_by_text("Your password is set.")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_value("invited@one.example")
    fill_in(page, "invited@one.example", NEW)
    expect(page.get_by_label("My account: Invited")).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
    picture(page, "link-dead")


def test_a_forgotten_password_is_set_anew_by_a_mailed_link(portal_site: PortalStage, sign_in: SignIn) -> None:
    portal_site.account("forgetful@one.example")
    page = sign_in("stranger", path="/sign-in")
    page.get_by_role("link", name="I have forgotten my password").click()
    told = []
    for email in ("forgetful@one.example", "nobody@one.example"):
        page.goto("/forgotten")
        page.get_by_label("Customer reference").fill("company one")
        page.get_by_label("E-mail address").fill(email)
        page.get_by_role("button", name="Mail me a link").click()
        expect(page.get_by_text("If there is an account with this address")).to_be_visible()
        told.append(page.locator(".card").inner_text())
    assert told[0] == told[1]
    page.goto(mailed_link(portal_site, "forgetful@one.example"))
    choose_password(page, "Set the password")
    fill_in(page, "forgetful@one.example", NEW)
    expect(page.get_by_label("My account: Forgetful")).to_be_visible()


def test_a_password_that_somebody_else_gave_is_changed_before_anything_is_shown(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    portal_site.account("fresh@one.example", must_change=True)
    page = sign_in("stranger", path="/account")
    fill_in(page, "fresh@one.example")
    expect(page.get_by_role("heading", name="A new password")).to_be_visible()
    picture(page, "forced-change")
    page.goto("/account")
    expect(page.get_by_role("heading", name="A new password")).to_be_visible()
    page.get_by_label("Password until now").fill("Wrong-Horse-9")
    choose_password(page, "Change the password")
    expect(page.get_by_role("alert")).to_contain_text("The old password is not right")
    page.get_by_label("Password until now").fill(PASSWORD)
    choose_password(page, "Change the password", PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("you have used it before")
    page.get_by_label("Password until now").fill(PASSWORD)
    choose_password(page, "Change the password")
    expect(page.get_by_text("Your password is changed.")).to_be_visible()


def test_a_second_factor_is_set_up_asked_for_and_switched_off(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    portal_site.account("careful@one.example", role=Role.SUPERUSER)
    page = sign_in("careful@one.example", path="/account")
    page.get_by_role("link", name="Set it up").click()
    page.get_by_role("button", name="Set it up now").click()
    key = page.get_by_label("Key", exact=True).inner_text().replace(" ", "")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    assert page.get_by_label("Key", exact=True).inner_text().replace(" ", "") == key
    page.get_by_label("Code").fill(code(portal_site, key))
    page.get_by_role("button", name="Switch it on").click()
    codes = page.get_by_label("Recovery codes").locator("li").all_inner_texts()
    assert len(set(codes)) >= 8
    picture(page, "recovery-codes")
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text(re.compile("recovery codes are left"))).to_be_visible()

    for given in ("the phone's", "a recovery code"):
        portal_site.later(seconds=31)
        other = sign_in("stranger", path="/account")
        fill_in(other, "careful@one.example")
        expect(other.get_by_role("heading", name="Second factor")).to_be_visible()
        other.goto("/accounts")
        expect(other.get_by_role("heading", name="Second factor")).to_be_visible()
        picture(other, "second-factor-code")
        other.get_by_label("Code").fill(code(portal_site, key) if given == "the phone's" else codes[0])
        other.get_by_role("button", name="Go on").click()
        expect(other.get_by_label("My account: Careful")).to_be_visible()

    page.goto("/account")
    page.get_by_text("Switch it off").click()
    page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Switch the second factor off").click()
    expect(page.get_by_text("The second factor is off.")).to_be_visible()


def test_a_company_that_asks_for_a_second_factor_lets_nobody_past_it(portal_site: PortalStage, sign_in: SignIn) -> None:
    portal_site.account("chief@two.example", role=Role.SUPERUSER)
    with portal_site.office(portal_site.other) as office:
        wanted = Rules(factor_roles=frozenset({Role.SUPERUSER}))
        office.store.save_rules(portal_site.other.tenant.id, wanted, author="x", at=portal_site.now())
    page = sign_in("stranger", path="/accounts")
    fill_in(page, "chief@two.example", company="Secret Two")
    expect(page.get_by_text("Your company asks for a second factor")).to_be_visible()
    page.get_by_role("button", name="Set it up now").click()
    key = page.get_by_label("Key", exact=True).inner_text().replace(" ", "")
    page.get_by_label("Code").fill(code(portal_site, key))
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Accounts")).to_be_visible()


def test_terms_are_read_and_accepted_once_and_again_when_they_change(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    portal_site.account("reader@two.example")
    for text in ("Be kind.\n\nAlways.", "Be kind & <b>brief</b>."):
        with portal_site.office(portal_site.other) as office:
            portal_settings.set_terms(office, {"en": text})
        page = sign_in("reader@two.example", path="/account")
        expect(page.get_by_role("heading", name="Terms of use")).to_be_visible()
        expect(page.get_by_role("region", name="Terms of use")).to_contain_text(text.split("\n")[0])
        picture(page, "terms")
        page.get_by_label("I have read these terms").check()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("heading", name="My account")).to_be_visible()
        page.goto("/account")
        expect(page.get_by_role("heading", name="My account")).to_be_visible()


def test_the_account_s_language_goes_with_the_person(portal_site: PortalStage, sign_in: SignIn) -> None:
    portal_site.account("dansker@one.example")
    page = sign_in("stranger", path="/sign-in", language="da-DK")
    expect(page.get_by_role("heading", name="Log ind")).to_be_visible()
    page = sign_in("dansker@one.example", path="/account", language="de")
    page.get_by_label("Language: English").click()
    page.get_by_role("button", name="Dansk").click()
    expect(page.get_by_role("heading", name="Min konto")).to_be_visible()
    elsewhere = sign_in("dansker@one.example", path="/account", language="nl")
    expect(elsewhere.get_by_role("heading", name="Min konto")).to_be_visible()


@pytest.mark.parametrize("language", ["da", "sv", "nl", "de"])
def test_every_language_fits_on_a_phone(sign_in: SignIn, picture: Picture, language: str) -> None:
    page = sign_in("stranger", path="/sign-in", phone=True, language=language)
    assert page.locator("html").get_attribute("lang") == language
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    picture(page, f"sign-in-{language}")


def code(stage: PortalStage, key: str) -> str:
    """Return what the app on the phone shows now."""
    return pyotp.TOTP(key).at(stage.now())


def mailed_link(stage: PortalStage, email: str) -> str:
    """Return the link of the last mail to somebody."""
    with stage.office(stage.own) as office:
        account = accounts.find(office, email)
        token = last_secret(stage, account.id)
        return link_address(office.tools, token)


def last_secret(stage: PortalStage, account_id: str) -> str:
    """Return what the outbox keeps for the last mail about an account until it is sent."""
    with reading(stage.engine) as session:
        rows = session.scalars(select(MailRow).where(MailRow.about == account_id).order_by(MailRow.due_at.desc())).all()
        return str(rows[0].secret)
