"""``pbx-plugin portal run``: starts, says where it is, ends when told; and says what is wrong when it cannot."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from pbx_plugin.settings import CONFIG_VARIABLE

pytestmark = pytest.mark.wide


def started(folder: Path, migrated_file: Path, portal: str) -> subprocess.Popen[str]:
    database = shutil.copy(migrated_file, folder / "pbx.sqlite")
    config = folder / "config.toml"
    config.write_text(f'database = "sqlite:///{database}"\n[paths]\nstate = "{folder}"\n[portal]\n{portal}\n')
    return subprocess.Popen(
        [sys.executable, "-m", "pbx_plugin.cli.main", "portal", "run"],
        env={**os.environ, CONFIG_VARIABLE: str(config)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_portal_runs_until_it_is_told_to_stop(tmp_path: Path, migrated_file: Path) -> None:
    with started(tmp_path, migrated_file, "port = 0") as process:
        assert process.stderr is not None
        said = json.loads(process.stderr.readline())
        assert said["event"] == "answering"
        with httpx2.Client(trust_env=False, verify=False, timeout=20) as client:
            assert "Sign in" in client.get(f"{said['url']}/sign-in").text
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert "Traceback" not in rest
    assert process.returncode in (0, -signal.SIGTERM)


def test_a_port_that_is_taken_is_named(tmp_path: Path, migrated_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(tmp_path, migrated_file, f"port = {port}") as process:
            _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"the portal cannot listen on 127.0.0.1:{port}" in said


@pytest.mark.parametrize(
    ("value", "named"), [('time_zone = "Europe/Nowhere"', "Europe/Nowhere"), ('public_url = "calls"', "public_url")]
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, migrated_file: Path, value: str, named: str) -> None:
    with started(tmp_path, migrated_file, f"port = 0\n{value}") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert named in said
    assert "Traceback" not in said
