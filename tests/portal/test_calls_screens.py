"""Own calls, the company's days, and what was not recorded and why, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from api_site import FACTS, TRACE
from playwright.sync_api import expect
from portal_fixtures import SignIn
from portal_stage import PortalStage

from pbx_plugin.domain.entries import CallBegan, CallEnded, Decided, Gap

Picture = Callable[..., Path]


def test_a_user_sees_the_calls_they_took(portal_site: PortalStage, sign_in: SignIn) -> None:
    portal_site.recording("anna", number="+4531200141", at=portal_site.now() - timedelta(minutes=1))
    portal_site.recording("bo", number="+4531200142", at=portal_site.now() - timedelta(minutes=1))
    page = sign_in("own", path="/calls?period=all")
    expect(page.get_by_text("+4531200141")).to_be_visible()
    expect(page.get_by_text("+4531200142")).to_have_count(0)
    expect(page.get_by_text("The company's calls")).to_have_count(0)
    page = sign_in("superuser", path="/calls?period=all")
    expect(page.get_by_text("The company's calls")).to_be_visible()


def test_a_superuser_sees_what_was_not_recorded_and_why(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    user, tenant = portal_site.own.people["anna"], portal_site.own.tenant.id
    at = portal_site.now() - timedelta(minutes=2)
    call, gap = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
    facts = {**FACTS, "user": {**FACTS["user"], "id": user.id, "tenant_id": tenant, "name": user.name}}
    trace = [{**TRACE[-1], "rule": 2, "why": "number <script>alert(1)</script> is excluded"}]
    verdict = Decided(
        "55555555-5555-4555-8555-555555555555", call, user.id, at, "never", 2, "excluded", 1, facts, trace
    )
    portal_site.apply(
        CallBegan(call, tenant, "1.1", at, 1, False, "incoming", "31200177", "+4531200177"),
        verdict,
        Gap(gap, call, tenant, user.id, at, at + timedelta(seconds=5), "the disk was full"),
        CallEnded(call, at + timedelta(seconds=9), "answered"),
    )
    page = sign_in("superuser", path="/unrecorded?period=all")
    expect(page.get_by_text("the disk was full")).to_be_visible()
    expect(page.get_by_text("2: excluded")).to_be_visible()
    page.get_by_role("button", name="Why?").first.click()
    expect(page.get_by_role("region", name="Why was this not recorded?")).to_contain_text("<script>")
    picture(page, "unrecorded", whole=False)
    for role in ("own", "team leader", "none"):
        page = sign_in(role, path="/unrecorded")
        expect(page.get_by_text("the disk was full")).to_have_count(0)
