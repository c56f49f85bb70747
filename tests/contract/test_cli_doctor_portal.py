"""The doctor says what keeps people from the portal, or others from being kept out of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cli_site import Site
from pytest_mock import MockerFixture

from pbx_plugin.cli.check_portal import address
from pbx_plugin.portal.runner import build_server, build_site
from pbx_plugin.settings import Paths, Settings, load_settings
from pbx_plugin.storage.portal_key import PortalKey

PORTAL = "PBX_PLUGIN_PORTAL__"


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch, free_port: int) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    monkeypatch.setenv(f"{PORTAL}PORT", str(free_port))
    (tmp_path / "spool").mkdir()
    ports = ("--ari-port", str(free_port), "--ami-port", str(free_port), "--agi-port", str(free_port))
    return Site(tmp_path, migrated_file, *ports)


def seen(site: Site) -> dict[str, tuple[str, str]]:
    """What the doctor says of the portal: health, and what with its remedy."""
    found = site("doctor", "--json").data["checks"]
    told = {one["name"]: (one["health"], f"{one['what']} -> {one['mend']}") for one in found}
    return {name: said for name, said in told.items() if name.startswith("portal")}


def test_a_site_whose_portal_nobody_uses_is_well_without_it(site: Site) -> None:
    assert {health for health, _ in seen(site).values()} == {"ok"}


def test_with_accounts_the_portal_has_to_run_to_have_an_address_and_mail(site: Site, free_port: int) -> None:
    site.does("portal", "create-admin", "boss@one.example")
    told = seen(site)
    assert {name: health for name, (health, _) in told.items()} == {
        "portal key": "ok",
        "portal address": "warn",
        "portal": "warn",
        "portal mail": "warn",
    }
    assert f"nothing answers at 127.0.0.1:{free_port}" in told["portal"][1]
    assert "pbx-plugin portal run" in told["portal"][1]
    assert "mail.host" in told["portal mail"][1]


@pytest.mark.parametrize(
    ("values", "health", "told"),
    [
        ({"PUBLIC_URL": "http://calls.example.com"}, "fail", "is no https"),
        ({"HOST": "0.0.0.0"}, "fail", "over the wire in clear"),
        ({"PUBLIC_URL": "https://calls.example.com"}, "warn", "trusted_proxies"),
        (
            {"PUBLIC_URL": "https://calls.example.com", "TRUSTED_PROXIES": '["127.0.0.1"]', "HOST": "0.0.0.0"},
            "warn",
            "without TLS",
        ),
        (
            {"PUBLIC_URL": "https://calls.example.com", "TRUSTED_PROXIES": '["127.0.0.1"]'},
            "ok",
            "cookies for https only",
        ),
        ({"PUBLIC_URL": "http://127.0.0.1:8471"}, "ok", "by http on this machine"),
        ({"TIME_ZONE": "Europe/Atlantis"}, "fail", "Atlantis"),
    ],
)
def test_an_address_that_gives_passwords_away_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, str], health: str, told: str
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(PORTAL + name, value)
    said = address(Settings(paths=Paths(state=tmp_path)), 1)
    assert said.health == health
    assert told in said.what + said.mend


@pytest.mark.wide
def test_a_running_portal_is_told_from_somebody_else_at_its_port(site: Site, free_port: int) -> None:
    settings = load_settings(site.config)
    site.does("portal", "create-admin", "boss@one.example")
    made = build_site(settings, free_port)
    with socket.create_server(("127.0.0.1", free_port)) as listening:
        server = build_server(made)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            assert seen(site)["portal"] == ("ok", f"answers at 127.0.0.1:{free_port}, 1 accounts -> ")
        finally:
            server.should_exit = True
            thread.join()
            made.engine.dispose()
    with somebody_else(free_port):
        health, told = seen(site)["portal"]
    assert (health, "is not the portal" in told) == ("fail", True)


def test_a_key_that_opens_nothing_is_named_with_what_to_do(site: Site, mocker: MockerFixture) -> None:
    folder = site.state / "keys"
    PortalKey(folder).seal("secret", "somebody")
    path = folder / "portal.key"
    assert seen(site)["portal key"][0] == "ok"
    path.chmod(0o644)
    health, told = seen(site)["portal key"]
    assert (health, f"chmod 600 {path}" in told) == ("fail", True)
    path.chmod(0o600)
    mocker.patch("pbx_plugin.cli.check_portal.owner_of", side_effect=[997, 0])
    assert "belongs to user 0, the state folder to user 997" in seen(site)["portal key"][1]
    mocker.stopall()
    path.write_bytes(b"torn")
    health, told = seen(site)["portal key"]
    assert (health, "from a backup" in told) == ("fail", True)


class _Nobody(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response_only(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def somebody_else(port: int) -> Iterator[None]:
    """Let another program answer at the port."""
    with HTTPServer(("127.0.0.1", port), _Nobody) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()
