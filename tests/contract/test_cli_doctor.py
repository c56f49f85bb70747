"""The doctor looks at everything, says what is wrong and how to mend it, and fails when something is broken."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from call_entries import began, intended, stored
from cli_site import Site, type_in
from pytest_mock import MockerFixture

from pbx_plugin import clock
from pbx_plugin.asterisk.fastagi import FastAgiServer
from pbx_plugin.asterisk.variables import CHANNEL_VARIABLES
from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.entries import Entry
from pbx_plugin.storage.journal import FileJournal

WANTED = ", ".join(CHANNEL_VARIABLES)


@pytest.fixture
def closed_ports() -> list[str]:
    """Ports on which nothing listens."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch, closed_ports: list[str]) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    (tmp_path / "spool").mkdir()
    ari, ami, agi = closed_ports
    return Site(tmp_path, migrated_file, "--ari-port", ari, "--ami-port", ami, "--agi-port", agi)


class _Ari(BaseHTTPRequestHandler):
    """Answers as Asterisk's REST interface does."""

    server: _Server

    def do_GET(self) -> None:
        system = f'{{"system": {{"version": "{self.server.version}"}}}}'.encode()
        known = {"/ari/asterisk/info": system, "/ari/applications/pbxrec": b"{}"}
        allowed = self.headers.get("Authorization", "") != "" and not self.server.refusing
        self.send_response_only(200 if allowed and self.path in known else 404 if allowed else 401)
        self.send_header("Date", format_datetime(clock.now() + self.server.drift, usegmt=True))
        self.end_headers()
        self.wfile.write(known.get(self.path, b"{}"))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    refusing = False
    version = "22.1.0"
    drift = clock.now() - clock.now()


@pytest.fixture
def asterisk(closed_ports: list[str]) -> Iterator[_Server]:
    """A REST interface on the port that the site knows."""
    with _Server(("127.0.0.1", int(closed_ports[0])), _Ari) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def checks(site: Site) -> dict[str, dict[str, str]]:
    said = site("doctor", "--json")
    found = {check["name"]: check for check in said.data["checks"]}
    broken = any(check["health"] == "fail" for check in found.values())
    assert (said.code, said.data["healthy"]) == (int(broken), not broken)
    assert all(check["mend"] for check in found.values() if check["health"] != "ok"), "every trouble has its remedy"
    return found


def healths(found: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: check["health"] for name, check in found.items()}


def test_with_nothing_running_the_doctor_says_what_to_start(site: Site) -> None:
    found = checks(site)
    assert healths(found) == {
        "configuration": "ok",
        "MP3": "ok",
        "state folder": "ok",
        "archive": "ok",
        "journal": "ok",
        "prompts folder": "ok",
        "spool": "ok",
        "file systems": "ok",
        "disk of archive": found["disk of archive"]["health"],
        "disk of spool": found["disk of spool"]["health"],
        "receipt keys": "ok",
        "database": "ok",
        "company": "warn",
        "prompts": "fail",
        "journal backlog": "ok",
        "stored recordings": "ok",
        "leftover files": "ok",
        "portal key": "ok",
        "portal address": "ok",
        "portal": "ok",
        "portal mail": "ok",
        "ARI": "fail",
        "channelvars": "warn",
        "AMI": "fail",
        "FastAGI": "fail",
        "witness": "warn",
        "dialplan": "fail",
        "dialplan in Asterisk": "warn",
    }
    assert "prompts build" in found["prompts"]["mend"]
    people = site("doctor").out
    assert "broken" in people
    assert "-> start 'pbx-plugin run'" in people


def test_a_schedule_that_this_machine_cannot_read_is_told(site: Site, mocker: MockerFixture) -> None:
    site.does("users", "add", "101", "Anna", "--device", "PJSIP/101", "--mode", "always", "--enrol")
    site.does("policy", "draft", "new")
    site.does("policy", "draft", "set", "schedule.time_zone=Europe/Copenhagen", "schedule.monday=08:00-17:00")
    site.does("policy", "draft", "apply")
    assert "time zone" not in site("doctor").out
    mocker.patch("pbx_plugin.clock.time_zone", return_value=None)
    said = site("doctor").out
    assert "does not know the schedule's time zone Europe/Copenhagen" in said
    assert "tzdata" in said


def test_what_is_wrong_with_files_and_folders_is_named(site: Site) -> None:
    site.config.chmod(0o644)
    (site.state / "archive").chmod(0o755)
    (site.folder / "spool").rmdir()
    found = checks(site)
    assert found["configuration"]["health"] == "fail"
    assert found["configuration"]["mend"] == f"chmod 640 {site.config}"
    assert found["archive"]["mend"] == f"chmod 750 {site.state / 'archive'}"
    assert found["spool"]["health"] == "fail"


def test_a_key_of_receipts_that_cannot_sign_is_named(site: Site) -> None:
    assert "none yet" in checks(site)["receipt keys"]["what"]
    site.does("consent", "keys", "rotate")
    site.does("consent", "keys", "rotate")
    assert "1 retired" in checks(site)["receipt keys"]["what"]
    folder = site.state / "keys"
    folder.chmod(0o750)
    assert checks(site)["receipt keys"]["mend"] == f"chmod 700 {folder}"
    folder.chmod(0o700)
    private = folder / "private.pem"
    private.chmod(0o644)
    assert "may be read by others" in checks(site)["receipt keys"]["what"]
    private.chmod(0o600)
    kept = private.read_bytes()
    private.write_bytes(b"torn")
    assert checks(site)["receipt keys"]["health"] == "fail"
    private.unlink()
    assert "is gone" in checks(site)["receipt keys"]["what"]
    private.write_bytes(kept)
    private.chmod(0o600)
    (folder / f"{site.does('consent', 'keys', 'list', '--json').data[1]['key_id']}.pem").unlink()
    assert "no public half" in checks(site)["receipt keys"]["what"]


def test_a_key_of_receipts_that_another_user_made_is_named(site: Site, mocker: MockerFixture) -> None:
    site.does("consent", "keys", "rotate")
    mocker.patch("pbx_plugin.cli.check_keys.owner_of", side_effect=[997, 0])
    assert "belongs to user 0, the state folder to user 997" in checks(site)["receipt keys"]["what"]


def test_a_database_that_is_away_or_old_is_named_and_the_rest_is_still_looked_at(site: Site) -> None:
    site.database.write_bytes(b"")
    assert checks(site)["database"]["health"] == "fail"
    site.database.unlink()
    found = checks(site)
    assert found["database"]["health"] == "fail"
    assert found["FastAGI"]["health"] == "fail"


def test_without_a_configuration_the_doctor_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", str(tmp_path / "none.toml"))
    said = type_in("doctor", "--json")
    assert said.code == 1
    assert [check["name"] for check in said.data["checks"]] == ["configuration"]


def test_a_stored_file_that_lost_its_end_is_found(site: Site) -> None:
    engine = make_engine(f"sqlite:///{site.database}")
    media, tenant = "2" * 8 + "-2222-2222-2222-" + "2" * 12, "1" * 8 + "-1111-1111-1111-" + "1" * 12
    path, size = f"{tenant}/2026/11/22/{media}.wav", 4044
    kept: list[Entry] = [
        began(),
        replace(intended(), media_id=media),
        replace(stored(), media_id=media, path=path, size=size),
    ]
    DatabaseApply(engine)("run", list(enumerate(kept, 1)))
    engine.dispose()
    there = site.state / "archive" / path
    there.parent.mkdir(parents=True)
    there.write_bytes(b"\0" * size)
    assert "as long as" in checks(site)["stored recordings"]["what"]
    there.write_bytes(b"\0" * (size - 1))
    assert checks(site)["stored recordings"]["health"] == "fail"


def test_stored_recordings_without_file_and_files_without_row_are_found(site: Site) -> None:
    engine = make_engine(f"sqlite:///{site.database}")
    DatabaseApply(engine)("run", list(enumerate([began(), intended(), stored()], 1)))
    engine.dispose()
    (site.state / "archive" / "stranger.wav").touch()
    tenant, media = "1" * 8 + "-1111-1111-1111-" + "1" * 12, "2" * 8 + "-2222-2222-2222-" + "2" * 12
    day = site.state / "archive" / tenant / "2026/11/22"
    day.mkdir(parents=True)
    (day / f"{media}.wav").touch()
    (day / f".{media}.wav.part").touch()
    found = checks(site)
    assert "media-1" in found["stored recordings"]["what"]
    assert f"{media}.wav.part" in found["leftover files"]["what"]
    assert "1 in the archive without a row" in found["leftover files"]["what"]


def test_entries_that_wait_for_the_database_are_counted(site: Site) -> None:
    journal = FileJournal(site.state / "journal", "recorder", None)
    journal.append(began("call-1"), began("call-2"))
    journal.close()
    assert checks(site)["journal backlog"]["what"].startswith("2 entries")
    (site.state / "journal" / "recorder.rejected").write_text('{"line": "x"}\n{"torn', encoding="utf-8")
    assert "1 in recorder.rejected" in checks(site)["journal, set aside"]["what"]


def test_asterisk_the_recorder_and_the_clock_are_found_well(site: Site, asterisk: _Server) -> None:
    found = checks(site)
    assert found["ARI"]["what"].startswith("Asterisk 22.1.0")
    assert (found["recorder"]["health"], found["clock"]["health"]) == ("ok", "ok")


def test_a_recorder_that_asterisk_knows_but_that_hears_nothing_is_found(site: Site, asterisk: _Server) -> None:
    heard = site.state / "recorder.heard"
    heard.touch()
    assert checks(site)["recorder"]["health"] == "ok"
    long_ago = clock.now().timestamp() - 60
    os.utime(heard, (long_ago, long_ago))
    assert checks(site)["recorder"]["health"] == "fail"


@pytest.mark.parametrize(
    ("seconds", "health"), [(-1, "ok"), (10, "warn"), (-10, "warn"), (120, "fail"), (-120, "fail")]
)
def test_a_clock_that_is_off_is_told(site: Site, asterisk: _Server, seconds: int, health: str) -> None:
    asterisk.drift = type(asterisk.drift)(seconds=seconds)
    assert checks(site)["clock"]["health"] == health


def test_a_refused_login_is_told_apart_from_a_dead_asterisk(site: Site, asterisk: _Server) -> None:
    asterisk.refusing = True
    assert "refuses user 'pbxrec'" in checks(site)["ARI"]["what"]


@pytest.mark.parametrize(
    ("ari_conf", "health"),
    [
        (f"[general]\nchannelvars = {WANTED} ; ours\n[u](!)\n", "ok"),
        ("[general]\nenabled = yes\nchannelvars = PBXREC_CONSENT\n", "warn"),
        (f"[general]\n;channelvars = {WANTED}\n", "warn"),
        ("#include x.conf\n[general]\n", "warn"),
    ],
)
def test_channelvars_are_read_from_ari_conf(site: Site, ari_conf: str, health: str) -> None:
    (site.folder / "asterisk").mkdir()
    (site.folder / "asterisk" / "ari.conf").write_text(ari_conf, encoding="utf-8")
    assert checks(site)["channelvars"]["health"] == health


def test_an_agi_service_that_is_frozen_is_broken_though_its_port_is_open(
    site: Site, closed_ports: list[str], mocker: MockerFixture
) -> None:
    mocker.patch("pbx_plugin.cli.check_asterisk.TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", int(closed_ports[2]))):
        found = checks(site)
    assert found["FastAGI"]["health"] == "fail"
    assert "does not answer" in found["FastAGI"]["what"]


def test_an_answering_agi_service_and_a_dialplan_out_of_date_are_told(site: Site, closed_ports: list[str]) -> None:
    etc = site.folder / "asterisk"
    (etc / "pbx-plugin.d").mkdir(parents=True)
    for name in ("extensions.conf", "features.conf", "queues.conf"):
        (etc / name).write_text(f'#include "pbx-plugin.d/{name}"\n', encoding="utf-8")
    service = FastAgiServer("127.0.0.1", int(closed_ports[2]), {})
    service.start()
    try:
        found = checks(site)
    finally:
        service.stop()
    assert found["FastAGI"]["health"] == "ok"
    assert found["dialplan"]["mend"] == "run 'pbx-plugin dialplan install'"
    for name, text in site.does("dialplan", "show", "--json").data["files"].items():
        (etc / "pbx-plugin.d" / name).write_text(text, encoding="utf-8")
    assert checks(site)["dialplan"]["health"] == "ok"


@pytest.mark.parametrize(
    ("version", "health", "told"),
    [
        ("20.0.0", "ok", ""),
        ("certified-20.7-cert2", "ok", ""),
        ("GIT-master-0123abcd", "ok", ""),
        ("16.28.0~dfsg-0+deb11u4", "warn", "wideband phone"),
        ("18.26.4", "warn", "wideband phone"),
        ("certified/18.9-cert9", "warn", "wideband phone"),
        ("16.2.1~dfsg-1", "warn", "older than 16.28"),
        ("13.38.3", "warn", "older than 16.28"),
    ],
)
def test_of_an_old_asterisk_it_is_said_what_it_lacks(
    site: Site, asterisk: _Server, version: str, health: str, told: str
) -> None:
    asterisk.version = version
    found = checks(site)["ARI"]
    assert (found["health"], told in found["what"], version in found["what"]) == (health, True, True)
