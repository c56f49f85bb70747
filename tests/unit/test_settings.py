"""What a configuration may not say: each mistake is named with its file, its place and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbx_plugin.settings import SettingsError, load_settings


def config(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_every_code_has_a_digit_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config.toml: value 'dialplan': .*must differ, not 4, 5, 5"):
        load_settings(config(tmp_path, '[dialplan]\nwithdraw_digit = "5"\n'))
    settings = load_settings(config(tmp_path, '[dialplan]\nwithdraw_digit = "5"\npause_digit = "6"\n'))
    assert (settings.dialplan.toggle_digit, settings.dialplan.pause_digit) == ("4", "6")


def test_the_alarm_comes_before_the_stop(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'recorder': .*disk_warn_mb \(100\) is less than disk_stop_mb \(500\)"):
        load_settings(config(tmp_path, "[recorder]\ndisk_warn_mb = 100\n"))


def test_a_limit_below_nought_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'recorder.most_at_once'"):
        load_settings(config(tmp_path, "[recorder]\nmost_at_once = -1\n"))


@pytest.mark.parametrize("section", ["recorder", "bridge"])
@pytest.mark.parametrize("seconds", [5, 0])
def test_what_is_applied_cannot_be_looked_for_too_seldom(tmp_path: Path, section: str, seconds: int) -> None:
    with pytest.raises(SettingsError, match=rf"'{section}.rulebook_refresh'"):
        load_settings(config(tmp_path, f"[{section}]\nrulebook_refresh = {seconds}\n"))
    assert load_settings(config(tmp_path, f"[{section}]\nrulebook_refresh = 4\n"))
