"""``init`` makes a site once, keeps its secrets to itself, and never overwrites anything."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cli_site import Said, type_in

from pbx_plugin.db.migrate import newest


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", str(tmp_path / "elsewhere.toml"))


def init(folder: Path, *more: str) -> Said:
    return type_in(
        *("init", "--config", str(folder / "etc/config.toml"), "--state", str(folder / "state"), "--json"),
        *("--spool", str(folder / "spool"), "--asterisk-etc", str(folder / "asterisk")),
        *more,
    )


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_site_is_made_with_its_folders_database_and_company(tmp_path: Path) -> None:
    said = init(tmp_path, "--company", "Ærø & Søn", "--country", "dk", "--language", "da", "--ari-port", "18088")
    assert said.code == 0, said.err
    config = tmp_path / "etc/config.toml"
    values = tomllib.loads(config.read_text(encoding="utf-8"))
    assert values["ari"]["port"] == 18088
    assert said.data["tenant"]["name"] == "Ærø & Søn"
    assert (said.data["tenant"]["country"], said.data["tenant"]["language"]) == ("DK", "da")
    assert type_in("--config", str(config), "users", "list", "--json").data == []


def test_files_are_for_us_and_our_group_only(tmp_path: Path) -> None:
    assert init(tmp_path).code == 0
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o750}
    files = {mode for path, mode in modes.items() if path.is_file()}
    assert files == {0o640}


def test_secrets_are_strong_and_told_only_in_files(tmp_path: Path) -> None:
    said = init(tmp_path)
    values = tomllib.loads((tmp_path / "etc/config.toml").read_text(encoding="utf-8"))
    secrets = {values["ari"]["password"], values["ami"]["secret"]}
    assert len(secrets) == 2
    assert all(len(secret) >= 32 for secret in secrets)
    assert not any(secret in said.out + said.err for secret in secrets)
    snippets = {name: Path(path).read_text(encoding="utf-8") for name, path in said.data["snippets"].items()}
    assert values["ari"]["password"] in snippets["ari.conf"]
    assert values["ami"]["secret"] in snippets["manager.conf"]


def test_an_existing_configuration_is_never_overwritten(tmp_path: Path) -> None:
    assert init(tmp_path).code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = init(tmp_path, "--company", "Other")
    assert (again.code, again.out, again.err.count("\n")) == (2, "", 1)
    assert "never overwritten" in again.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    said = init(tmp_path, "--dry-run")
    assert said.code == 0
    assert said.data["made"] is False
    assert made(tmp_path) == []


def test_a_run_that_failed_half_way_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "prompts").write_text("in the way")
    failed = init(tmp_path)
    assert failed.code == 1
    assert "no configuration was written" in failed.err
    (tmp_path / "state" / "prompts").unlink()
    assert init(tmp_path).code == 0
    assert not (tmp_path / "elsewhere.toml").exists()


def test_a_company_that_is_in_the_database_already_is_kept(tmp_path: Path) -> None:
    first = init(tmp_path, "--company", "One").data["tenant"]
    (tmp_path / "etc/config.toml").unlink()
    assert init(tmp_path, "--company", "One").data["tenant"] == first


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--company", " "), "empty"),
        (("--country", "Denmark"), "'Denmark'"),
        (("--language", "danish"), "'danish'"),
        (("--ari-port", "0"), "--ari-port"),
        (("--ami-port", "http"), "'http'"),
        (("--database", "not a url"), "'not a url'"),
        (("--database", "oracle://u:secret@h/d"), "database URL"),
        (("--database", "nobodyknows://u:secret@h/d"), "database URL"),
        (("--database", "nobody-knows://u:secret@h/d"), "database URL"),
    ],
)
def test_bad_values_are_refused_before_anything_is_made(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    said = init(tmp_path, *words)
    assert said.code == 2, said
    assert told in said.err
    assert "secret" not in said.err
    assert said.err.count("\n") == 1
    assert made(tmp_path) == []


@pytest.mark.parametrize("name", ["a b", 'say "x"', "\U0001f600 Æ", "50%41?#&;$x", "back\\slash", "\x7f\tx"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    said = init(folder)
    assert said.code == 0, said.err
    listed = type_in("--config", str(folder / "etc/config.toml"), "users", "list", "--json")
    assert (listed.code, listed.err) == (0, "")
    assert (folder / "state/pbx-plugin.sqlite").is_file()


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    said = init(tmp_path / "bytes\udcff")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert made(tmp_path) == []


def test_a_database_password_is_not_shown(tmp_path: Path) -> None:
    said = init(tmp_path, "--database", "postgresql://pbx:topsecret@127.0.0.1:1/x", "--dry-run")
    assert said.data["database"] == "postgresql://pbx:***@127.0.0.1:1/x"
    assert "topsecret" not in said.out


@pytest.mark.wide
def test_upgrading_an_upgraded_database_changes_nothing(tmp_path: Path) -> None:
    init(tmp_path)
    said: Any = type_in("--config", str(tmp_path / "etc/config.toml"), "upgrade", "--json").data
    assert said == {"before": newest(), "after": newest()}
    assert json.dumps(said)
