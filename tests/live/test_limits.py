"""A limit on simultaneous recordings, disks that fill: calls go on, what is refused is a gap with its reason."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from stage import Stage, hang_up, talk, wait_for

from pbx_plugin.clock import now
from pbx_plugin.db.directory import read_directory
from pbx_plugin.db.engine import make_engine
from pbx_plugin.db.views import GapView
from pbx_plugin.db.webhooks import DatabaseWebhooks
from pbx_plugin.sandbox.phone import Leg
from pbx_plugin.sandbox.site_people import WHITELISTED_DDI, ddi_of
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.webhooks import Event

HUGE_MB = "999999999"
SMALL_MB = 3


@pytest.fixture(autouse=True)
def _only_these_calls(stage: Stage) -> None:
    stage.from_now()


@pytest.fixture
def recorder(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Change the recorder's settings by its environment, then :func:`restarted`; the usual one runs again after."""
    yield monkeypatch
    monkeypatch.undo()
    restarted(stage)


def restarted(stage: Stage) -> None:
    stage.site.recorder.stop()
    stage.site.recorder.start()
    stage.site.recorder.wait_ready()
    talk(1.5)


def in_a_call(stage: Stage, user: str, caller: str, dialled: str = "") -> tuple[str, Leg]:
    outside = stage.outside(caller)
    stage.phone(user)
    leg = outside.dial(dialled or ddi_of(user))
    leg.wait("CONFIRMED")
    return outside.config.caller, leg


def open_gap(stage: Stage, number: str) -> GapView:
    def look() -> GapView | None:
        found = stage.call(number)
        return next(iter(found.gaps), None) if found else None

    return wait_for(look, f"a gap in the call of {number}", 15.0)


def test_one_recording_at_once_and_the_next_begins_when_the_first_has_ended(
    stage: Stage, recorder: pytest.MonkeyPatch
) -> None:
    recorder.setenv("PBX_PLUGIN_RECORDER__MOST_AT_ONCE", "1")
    restarted(stage)
    first, leg = in_a_call(stage, "201", "first of two")
    stage.recording_now(first)
    second, other = in_a_call(stage, "202", "second of two")
    gap = open_gap(stage, second)
    assert (gap.user_name, gap.until) == ("Asger Always", None)
    assert gap.reason == "no room: the company's limit is 1 recordings at once"
    assert "not recorded" in stage.site.recorder.said()
    talk(2)
    hang_up(leg)
    recording = stage.recording_now(second)
    talk(2)
    hang_up(other)
    call = stage.settled(second)
    (gap,) = call.gaps
    assert gap.until is not None
    assert recording.in_at is not None
    assert gap.until <= recording.in_at
    stage.assert_sides(call.recordings[0], "202", "second of two")
    assert stage.settled(first).recordings[0].state == "stored"
    assert stage.settled(first).gaps == ()


def test_below_the_watermark_only_what_the_company_promised_is_recorded(
    stage: Stage, recorder: pytest.MonkeyPatch
) -> None:
    recorder.setenv("PBX_PLUGIN_RECORDER__DISK_WARN_MB", HUGE_MB)
    recorder.setenv("PBX_PLUGIN_RECORDER__DISK_STOP_MB", HUGE_MB)
    restarted(stage)
    assert "a disk is nearly full" in stage.site.recorder.said()
    refused, leg = in_a_call(stage, "203", "caller without room")
    promised, other = in_a_call(stage, "213", "caller of the promise", WHITELISTED_DDI)
    assert open_gap(stage, refused).reason == "no room: a disk is nearly full"
    stage.recording_now(promised)
    talk(2)
    hang_up(leg, other)
    call = stage.settled(refused)
    assert [(d.verdict, d.rule) for d in call.decisions] == [("record", 10)]
    assert call.recordings == ()
    (gap,) = call.gaps
    assert gap.until is not None
    assert gap.seconds(gap.until) > 2
    assert [recording.state for recording in stage.settled(promised).recordings] == ["stored"]
    stage.assert_nowhere("caller without room")


@contextmanager
def full(archive: Path) -> Iterator[Callable[[], None]]:
    """The archive takes nothing more: a small file system that is full; for who may not mount one, a locked folder.

    Yields what makes room again.
    """
    if os.geteuid() != 0:
        archive.chmod(0o550)
        try:
            yield lambda: archive.chmod(0o750)
        finally:
            archive.chmod(0o750)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m,mode=0750", "tmpfs", str(archive)], check=True)
    try:
        filler = archive / "filler"
        filler.write_bytes(bytes(SMALL_MB * 1024 * 1024 - 16384))
        yield filler.unlink
    finally:
        subprocess.run(["umount", str(archive)], check=True)


def test_a_full_archive_keeps_recordings_in_the_spool_until_there_is_room(
    stage: Stage, recorder: pytest.MonkeyPatch
) -> None:
    recorder.setenv("PBX_PLUGIN_RECORDER__DISK_WARN_MB", "0")
    recorder.setenv("PBX_PLUGIN_RECORDER__DISK_STOP_MB", "0")
    stage.site.recorder.stop()
    with full(stage.site.archive) as make_room:
        restarted(stage)
        number, leg = in_a_call(stage, "201", "caller of a full disk")
        stage.recording_now(number)
        talk(4)
        hang_up(leg)
        wait_for(lambda: "waits in the spool" in stage.site.recorder.said(), "a full disk to be told", 10.0)
        assert list((stage.site.spool / "pbxrec").rglob("*.wav"))
        make_room()
        (recording,) = stage.settled(number).recordings
        assert recording.state == "stored"
        stage.assert_sides(recording, "201", "caller of a full disk")
        assert stage.settled(number).gaps == ()
        stage.site.recorder.stop()


@pytest.fixture
def alarms(stage: Stage) -> Iterator[Callable[[], list[tuple[str, bool]]]]:
    """A webhook that wants alarms: each cause that it is told of, and whether that is over. Nothing is sent."""
    engine = make_engine(stage.site.settings.database, busy_ms=5000)
    hooks = DatabaseWebhooks(engine)
    with read_directory(engine) as directory:
        (tenant,) = directory.tenants()
    desk = Desk(directory, tenant, "test", now(), lambda: str(uuid4()))
    hook = hooks.add(desk, "https://hooks.example.com/limits", (Event.ALARM,), "a secret")

    def told() -> list[tuple[str, bool]]:
        bodies = [json.loads(one.body)["data"] for one in hooks.deliveries(tenant.id, limit=0)]
        return sorted({(body["cause"], body["until"] is not None) for body in bodies})

    yield told
    hooks.remove(desk, hook.id)
    engine.dispose()


def test_a_disk_that_fills_is_told_to_who_wants_alarms_and_that_there_is_room_again(
    stage: Stage, recorder: pytest.MonkeyPatch, alarms: Callable[[], list[tuple[str, bool]]]
) -> None:
    recorder.setenv("PBX_PLUGIN_RECORDER__DISK_WARN_MB", HUGE_MB)
    recorder.setenv("PBX_PLUGIN_RECORDER__DISK_STOP_MB", HUGE_MB)
    restarted(stage)
    _, leg = in_a_call(stage, "203", "caller of an alarm")
    causes = ("a disk is getting full", "a disk is nearly full", "no room: a disk is nearly full")
    wait_for(lambda: alarms() == [(cause, False) for cause in causes], "alarms", 15.0, lambda: str(alarms()))
    hang_up(leg)
    recorder.undo()
    restarted(stage)
    both = sorted((cause, over) for cause in causes for over in (False, True))
    wait_for(lambda: alarms() == both, "the end of the alarms", 15.0, lambda: str(alarms()))


def test_nothing_is_left_behind(stage: Stage) -> None:
    stage.assert_nothing_left()
