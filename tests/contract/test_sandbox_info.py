"""What ``sandbox up --json`` says: enough to call, press keys and read results, and true to the configuration."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cli_site import type_in
from pytest_mock import MockerFixture
from sqlalchemy import make_url

from pbx_plugin.domain.call import Mode
from pbx_plugin.sandbox.site_config import Ports, Secrets, asterisk_files, settings_toml
from pbx_plugin.sandbox.site_info import Facts, describe
from pbx_plugin.sandbox.site_people import CONSENT_NUMBERS, HUNTS, RESIDENTS
from pbx_plugin.settings import load_settings

PORTS = Ports(sip=20400, trunk=20401, http=20402, ami=20403, agi=20404, api=20405)
SECRETS = Secrets(ari="ari-secret", ami="ami-secret", phones="phone-secret")

Info = dict[str, Any]


@pytest.fixture
def info(tmp_path: Path) -> Info:
    """The description of a sandbox, as another program reads it."""
    etc, spool = tmp_path / "pbx" / "etc", tmp_path / "pbx" / "spool" / "recording"
    config = tmp_path / "config.toml"
    config.write_text(settings_toml(PORTS, SECRETS, tmp_path, spool, etc))
    facts = Facts(
        folder=tmp_path,
        config=config,
        settings=load_settings(config),
        ports=PORTS,
        secrets=SECRETS,
        rtp_ports=(20000, 20399),
        asterisk_version="22.1.0",
        pids={"asterisk": 11, "recorder": 12, "agi": 13},
        logs={"recorder": tmp_path / "recorder.log"},
    )
    told: Info = json.loads(json.dumps(describe(facts)))
    return told


def test_a_program_finds_every_address_and_password_where_asterisk_and_the_services_have_them(info: Info) -> None:
    config = tomllib.loads(Path(info["cli"]["config"]).read_text())
    assert (info["ari"]["port"], info["ari"]["password"]) == (config["ari"]["port"], config["ari"]["password"])
    assert info["ari"]["url"] == f"http://127.0.0.1:{PORTS.http}/ari"
    assert info["ari"]["app"] == "pbxrec"
    assert (info["ami"]["port"], info["ami"]["secret"]) == (config["ami"]["port"], config["ami"]["secret"])
    assert info["agi"] == {"host": "127.0.0.1", "port": config["agi"]["port"]}
    assert info["database"] == config["database"]
    assert info["paths"]["spool"] == config["paths"]["spool"]
    assert info["paths"]["archive"] == config["paths"]["archive"]
    pjsip = asterisk_files(PORTS, SECRETS)["pjsip.conf"]
    assert f"bind = {info['sip']['host']}:{info['sip']['port']}" in pjsip
    assert f"contact = sip:{info['trunk']['host']}:{info['trunk']['port']}" in pjsip
    assert f"match = {info['trunk']['calls_in_from']}" in pjsip
    for account in info["outside_callers"]:
        assert f"username = {account['username']}\npassword = {account['password']}\n" in pjsip


def test_every_phone_has_an_account_and_every_user_a_mode_and_two_numbers_to_dial(info: Info) -> None:
    assert [phone["extension"] for phone in info["phones"]] == [one.extension for one in RESIDENTS]
    assert all(phone["uri"] == f"sip:{phone['username']}@127.0.0.1:{PORTS.sip}" for phone in info["phones"])
    assert all(phone["password"] == SECRETS.phones for phone in info["phones"])
    assert {phone["mode"] for phone in info["phones"]} == {mode.value for mode in Mode}
    users = info["numbers"]["users"]
    assert set(users) == {"always", "on_demand", "never", "not_enrolled"}
    assert all(users.values())
    told = [user["extension"] for several in users.values() for user in several]
    assert sorted(told) == sorted(one.extension for one in RESIDENTS)
    ddis = {phone["extension"]: phone["ddi"] for phone in info["phones"]}
    assert all(user["ddi"] == ddis[user["extension"]] for several in users.values() for user in several)


def test_consent_numbers_tell_their_language_keys_and_groups_and_groups_whether_they_are_recorded(info: Info) -> None:
    consent = {one["number"]: one for one in info["numbers"]["consent"]}
    assert set(consent) == set(CONSENT_NUMBERS)
    assert consent["702"]["language"] == "da"
    assert consent["701"]["keys"] == {"yes": "1", "no": "2"}
    groups = {one["number"]: one for one in info["numbers"]["groups"]}
    assert set(groups) == {hunt.number for hunt in HUNTS}
    for one in consent.values():
        assert groups[one["yes_group"]]["recorded"]
        assert not groups[one["no_group"]]["recorded"]
    assert {one["kind"] for one in groups.values() if one["recorded"]} == {"queue", "ring group"}
    assert info["toggle_code"] == "*4"
    assert "112" in info["numbers"]["emergency"]
    assert info["numbers"]["whitelisted_ddi"]["ddi"] not in {phone["ddi"] for phone in info["phones"]}


def test_the_command_line_is_told_with_its_configuration(info: Info) -> None:
    assert info["cli"]["argv"][1:] == ["-m", "pbx_plugin.cli.main"]
    assert info["cli"]["environment"] == {"PBX_PLUGIN_CONFIG": info["cli"]["config"]}
    assert info["pids"] == {"asterisk": 11, "recorder": 12, "agi": 13}
    assert info["up"] is True
    assert set(info["versions"]) == {"pbx_plugin", "asterisk", "python"}


@pytest.mark.parametrize("name", ["a b", 'say "x"', "\U0001f600 Æ", "50%41?#&;$x", "back\\slash"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    config = tmp_path / "config.toml"
    config.write_text(settings_toml(PORTS, SECRETS, folder, folder / "spool", folder / "etc"), encoding="utf-8")
    settings = load_settings(config)
    assert settings.paths.archive == folder / "archive"
    assert make_url(settings.database).database == str(folder / "state" / "pbx-plugin.sqlite")


def test_a_place_where_no_sandbox_can_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = type_in("sandbox", "up", "--dir", str(tmp_path / "file"))
    assert (said.code, said.out, said.err) == (2, "", f"pbx-plugin: --dir '{tmp_path}/file' is not a folder\n")
    said = type_in("sandbox", "up", "--dir", str(tmp_path / "file" / "below"))
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert said.err.startswith("pbx-plugin: the sandbox: ")


def test_an_asterisk_that_no_sandbox_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    said = type_in("sandbox", "up", "--dir", str(tmp_path / "box"), "--asterisk", "13")
    assert (said.code, said.out, said.err) == (2, "", "pbx-plugin: --asterisk '13' is none of 22, 16\n")
    assert not (tmp_path / "box").exists()


def test_a_sandbox_that_is_up_with_another_asterisk_is_left_alone(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch("pbx_plugin.sandbox.site_control._is_up", return_value={"versions": {"asterisk": "22.10.1"}})
    ending = mocker.patch("pbx_plugin.sandbox.site_control.end_all")
    said = type_in("sandbox", "up", "--dir", str(tmp_path), "--asterisk", "16")
    assert (said.code, said.out) == (1, "")
    assert said.err == ("pbx-plugin: the sandbox: it is up with Asterisk 22.10.1: 'pbx-plugin sandbox down' first\n")
    ending.assert_not_called()
