"""A program beside a real call: it tags it, has it recorded for a while, and listens to what was recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from stage import Stage, hang_up, talk

from pbx_plugin.clock import now
from pbx_plugin.db.directory import read_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.tokens import DatabaseTokens
from pbx_plugin.db.views import CallDetail
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_people import ddi_of
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.tokens import Scope


@pytest.fixture(scope="module")
def program(site: Site) -> Iterator[httpx2.Client]:
    """A program with a token, and the interface running as the process that it is in production."""
    engine, secret = make_engine(site.settings.database, busy_ms=5000), f"pbxp_{uuid4().hex}"
    with read_directory(engine) as directory:
        (tenant,) = directory.tenants()
    desk = Desk(directory, tenant, "test", now(), lambda: str(uuid4()))
    DatabaseTokens(engine).create(desk, secret, f"crm {uuid4().hex[:6]}", list(Scope))
    engine.dispose()
    site.api.start()
    try:
        site.api.wait_ready()
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{site.ports.api}", headers=headers, timeout=20, trust_env=False
        ) as client:
            yield client
    finally:
        site.api.stop()


@pytest.fixture(scope="module")
def scene(stage: Stage, program: httpx2.Client) -> tuple[CallDetail, dict[str, Any]]:
    """A call to a user on demand; what the program was answered, in order."""
    user = stage.phone("211", answers=False)
    caller = stage.outside("caller of a crm")
    number = caller.config.caller
    leg = caller.dial(ddi_of("211"))
    mine = user.wait_incoming()
    mine.answer()
    leg.wait("CONFIRMED")
    stage.decided(number, "211")
    running = stage.call(number)
    assert running is not None
    path = f"/v1/calls/{running.call.linkedid}"
    said: dict[str, Any] = {}
    said["tags"] = program.put(f"{path}/tags", json={"tags": ["customer 17", "", ""]})
    said["on"] = program.put(f"{path}/toggle", json={"user": "211", "wanted": "on"})
    stage.recording_now(number, 1)
    talk(3)
    said["on again"] = program.put(f"{path}/toggle", json={"user": "211", "wanted": "on"})
    said["pause"] = program.put(f"{path}/pause", json={"user": "211", "wanted": "on"})
    said["stranger"] = program.put(f"{path}/toggle", json={"user": "201", "wanted": "on"})
    said["off"] = program.put(f"{path}/toggle", json={"user": "211", "wanted": "off"})
    talk(2)
    hang_up(leg)
    return stage.settled(number), said


def test_the_recording_is_what_the_program_asked_for(stage: Stage, scene: tuple[CallDetail, dict[str, Any]]) -> None:
    call, said = scene
    assert [(name, said[name].status_code) for name in ("on", "on again", "off")] == [
        ("on", 200),
        ("on again", 200),
        ("off", 200),
    ]
    assert said["on again"].json()["what"] == "it was so already"
    (recording,) = call.recordings
    assert 2.5 < recording.length_ms / 1000 < 5.5
    assert [step.detail for step in call.timeline if step.what == "toggle"] == ["on", "off"]
    stage.assert_sides(recording, "211", "caller of a crm")


def test_what_the_user_may_not_do_the_program_may_not_either(scene: tuple[CallDetail, dict[str, Any]]) -> None:
    _, said = scene
    assert said["pause"].status_code == 409
    assert "denied" in said["pause"].json()["detail"]
    assert said["stranger"].status_code == 409
    assert "not on this call" in said["stranger"].json()["detail"]


def test_the_tag_that_was_put_on_while_it_went_on_is_on_the_call(
    program: httpx2.Client, scene: tuple[CallDetail, dict[str, Any]]
) -> None:
    call, said = scene
    assert said["tags"].status_code in (200, 202)
    assert program.get(f"/v1/calls/{call.call.call_id}").json()["tags"] == ["customer 17", "", ""]


def test_the_program_hears_the_very_file(program: httpx2.Client, scene: tuple[CallDetail, dict[str, Any]]) -> None:
    call, _ = scene
    (recording,) = call.recordings
    path = f"/v1/recordings/{recording.recording_id}/audio"
    whole = program.get(path).content
    assert hashlib.sha256(whole).hexdigest() == recording.sha256
    assert program.get(path, headers={"Range": "bytes=-1000"}).content == whole[-1000:]
