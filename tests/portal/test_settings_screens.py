"""Settings and results as a superuser works on them; the bar of a selection, clicked in the list itself."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import expect
from portal_fixtures import SignIn
from portal_stage import PortalStage

from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.domain.handing import Rules
from pbx_plugin.services.handing import set_rules

Picture = Callable[..., Path]
QUESTIONS = (("Manner", "Did they greet?"), ("Manner", "Did they listen?"), ("Matter", "Was it solved?"))


def test_a_superuser_writes_lists_and_form_and_sees_what_evaluations_come_to(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    recording = portal_site.recording("anna", at=portal_site.now() - timedelta(minutes=3))
    page = sign_in("superuser", path="/evaluations")
    expect(page.get_by_text("There is no evaluation form yet")).to_be_visible()
    page.get_by_role("link", name="Write the form").click()
    for at, (category, question) in enumerate(QUESTIONS):
        page.locator("input[name=category]").nth(at).fill(category)
        page.locator("input[name=question]").nth(at).fill(question)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The settings are saved.")).to_be_visible()
    expect(page.locator("input[name=question]")).to_have_count(len(QUESTIONS) + 3)

    page.get_by_role("link", name="Lists").click()
    page.get_by_label("Outcome").fill("Sold\n\nCall <b>back</b>\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Outcome")).to_have_value("Sold\nCall <b>back</b>")

    page.goto(f"/recordings/{recording}")
    page.select_option("#outcome", label="Call <b>back</b>")
    for group in page.locator("#evaluation").get_by_role("radiogroup").all():
        group.locator("input[value='5']").evaluate("one => one.click()")
    page.get_by_role("button", name="Save evaluation").click()
    expect(page.locator("#evaluation .badge")).to_have_text("100%")

    page.goto("/evaluations")
    expect(page.get_by_role("row", name="Anna 1")).to_contain_text("100%")
    picture(page, "results")
    page = sign_in("group leader", path="/evaluations")
    expect(page.get_by_text("Anna 1")).to_have_count(0)
    page = sign_in("own", path="/")
    expect(page.get_by_role("link", name="Results")).to_have_count(0)
    page.get_by_role("link", name="Calls", exact=True).click()
    expect(page.get_by_role("heading", name="My calls")).to_be_visible()


def test_rules_terms_and_company_are_changed_and_what_is_wrong_is_said(
    portal_site: PortalStage, sign_in: SignIn
) -> None:
    page = sign_in("foreign", path="/settings")
    expect(page.get_by_label("Name")).to_have_value("Secret Two")
    page.get_by_label("Name").fill("COMPANY one")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("COMPANY one")
    page.get_by_label("Name").fill("Secret Three")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Name")).to_have_value("Secret Three")

    page.get_by_role("link", name="Signing in").click()
    page.get_by_label("Characters at least").fill("12")
    page.get_by_label("a digit").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Characters at least")).to_have_value("12")
    expect(page.get_by_label("a digit")).not_to_be_checked()
    expect(page.get_by_label("a capital letter")).to_be_checked()

    page.get_by_role("link", name="Terms of use").click()
    page.get_by_label("Svenska").fill("Lyssna bara när du måste.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Lyssna bara när du måste.")).to_be_visible()  # and so is everybody asked at once
    page = sign_in("superuser", path="/settings/terms")
    expect(page.get_by_text("Nobody is asked to accept anything.")).to_be_visible()


def test_what_is_ticked_in_the_list_is_fetched_as_a_zip_file_and_deleted(
    portal_site: PortalStage, sign_in: SignIn
) -> None:
    with portal_site.desk(portal_site.own) as desk:
        pass
    set_rules(DatabaseHanding(portal_site.engine), desk, Rules(downloads=True))
    number = "+4531200555"
    recordings = [portal_site.recording("anna", number=number) for _ in range(2)]
    page = sign_in("superuser", path=f"/recordings?period=all&number={number.removeprefix('+')}")
    for recording in recordings:
        page.locator(f"input[name=recording][value='{recording}']").check()
    page.get_by_role("button", name="Download as zip").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    with zipfile.ZipFile(download.value.path()) as packed:
        manifest = json.loads(packed.read("manifest.json"))
    assert len(manifest["recordings"]) == len(recordings)

    page.goto(f"/recordings?period=all&number={number.removeprefix('+')}")
    page.locator("input[name=recording]").first.check()
    page.get_by_label("instead, all that this search finds").check()
    page.locator("#selection").get_by_role("button", name="Delete").click()
    page.get_by_label("I understand the consequences").check()
    page.locator("input[name=count]").fill("2")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 recordings are deleted.")).to_be_visible()
    page.goto(f"/recordings?period=all&number={number.removeprefix('+')}")
    expect(page.get_by_text("No recording is found")).to_be_visible()
