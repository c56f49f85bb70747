"""A fault of our own meets calls at every moment: before the answer, talking, switched off, being finalised, asked."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moments import Moments
from open_files import family
from rules import untold
from stage import Stage, talk, wait_for

from pbx_plugin.domain.toml_text import toml_value
from pbx_plugin.sandbox.service import Service

__all__ = ["untold"]

pytestmark = pytest.mark.usefixtures("untold")

LASTS_S = 3.0
LOCKED_S = 8.0
STARTS_S = 60.0
"""A process that starts beside many others takes its time."""


@pytest.fixture(autouse=True)
def _all_run_again(stage: Stage) -> Iterator[None]:
    yield
    for service in (stage.site.recorder, stage.site.agi, stage.site.bridge):
        if not service.running:
            service.start()
            service.wait_ready(STARTS_S)


def test_the_recorder_is_killed_and_comes_back(stage: Stage) -> None:
    calls = Moments(stage)
    calls.hang_up_leaving()
    with calls.lasting():
        stage.site.recorder.kill()
        calls.answer()
        talk(LASTS_S)
        back(stage.site.recorder)
    calls.go_on()
    calls.assert_all_well()


def test_the_recorder_is_killed_while_its_worker_finalises_and_the_worker_outlives_it(stage: Stage) -> None:
    calls = Moments(stage)
    worker = worker_of(stage.site.recorder.pid)
    with calls.lasting(), frozen(worker):
        calls.hang_up_leaving()
        left = calls.calls["leaving"].number
        wait_for(lambda: (found := stage.call(left)) and found.call.ended_at, "the hang-up to be in the books", 30)
        stage.site.recorder.kill()
        talk(LASTS_S)
        back(stage.site.recorder)
    calls.go_on()
    calls.assert_all_well()
    wait_for(lambda: not Path(f"/proc/{worker}").exists(), "the old worker to be gone", 30)


def test_the_worker_is_killed_and_the_next_finalises(stage: Stage) -> None:
    calls = Moments(stage)
    worker = worker_of(stage.site.recorder.pid)
    with calls.lasting():
        os.kill(worker, signal.SIGSTOP)
        calls.hang_up_leaving()
        talk(1)
        os.kill(worker, signal.SIGKILL)
    calls.go_on()
    calls.assert_all_well()


def test_the_consent_service_is_killed_in_the_middle_of_its_question(stage: Stage) -> None:
    calls = Moments(stage, asked="")
    with calls.lasting():
        stage.site.agi.kill()
        calls.hang_up_leaving()
        talk(LASTS_S)
        back(stage.site.agi)
    calls.go_on()
    calls.assert_all_well()
    unasked = stage.settled(calls.calls["asked in vain"].number)
    assert {(decision.verdict, decision.rule) for decision in unasked.decisions} == {("never", 3)}
    assert unasked.consents == ()


def test_the_database_is_locked(stage: Stage) -> None:
    calls = Moments(stage)
    with calls.lasting(), locked(database(stage)):
        calls.hang_up_leaving()
        calls.answer()
        talk(LOCKED_S)
    calls.go_on()
    calls.assert_all_well()


def test_the_database_is_gone_and_the_recorder_is_killed_meanwhile(stage: Stage) -> None:
    calls = Moments(stage)
    with calls.lasting():
        with moved_away(database(stage)):
            calls.hang_up_leaving()
            talk(LASTS_S)
            stage.site.recorder.kill()
            calls.answer()
            stage.site.recorder.start()
            wait_for(lambda: "waits for the database" in stage.site.recorder.said(), "the recorder to wait", STARTS_S)
        stage.site.recorder.wait_ready(STARTS_S)
    calls.go_on()
    calls.assert_all_well()


def test_two_recorders_are_started_at_once_and_one_of_them_refuses(stage: Stage, tmp_path: Path) -> None:
    site = stage.site
    calls = Moments(stage)
    second = Service("recorder", tmp_path, site.config_path)
    try:
        with calls.lasting():
            second.start()
            wait_for(lambda: not second.running, "a second recorder to give up", STARTS_S)
            calls.answer()
            calls.hang_up_leaving()
            site.recorder.kill()
            second.start()
            site.recorder.start()
            wait_for(lambda: not (second.running and site.recorder.running), "one of two to give up", STARTS_S)
            winner, loser = (second, site.recorder) if second.running else (site.recorder, second)
            winner.wait_ready(STARTS_S)
            assert "another writer" in loser.said()
        calls.go_on()
        calls.assert_all_well()
    finally:
        second.stop()


def test_a_recorder_of_another_installation_waits_while_this_one_listens(stage: Stage, tmp_path: Path) -> None:
    site = stage.site
    theirs = tmp_path / "config.toml"
    ours = f"state = {toml_value(str(site.settings.paths.state))}"
    config = site.config_path.read_text("utf-8")
    assert ours in config
    (tmp_path / "state").mkdir(mode=0o750)
    theirs.write_text(config.replace(ours, f"state = {toml_value(str(tmp_path / 'state'))}"), "utf-8")
    calls = Moments(stage)
    second = Service("recorder", tmp_path, theirs)
    try:
        with calls.lasting():
            second.start()
            wait_for(lambda: "another program listens" in second.said(), "the other recorder to see us", STARTS_S)
            calls.answer()
            calls.hang_up_leaving()
            talk(LASTS_S)
        calls.go_on()
        calls.assert_all_well()
        assert "took our event stream" not in site.recorder.said()
    finally:
        second.stop()


def test_the_bridge_is_killed(stage: Stage) -> None:
    calls = Moments(stage)
    with calls.lasting():
        stage.site.bridge.kill()
        calls.hang_up_leaving()
        talk(LASTS_S)
        back(stage.site.bridge)
    calls.go_on()
    calls.assert_all_well()


def back(service: Service) -> None:
    """Start a service again, and wait until it is of use."""
    service.start()
    service.wait_ready(STARTS_S)


def database(stage: Stage) -> Path:
    """The file that holds the books."""
    return Path(stage.site.settings.database.removeprefix("sqlite:///"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else has the database for themselves."""
    lock = sqlite3.connect(path, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
        lock.execute("ROLLBACK")
    finally:
        lock.close()


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """The database is not where it was, and nothing can be made in its place."""
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.mkdir()
    try:
        yield
    finally:
        path.rmdir()
        elsewhere.rename(path)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def worker_of(recorder: int) -> int:
    """The process that finalises for a recorder."""
    (worker,) = [pid for pid in family(recorder) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return worker
