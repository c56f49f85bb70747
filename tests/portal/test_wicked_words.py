"""Words of callers, users and forms that want to be a program stay words, on every page that has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from portal_fixtures import SignIn
from portal_stage import PortalStage
from sqlalchemy import select

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.models import CallRow, MailRow, RecordingRow
from pbx_plugin.db.working import change_work
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.entries import LegMoved
from pbx_plugin.domain.handing import Rules
from pbx_plugin.domain.working import ChoiceKind
from pbx_plugin.portal.app import SCREENS
from pbx_plugin.services import evaluating, people, recording_groups, working
from pbx_plugin.services.audit import Desk

WICKED = "\"'><img src=x onerror='hit=1'><script>hit=1</script><b x-init='hit=1'>{{7*7}}"
SHORT = '"><svg onload=hit=1>'
"""For what has little room, such as a caller's number."""
NO_PAGES = ("/audio", "/peaks", "/download/", "/file", "/state", "/sign-in", "/password/", "/forgotten")


@dataclass
class Wicked:
    """What there is to look at."""

    recording: str
    call: str
    paths: list[str]
    link: str


@pytest.fixture(scope="module")
def wicked(portal_site: PortalStage) -> Wicked:
    """A company in which everything that can be named is named as wickedly as it goes."""
    site = portal_site
    with site.desk(site.own) as desk:
        people.add_department(desk, f"D{WICKED}")
        wish = people.PersonWish(
            name=f"U{WICKED}", extension="199", mode=Mode.ALWAYS, department=f"D{WICKED}", devices=["PJSIP/199"]
        )
        site.own.people["wicked"] = people.enrol(desk, people.add(desk, wish))
        recording_groups.add(desk, f"G{WICKED}", ["199"])
    DatabaseHanding(site.engine).save_rules(_desk(site), Rules(downloads=True))
    with change_work(site.engine) as work:
        desk = Desk(work.directory, site.own.tenant, f"A{SHORT}", site.now(), lambda: str(uuid4()))
        working.set_choices(work, desk, None, ChoiceKind.OUTCOME, [f"O{WICKED}"])
        working.set_choices(work, desk, None, ChoiceKind.RESPONSE, [f"R{WICKED}"])
        question = {"key": "q", "text": f"Q{WICKED}"}
        evaluating.set_form(work, desk, None, {"categories": [{"name": f"C{WICKED}", "questions": [question]}]})
    recording = site.recording("wicked", number=f"+45{SHORT}", seconds=5)
    with writing(site.engine) as session:
        row = session.get_one(RecordingRow, recording)
        call = session.get_one(CallRow, row.call_id)
        call.dialled_raw = row.ddi = SHORT
        linkedid, at = call.linkedid, row.at
    site.apply(LegMoved(call.id, linkedid, at + timedelta(seconds=2), "hold", WICKED))
    client = site.client("superuser")
    account = site.account("wicked@one.example")
    form = {"email": account.email, "name": f"N{WICKED}", "role": "none"}
    assert client.post(f"/accounts/{account.id}", form).status_code == 303
    place = f"/recordings/{recording}"
    said = [
        client.post(f"{place}/marks", {"version": "0", "flag": "red", "tag": f"T{WICKED}"}),
        client.post(f"{place}/notes", {"text": f"W{WICKED}", "at": "1"}),
        client.post(f"{place}/evaluation", {"answer:q": "3", "comment": f"E{WICKED}"}),
        client.post("/recordings/saved", {"name": f"S{SHORT}", "query": "", "shared": "yes"}),
        client.post(f"{place}/share", {"recipient": "x@example.com", "subject": f"B{SHORT}"}),
    ]
    assert [answer.status_code for answer in said] == [200, 200, 200, 303, 303]
    export = client.post("/selection/zip", {"recording": recording}).headers["Location"].rpartition("/")[2]
    with reading(site.engine) as session:
        link = session.scalars(select(MailRow.secret).order_by(MailRow.seq.desc()).limit(1)).one()
    named = {"call": call.id, "account_id": account.id, "export": export, "token": link or ""}
    paths = sorted(_pages(recording, named))
    return Wicked(recording, call.id, paths, link or "")


def test_wicked_words_are_shown_as_words_and_do_nothing_on_any_page(
    portal_site: PortalStage, wicked: Wicked, sign_in: SignIn
) -> None:
    page = sign_in("superuser")
    assert len(wicked.paths) > 15
    for path in [*wicked.paths, "/unrecorded", "/recordings?text=%22%3E%3Cscript%3Ehit%3D1%3C%2Fscript%3E&from=<b>"]:
        page.goto(path)
        page.wait_for_timeout(150)
        assert page.evaluate("typeof hit") == "undefined", f"a program ran on {path}"
        assert page.locator("img[src=x], svg[onload], b[x-init], [onerror]").count() == 0, f"words became tags: {path}"
        assert page.complaints == [], path  # type: ignore[attr-defined]
    page.goto(f"/recordings/{wicked.recording}")
    expect(page.get_by_text(f"W{WICKED}").first).to_be_visible()
    expect(page.get_by_text(f"U{WICKED}").first).to_be_visible()
    page.goto("/recordings")
    expect(page.get_by_role("cell", name=f"+45{SHORT}")).to_be_visible()
    expect(page.get_by_role("cell", name=f"U{WICKED} 199")).to_be_visible()


def test_a_stranger_s_page_of_a_link_shows_wicked_words_as_words(wicked: Wicked, sign_in: SignIn) -> None:
    page = sign_in("stranger", path=f"/s/{wicked.link}")
    expect(page.get_by_text(SHORT).first).to_be_visible()
    assert page.evaluate("typeof hit") == "undefined"


def test_what_the_policy_stops_fails_a_test(sign_in: SignIn) -> None:
    """Without this, the tests above would only show that nobody looks."""
    page = sign_in("superuser")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"/nothing\" onerror=\"hit=1\">')")
    page.wait_for_timeout(300)
    complaints: list[str] = page.complaints  # type: ignore[attr-defined]
    assert any("stopped by the policy" in complaint for complaint in complaints)
    assert page.evaluate("typeof hit") == "undefined"
    complaints.clear()


def _desk(site: PortalStage) -> Desk:
    with site.desk(site.own) as desk:
        opened: Desk = desk
    return opened


def _pages(recording: str, named: dict[str, str]) -> Iterator[str]:
    """Every page that can be opened by its address alone, with the wicked things in it."""
    for router in SCREENS:
        for route in router.routes:
            path: str = route.path  # type: ignore[attr-defined]
            if "GET" not in route.methods or any(part in path for part in NO_PAGES):  # type: ignore[attr-defined]
                continue
            filled = re.sub(r"\{recording(:uuid)?\}", recording, path)
            for name, value in named.items():
                filled = filled.replace(f"{{{name}}}", value)
            if filled != "/recordings/more":
                yield filled
