"""Handing on and deleting in a real browser, as somebody with and somebody without the right to it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from portal_fixtures import SignIn
from portal_stage import PortalStage
from sqlalchemy import select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.models import MailRow, RecordingRow
from pbx_plugin.domain.handing import Rules

Picture = Callable[..., Path]


@pytest.fixture(autouse=True)
def _usual(portal_site: PortalStage) -> None:
    with portal_site.desk(portal_site.own) as desk:
        pass
    DatabaseHanding(portal_site.engine).save_rules(desk, Rules(downloads=True))


def last_link(stage: PortalStage) -> str:
    with reading(stage.engine) as session:
        secret = session.scalars(select(MailRow.secret).order_by(MailRow.seq.desc()).limit(1)).one()
    return f"/s/{secret}"


def heard(page: Page) -> bool:
    """Whether the page's player has played some of the sound."""
    played = """audio => new Promise((done, failed) => {
        audio.addEventListener("timeupdate", () => { if (audio.currentTime > 0.2) done(audio.duration > 1); });
        audio.play().catch(failed);
    })"""
    return bool(page.locator("audio").evaluate(played))


@pytest.mark.wide
def test_a_link_is_mailed_opened_by_a_stranger_and_taken_back(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    recording = portal_site.recording("anna", number="+4531200118", seconds=3)
    boss = sign_in("superuser", path=f"/recordings/{recording}/share")
    boss.get_by_label("Recipient").fill("anna@example.com")
    boss.get_by_label("Subject").fill("The offer")
    picture(boss, "share-form")
    boss.get_by_role("button", name="Send").click()
    expect(boss.get_by_text("The link is on its way to anna@example.com")).to_be_visible()
    expect(boss.get_by_text("not opened yet")).to_be_visible()
    stranger = sign_in("stranger", path=last_link(portal_site))
    expect(stranger.get_by_text("+4531200118")).to_be_visible()
    expect(stranger.get_by_role("navigation")).to_have_count(0)
    assert stranger.locator("a:not(.skip-link)").count() == 0
    assert heard(stranger)
    picture(stranger, "share-page")
    boss.reload()
    boss.get_by_text("opened 2 times").click()
    expect(boss.get_by_text("127.0.0.1").first).to_be_visible()
    picture(boss, "share-opened")
    boss.get_by_role("button", name="Take back").click()
    expect(boss.get_by_text("The link opens nothing any more.")).to_be_visible()
    stranger.reload()
    expect(stranger.get_by_text("This link opens nothing")).to_be_visible()
    picture(stranger, "share-dead", whole=False)


@pytest.mark.wide
def test_a_one_time_link_opens_in_the_first_browser_only(portal_site: PortalStage, sign_in: SignIn) -> None:
    recording = portal_site.recording("anna", number="+4531200118", seconds=3)
    boss = sign_in("team leader", path=f"/recordings/{recording}/share")
    boss.get_by_label("Recipient").fill("anna@example.com")
    boss.get_by_label("Opens once only").check()
    boss.get_by_role("button", name="Send").click()
    expect(boss.get_by_text("on its way")).to_be_visible()
    first, second = (sign_in("stranger", path=last_link(portal_site)) for _ in range(2))
    expect(first.get_by_text("+4531200118")).to_have_count(0)
    first.get_by_role("button", name="Open it now").click()
    expect(first.get_by_text("+4531200118")).to_be_visible()
    assert heard(first)
    second.get_by_role("button", name="Open it now").click()
    expect(second.get_by_text("This link opens nothing")).to_be_visible()


@pytest.mark.wide
def test_a_selection_is_fetched_as_a_zip_file_and_the_page_says_how_far_it_is(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture, tmp_path: Path
) -> None:
    recordings = [portal_site.recording("anna"), portal_site.recording("bo")]
    page = sign_in("team leader", path="/account")
    send(page, "/selection/zip", recordings)
    expect(page.get_by_text("2 recordings are selected.")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    path = tmp_path / "fetched.zip"
    started.value.save_as(path)
    assert started.value.suggested_filename.startswith("recordings_")
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3
    expect(page.get_by_text("1 recording is in the file.")).to_be_visible()
    expect(page.get_by_text("1 was left out")).to_be_visible()
    picture(page, "export-done")


def test_deleting_wants_the_tick_and_the_number(portal_site: PortalStage, sign_in: SignIn, picture: Picture) -> None:
    recordings = [portal_site.recording("anna") for _ in range(3)]
    page = sign_in("superuser", path="/account")
    send(page, "/selection/delete", recordings)
    expect(page.get_by_text("3 recordings are deleted for ever")).to_be_visible()
    picture(page, "delete")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("3 recordings are deleted for ever")).to_be_visible()
    page.get_by_label("I understand the consequences").check()
    page.get_by_label("Type how many are deleted").fill("2")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Type the number 3 to confirm")).to_be_visible()
    page.get_by_label("I understand the consequences").check()
    page.get_by_label("Type how many are deleted").fill("3")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("3 recordings are deleted.")).to_be_visible()
    with reading(portal_site.engine) as session:
        rows = session.scalars(select(RecordingRow.deleted_at).where(RecordingRow.id.in_(recordings))).all()
    assert None not in rows


def test_the_switches_are_set_on_a_phone_in_the_dark(sign_in: SignIn, picture: Picture) -> None:
    page = sign_in("superuser", path="/settings/handing", phone=True, dark=True, language="en")
    page.get_by_label("So many may listen at the same time").fill("3")
    page.get_by_label("A second superuser must confirm").check()
    picture(page, "handing-settings-phone-dark")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The settings are saved.")).to_be_visible()
    expect(page.get_by_label("So many may listen at the same time")).to_have_value("3")
    page.goto("/deletions")
    expect(page.get_by_text("Nothing waits to be deleted")).to_be_visible()


def test_an_expiry_is_shown_and_changed(portal_site: PortalStage, sign_in: SignIn, picture: Picture) -> None:
    recording = portal_site.recording("anna")
    page = sign_in("superuser", path=f"/recordings/{recording}/expiry")
    last = page.get_by_label("Last day on which it is kept")
    most = last.get_attribute("max")
    assert most is not None
    last.fill(most)
    picture(page, "expiry")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The expiry is changed.")).to_be_visible()
    expect(last).to_have_value(most)


@pytest.mark.parametrize("role", ["own", "none", "foreign", "stranger"])
def test_who_may_not_hand_on_finds_no_way(
    portal_site: PortalStage, sign_in: SignIn, chromium: Browser, role: str
) -> None:
    recording = portal_site.recording("anna", number="+4531999888")
    page = sign_in(role, path=f"/recordings/{recording}/share")
    expect(page.get_by_role("button", name="Send", exact=True)).to_have_count(0)
    for path in (f"/recordings/{recording}/expiry", f"/recordings/{recording}/download/wav", "/deletions"):
        page.goto(path)
        assert "+4531999888" not in page.content()


def send(page: Page, path: str, recordings: list[str]) -> None:
    """Send a selection as the list's form does."""
    page.evaluate(
        """([path, recordings]) => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = path;
            const field = (name, value) => {
                const one = document.createElement("input");
                one.type = "hidden"; one.name = name; one.value = value;
                form.append(one);
            };
            field("csrf", document.querySelector("input[name=csrf]").value);
            recordings.forEach((id) => field("recording", id));
            document.body.append(form);
            form.submit();
        }""",
        [path, recordings],
    )
