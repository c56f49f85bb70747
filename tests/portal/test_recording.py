"""A recording's page as people use it: heard for real, worked on, and its history."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from portal_fixtures import SignIn
from portal_stage import PortalStage
from sqlalchemy import select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.db.listening import DatabaseListening
from pbx_plugin.db.models import AuditRow, CallRow, MediaRow, RecordingRow
from pbx_plugin.db.working import change_work, look_at_work
from pbx_plugin.domain.entries import LegMoved, RecordingClosed, RecordingStored
from pbx_plugin.domain.naming import Holding, archive_file
from pbx_plugin.domain.working import ChoiceKind
from pbx_plugin.services import evaluating, working
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.storage.peaks import Peaks

Picture = Callable[..., Path]

PITCHES = (440, 1320)
"""Tones of the left and the right side of every recording here, in Hz."""
FORM = {
    "scale": [1, 5],
    "categories": [
        {
            "name": "Manner",
            "questions": [{"key": "greet", "text": "Did they greet?"}, {"key": "calm", "text": "Calm?"}],
        },
        {"name": "Solution", "weight": 2, "questions": [{"key": "solved", "text": "Was it solved?", "weight": 3}]},
    ],
}

LISTEN = """() => {
  const player = document.querySelector('#player').player;
  const split = player.context.createChannelSplitter(2);
  player.output.connect(split);
  window.heard = [0, 1].map((side) => {
    const analyser = player.context.createAnalyser();
    analyser.fftSize = 4096;
    split.connect(analyser, side);
    return analyser;
  });
}"""
PITCH = """(side) => {
  const analyser = window.heard[side], bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const top = bins.indexOf(Math.max(...bins));
  return bins[top] < -80 ? 0 : top * analyser.context.sampleRate / analyser.fftSize;
}"""
SOUND = "document.querySelector('#sound')"


def stored(site: PortalStage, *, seconds: float = 40.0, person: str = "anna", **other: Any) -> str:
    """Let there be a recorded call whose sides sound unlike, with its picture."""
    recording = site.recording(person, seconds=seconds, **other)
    with reading(site.engine) as session:
        query = select(MediaRow).join(RecordingRow, RecordingRow.media_id == MediaRow.id)
        media = session.scalars(query.where(RecordingRow.id == recording)).one()
    rate, count = 8000, int(seconds * 8000)
    at = np.arange(count) / rate
    # Words and breaths, so that the picture looks like a call; the two take turns now and then.
    turns = [0.35 + 0.65 * (np.sin(2 * np.pi * at / 7 + side * np.pi) > -0.4) for side in (0, 1)]
    words = [np.abs(np.sin(2 * np.pi * at * (0.9 + 0.13 * side))) ** 0.5 for side in (0, 1)]
    sides = [
        (np.sin(2 * np.pi * pitch * at) * 15000 * turn * word).astype("<i2")
        for pitch, turn, word in zip(PITCHES, turns, words, strict=True)
    ]
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((2, 2, rate, 0, "NONE", ""))
        file.writeframes(np.stack(sides, axis=1).tobytes())
    path = site.archive / media.path
    path.write_bytes(buffer.getvalue())
    peaks = Peaks(rate)
    peaks.feed(*sides)
    picture = f"{media.path}.json"
    (site.archive / picture).write_bytes(peaks.as_json({}))
    with site.engine.begin() as connection:
        table = MediaRow.__table__
        connection.execute(
            table.update().where(table.c.id == media.id).values(peaks_path=picture, size=len(buffer.getvalue()))  # type: ignore[attr-defined]
        )
    return str(recording)


def happened(site: PortalStage, recording: str, *steps: tuple[float, str, str]) -> None:
    """Let the time line of the recording's call have steps, so many seconds from the recording's beginning."""
    with reading(site.engine) as session:
        row = session.scalars(select(RecordingRow).where(RecordingRow.id == recording)).one()
        call = session.scalars(select(CallRow).where(CallRow.id == row.call_id)).one()
    site.apply(
        *(LegMoved(call.id, call.linkedid, row.at + timedelta(seconds=at), what, detail) for at, what, detail in steps)
    )


def audited(site: PortalStage, recording: str) -> list[str]:
    with reading(site.engine) as session:
        query = select(AuditRow.action).where(AuditRow.subject == recording).order_by(AuditRow.number)
        return list(session.scalars(query))


@pytest.fixture(scope="module")
def lists(portal_site: PortalStage) -> None:
    """Lists to choose from and an evaluation form."""
    with change_work(portal_site.engine) as work:
        desk = Desk(work.directory, portal_site.own.tenant, "Sofie", portal_site.now(), lambda: str(uuid4()))
        working.set_choices(work, desk, None, ChoiceKind.OUTCOME, ["Sold", "Callback", "Complaint"])
        working.set_choices(work, desk, None, ChoiceKind.RESPONSE, ["Pleased", "Neutral", "Angry"])
        evaluating.set_form(work, desk, None, FORM)


def until(page: Page, expression: str, *argument: Any) -> None:
    """Wait until an expression holds. The page's policy forbids what Playwright would do for that."""
    for _ in range(150):
        if page.evaluate(expression, *argument):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression} {argument}")


def play(page: Page) -> None:
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, f"{SOUND}.currentTime > 0.3")


def test_play_really_plays_each_party_on_its_side(portal_site: PortalStage, sign_in: SignIn, picture: Picture) -> None:
    recording = stored(portal_site)
    page = sign_in("team leader", path=f"/recordings/{recording}")
    expect(page.get_by_role("heading", name="Anna 1")).to_be_visible()
    page.wait_for_selector("#player[data-drawn]")
    assert "listened" not in audited(portal_site, recording)
    play(page)
    page.evaluate(LISTEN)
    for side, pitch in enumerate(PITCHES):
        until(page, f"side => Math.abs(({PITCH})(side) - {pitch}) < 25", side)
    assert audited(portal_site, recording).count("listened") == 1
    page.keyboard.press("1")
    until(page, f"() => ({PITCH})(0) === 0")
    until(page, f"() => Math.abs(({PITCH})(1) - {PITCHES[1]}) < 25")
    page.keyboard.press("1")
    page.keyboard.press("2")
    until(page, f"() => ({PITCH})(1) === 0 && Math.abs(({PITCH})(0) - {PITCHES[0]}) < 25")
    page.get_by_label("Speed").select_option("2")
    assert page.evaluate(f"[{SOUND}.playbackRate, {SOUND}.preservesPitch]") == [2, True]
    until(page, f"() => Math.abs(({PITCH})(0) - {PITCHES[0]}) < 25")
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate(f"[{SOUND}.paused, {SOUND}.currentTime]") == [True, 0]
    page.reload()
    play(page)
    assert audited(portal_site, recording).count("listened") == 1


def test_keys_clicks_and_addresses_lead_to_a_place(portal_site: PortalStage, sign_in: SignIn) -> None:
    recording = stored(portal_site)
    page = sign_in("team leader", path=f"/recordings/{recording}#t=12.5")
    page.wait_for_selector("#player[data-drawn]")
    expect(page.locator("#elapsed")).to_have_text("0:12")
    at = "document.querySelector('#player').player.time"
    for key, expected in (
        ("ArrowRight", 17.5),
        ("Shift+ArrowRight", 32.5),
        ("ArrowLeft", 27.5),
        ("Shift+ArrowLeft", 12.5),
    ):
        page.keyboard.press(key)
        assert page.evaluate(at) == expected
    assert page.url.endswith("#t=12.5")
    box = page.locator("#wave").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 20)
    assert abs(page.evaluate(at) - 30) < 0.3
    page.keyboard.press("m")
    assert page.evaluate(f"{SOUND}.muted") is True
    page.locator("body").press(" ")
    until(page, f"!{SOUND}.paused && {SOUND}.currentTime > 30.2")
    page.locator("body").press(" ")
    until(page, f"{SOUND}.paused")
    page.locator("#note").press("m")
    assert page.evaluate(f"{SOUND}.muted") is True
    assert page.locator("#note").input_value() == "m"
    page.keyboard.press("Escape")
    page.get_by_label("Volume").fill("0.25")
    assert page.evaluate(f"{SOUND}.volume") == 0.25
    page.locator("h1").click()
    page.keyboard.press(">")
    assert page.evaluate(f"{SOUND}.playbackRate") == 1.25


def test_marks_notes_and_evaluation_stay_and_stand_in_the_history(
    portal_site: PortalStage, lists: None, sign_in: SignIn, picture: Picture
) -> None:
    recording = stored(portal_site, number="+4533221100")
    happened(
        portal_site,
        recording,
        (5, "announcement", "heard to its end: da, text version 1, SHA-256 " + "ab" * 32),
        (12, "toggle", "off"),
        (14, "toggle", "on"),
        (20, "hold", ""),
        (26, "unhold", ""),
        (30, "joined", "bridge-2"),
    )
    page = sign_in("team leader", path=f"/recordings/{recording}#t=10")
    page.wait_for_selector("#player[data-drawn]")
    places = page.eval_on_selector_all(
        ".rec-marker", "all => all.map(one => [one.className.split('-').pop(), Math.round(parseFloat(one.style.left))])"
    )
    assert places == [
        ["announcement", 13],
        ["toggle", 30],
        ["toggle", 35],
        ["hold", 50],
        ["unhold", 65],
        ["joined", 75],
    ]
    page.locator("#marks .rec-flag-red").click()
    expect(page.locator("#history")).to_contain_text("Marked")
    page.get_by_label("Outcome").select_option(label="Callback")
    expect(page.locator("#history")).to_contain_text("Callback")
    page.get_by_label("Customer response").select_option(label="Angry")
    expect(page.locator("#history")).to_contain_text("Angry")
    page.get_by_label("Tag").fill("case 4711")
    page.get_by_label("Tag").press("Tab")
    expect(page.locator("#history")).to_contain_text("case 4711")
    page.get_by_label("New note").fill("<b>Here</b> they became angry")
    page.locator("#notes .card-footer .rec-flag-blue").click()
    page.get_by_role("button", name="Add").click()
    note = page.locator("[data-note]")
    expect(note).to_contain_text("<b>Here</b> they became angry")
    expect(note).to_contain_text("0:10")
    expect(page.locator(".rec-marker-note")).to_have_count(1)
    page.keyboard.press("Shift+ArrowRight")
    page.locator(".rec-marker-note").click()
    assert page.evaluate("document.querySelector('#player').player.time") == 10
    note.get_by_text("Change", exact=True).click()
    note.get_by_label("Note").fill("They calmed down")
    note.get_by_role("button", name="Save").click()
    expect(page.locator("[data-note]")).to_contain_text("They calmed down")
    page.locator("#evaluation").get_by_role("radiogroup", name="Did they greet?").get_by_role("radio", name="5").check()
    expect(page.locator("#score")).to_contain_text("100")
    page.locator("#evaluation").get_by_role("radiogroup", name="Was it solved?").get_by_role("radio", name="1").check()
    expect(page.locator("#score strong")).to_have_attribute("data-score", "333")
    page.get_by_label("Comment").fill("More patience")
    page.get_by_role("button", name="Save evaluation").click()
    expect(page.locator("#evaluation .badge")).to_contain_text("33")
    expect(page.locator("#history")).to_contain_text("Evaluated")
    picture(page, "recording-worked-on")
    page.reload()
    expect(page.get_by_label("Tag")).to_have_value("case 4711")
    expect(page.locator("#evaluation .badge")).to_contain_text("33")
    assert audited(portal_site, recording) == [*["marked"] * 4, "note added", "note changed", "evaluated"]
    for name, look in (
        ("light", {}),
        ("dark", {"dark": True}),
        ("phone", {"phone": True}),
        ("danish", {"language": "da"}),
    ):
        shown = sign_in("team leader", path=f"/recordings/{recording}#t=17", **look)
        shown.wait_for_selector("#player[data-drawn]")
        picture(shown, f"recording-{name}")


def test_a_call_that_has_just_ended_plays_without_loading_the_page(
    portal_site: PortalStage, sign_in: SignIn, picture: Picture
) -> None:
    recording = portal_site.recording("anna", stored=False)
    page = sign_in("own", path=f"/recordings/{recording}")
    expect(page.get_by_text("The call goes on")).to_be_visible()
    picture(page, "recording-live")
    with reading(portal_site.engine) as session:
        row = session.scalars(select(RecordingRow).where(RecordingRow.id == recording)).one()
    now = portal_site.now()
    portal_site.apply(RecordingClosed(row.media_id, now, "hung up"))
    expect(page.get_by_text("is being stored")).to_be_visible()
    path = archive_file(row.tenant_id, row.media_id, row.at, Holding.AUDIO)
    portal_site.apply(RecordingStored(row.media_id, now, path, "", "ab" * 32, 64044, 8000, 2000, False, False))
    expect(page.locator("#player[data-drawn]")).to_be_visible(timeout=3000)
    play(page)


def test_whoever_may_not_listen_or_see_is_not_let_in(portal_site: PortalStage, sign_in: SignIn) -> None:
    recording = stored(portal_site, seconds=3)
    for role, expected in (("own", 200), ("group leader", 404), ("foreign", 404), ("none", 404)):
        client = portal_site.client(role)
        for path in ("", "/audio", "/peaks", "/history"):
            assert client.get(f"/recordings/{recording}{path}").status_code == expected, (role, path)
        posted = client.post(f"/recordings/{recording}/notes", {"text": "hello"})
        assert posted.status_code == expected, role
        assert client.post(f"/recordings/{recording}/evaluation", {}).status_code == (403 if role == "own" else 404)


def test_parts_are_as_they_were_asked_for_and_audited_once(portal_site: PortalStage) -> None:
    recording = stored(portal_site, seconds=3)
    client = portal_site.client("own")
    parts = [
        client.get(f"/recordings/{recording}/audio", headers={"Range": part}) for part in ("bytes=0-99", "bytes=100-")
    ]
    assert [(part.status_code, len(part.content)) for part in parts] == [(206, 100), (206, 96044 - 100)]
    assert client.get(f"/recordings/{recording}/audio", headers={"Range": "bytes=199999-"}).status_code == 416
    assert audited(portal_site, recording) == ["listened"]
    picture = client.get(f"/recordings/{recording}/peaks").json()
    assert (picture["length"], len(picture["data"])) == (60, 240)
    assert json.dumps(picture).count("ab") == 0


def test_where_listening_cannot_be_audited_nothing_is_heard(
    portal_site: PortalStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = stored(portal_site, seconds=3)

    def away(*_: object) -> bool:
        raise StoreUnavailableError("the database is locked")

    monkeypatch.setattr(DatabaseListening, "heard", away)
    answer = portal_site.client("own").get(f"/recordings/{recording}/audio")
    assert answer.status_code == 503
    assert b"RIFF" not in answer.content
    assert audited(portal_site, recording) == []


def test_as_many_listen_as_the_company_allows_and_the_next_is_told(portal_site: PortalStage, sign_in: SignIn) -> None:
    recording = stored(portal_site, seconds=3)
    rules = DatabaseHanding(portal_site.engine)
    with look_at_work(portal_site.engine) as work:
        desk = Desk(work.directory, portal_site.own.tenant, "Sofie", portal_site.now(), lambda: str(uuid4()))
    before = rules.rules(desk.tenant.id)
    rules.save_rules(desk, replace(before, listeners_most=1))
    try:
        portal_site.later(minutes=10)
        assert portal_site.client("superuser").get(f"/recordings/{recording}/audio").status_code == 200
        page = sign_in("own", path=f"/recordings/{recording}")
        page.wait_for_selector("#player[data-drawn]")
        page.get_by_role("button", name="Play", exact=True).click()
        expect(page.locator("#trouble")).to_contain_text("As many listen as your company allows")
        assert audited(portal_site, recording) == ["listened"]
    finally:
        rules.save_rules(desk, before)
