"""Hunt groups are set to be bridged by commands; the doctor and the service say how that stands."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cli_site import Site

SETTINGS = ("bridged", "strategy", "ring_seconds", "wait_seconds", "wrap_up_seconds", "music")
USUAL = (False, "ring-all", 20, 60, 0, False)


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    site = Site(tmp_path, migrated_file, "--ari-port", str(port))
    site.staff()
    return site


def settings_of(site: Site, name: str) -> tuple[object, ...]:
    (group,) = [one for one in site.does("groups", "list", "--json").data if one["name"] == name]
    return tuple(group[setting] for setting in SETTINGS)


def test_a_group_is_rung_by_asterisk_until_it_is_set_otherwise(site: Site) -> None:
    assert settings_of(site, "sales") == USUAL


def test_each_setting_is_kept_and_changes_nothing_else(site: Site) -> None:
    site.does("groups", "set", "sales", "--bridged", "--strategy", "least-recent")
    assert settings_of(site, "sales") == (True, "least-recent", 20, 60, 0, False)
    site.does("groups", "set", "sales", "--ring-seconds", "7", "--wait-seconds", "90", "--wrap-up-seconds", "15")
    site.does("groups", "set", "sales", "--music", "--number", "699")
    assert settings_of(site, "sales") == (True, "least-recent", 7, 90, 15, True)
    site.does("groups", "set", "sales", "--not-bridged", "--ringing")
    assert settings_of(site, "sales") == (False, "least-recent", 7, 90, 15, False)


def test_a_group_can_be_added_so(site: Site) -> None:
    added = site.does("groups", "add", "new", "650", "--bridged", "--strategy", "in-order", "--json").data
    assert (added["bridged"], added["strategy"]) == (True, "in-order")
    assert settings_of(site, "new") == (True, "in-order", 20, 60, 0, False)


def test_the_list_shows_which_groups_are_bridged_and_how(site: Site) -> None:
    site.does("groups", "set", "sales", "--bridged", "--strategy", "round-robin")
    (sales,) = [line for line in site.does("groups", "list").out.splitlines() if "sales" in line]
    (quiet,) = [line for line in site.does("groups", "list").out.splitlines() if "quiet" in line]
    assert "round-robin" in sales
    assert quiet.split()[-1] == "no"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--ring-seconds", "0"), "ring seconds 0"),
        (("--ring-seconds", "301"), "ring seconds 301"),
        (("--wait-seconds", "-5"), "wait seconds -5"),
        (("--wrap-up-seconds", "99999"), "wrap-up seconds 99999"),
        (("--strategy", "random"), "random"),
        (("--ring-seconds", "soon"), "soon"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_changed(site: Site, words: tuple[str, ...], told: str) -> None:
    said = site("groups", "set", "sales", "--bridged", *words)
    assert said.code == 2
    assert told in said.err
    assert settings_of(site, "sales") == USUAL


def test_a_change_of_how_a_group_rings_is_installed_with_the_dialplan_and_audited(site: Site) -> None:
    before = site.does("dialplan", "show", "extensions.conf").out
    site.does("groups", "set", "sales", "--bridged")
    assert "Stasis(pbxrec-bridge," in site.does("dialplan", "show", "extensions.conf").out
    assert "Stasis(" not in before


def test_the_doctor_speaks_of_the_bridge_where_a_group_needs_it(site: Site) -> None:
    def bridge() -> list[dict[str, str]]:
        return [one for one in site("doctor", "--json").data["checks"] if one["name"] == "bridge"]

    assert bridge() == []
    site.does("groups", "set", "sales", "--bridged")
    (check,) = bridge()
    assert check["health"] == "warn"
    assert "sales" in check["what"]
    assert "pbx-plugin run" in check["mend"]


@pytest.mark.wide
def test_one_bridge_runs_at_a_time(site: Site) -> None:
    command = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", str(site.config), "bridge"]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert first.stderr is not None
        assert "Asterisk does not answer" in first.stderr.readline()
        second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert second.returncode == 1
        assert "another one runs" in second.stderr
    finally:
        first.terminate()
        _, said = first.communicate(timeout=20)
    assert first.returncode == 0, said
