"""A prompt is listened to: by a player, from a file, on a phone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cli_site import Site
from pytest_mock import MockerFixture


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    made = Site(tmp_path, migrated_file)
    made.does("prompts", "build")
    return made


def player(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Path:
    """A player on the path, which writes down what it was given."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "aplay"
    program.write_text(f'#!/bin/sh\necho "$@" >"{folder}/played"\necho cannot open >&2\nexit {code}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return folder / "played"


def test_a_player_plays_it(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = player(tmp_path, monkeypatch)
    said = site.does("prompts", "listen", "sv/announce", "--json").data
    assert (said["how"], said["on"]) == ("played", "aplay")
    assert said["text"].startswith("Observera")
    assert played.read_text().strip() == said["path"]
    assert Path(said["path"]).is_file()


def test_a_player_that_fails_is_named(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player(tmp_path, monkeypatch, code=1)
    said = site("prompts", "listen", "en/announce")
    assert (said.code, "cannot open" in said.err) == (1, True)


def test_without_a_player_it_is_told_where_the_file_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = site.does("prompts", "listen", "en/announce")
    assert "en/announce.wav" in said.out
    assert "--phone" in said.out


def test_it_is_written_to_a_file(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    site.does("prompts", "listen", "en/announce", "--out", str(out))
    assert out.read_bytes() == (site.state / "prompts/en/announce.wav16").read_bytes()


def test_a_phone_is_rung_in_the_context_for_it(site: Site, mocker: MockerFixture) -> None:
    site.does("users", "add", "101", "Anna")
    request = mocker.patch("pbx_plugin.cli.prompts_listen.AriClient.request")
    said = site.does("prompts", "listen", "en/announce", "--phone", "101", "--json").data
    assert said["on"] == "PJSIP/101"
    ((_method, _path, query, body), _) = request.call_args
    assert (query["endpoint"], query["context"], query["extension"]) == ("PJSIP/101", "pbxrec-listen", "s")
    assert body == {"variables": {"PBXREC_LISTEN": said["path"].removesuffix(".wav")}}


@pytest.mark.parametrize("words", [("en/nothing",), ("../secret",), ("en/announce", "--phone", "999")])
def test_what_is_not_there_is_refused(site: Site, words: tuple[str, ...]) -> None:
    assert site("prompts", "listen", *words).code == 2
