"""The README's "Ten minutes", done as it says, beside an Asterisk with its administrator's own dialplan and phones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from stage import wait_for

from pbx_plugin.sandbox.instance import AsteriskInstance
from pbx_plugin.sandbox.instance_ports import PortBlock
from pbx_plugin.sandbox.instance_process import end_group
from pbx_plugin.sandbox.listening import assert_side
from pbx_plugin.sandbox.phone import Phone
from pbx_plugin.sandbox.signals import VOICES, write_voice
from pbx_plugin.sandbox.site_config import LOOPBACK_MEDIA, TRUNK_HOST

README = Path(__file__).parents[2] / "README.md"
PASSWORD = "anna's own"
ANNA, CLARA = VOICES[:2]
DIRECT_NUMBER = "+4570100701"
CALLER = "+4531200118"
OWN_DIALPLAN = f"""\
[general]
[from-outside]
exten => {DIRECT_NUMBER},1,Dial(PJSIP/101,30)
[inside]
exten => 101,1,Dial(PJSIP/101,30)
"""


def pjsip(ports: PortBlock, sip: int, line: int) -> str:
    """The administrator's own phones and outside line."""
    usual = "disallow = all\nallow = alaw\ndirect_media = no\n"
    usual += "".join(f"{key} = {value}\n" for key, value in LOOPBACK_MEDIA.items())
    return (
        f"[udp]\ntype = transport\nprotocol = udp\nbind = {ports.host}:{sip}\n"
        f"[101]\ntype = endpoint\ncontext = inside\nauth = 101\naors = 101\n{usual}"
        f"[101]\ntype = auth\nusername = 101\npassword = {PASSWORD}\n"
        f"[101]\ntype = aor\nmax_contacts = 1\n"
        f"[carrier]\ntype = endpoint\ncontext = from-outside\naors = carrier\n{usual}"
        f"[carrier]\ntype = aor\ncontact = sip:{TRUNK_HOST}:{line}\n"
        f"[carrier]\ntype = identify\nendpoint = carrier\nmatch = {TRUNK_HOST}\n"
    )


def readme_commands(heading: str) -> list[str]:
    """The shell lines below a heading, without their comments."""
    section = README.read_text().split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


class Administrator:
    """Somebody who types what the README says; what lies elsewhere than usual is told to ``init``."""

    def __init__(self, folder: Path) -> None:
        self.ports = PortBlock.take()
        self.sip, self.line = self.ports.port("udp"), self.ports.port("udp")
        self.ami, self.agi = self.ports.port("tcp"), self.ports.port("tcp")
        self.state = folder / "state"
        self.asterisk = AsteriskInstance(
            folder / "pbx",
            {
                "pjsip.conf": pjsip(self.ports, self.sip, self.line),
                "extensions.conf": OWN_DIALPLAN,
                "ari.conf": "[general]\nenabled = yes\npretty = yes\n",
                "manager.conf": f"[general]\nenabled = yes\nbindaddr = {self.ports.host}\nport = {self.ami}\n",
            },
            ports=self.ports,
        )
        self.etc = self.asterisk.conf_path.parent
        config = {"PBX_PLUGIN_CONFIG": str(folder / "own" / "config.toml")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, **config, "PATH": path}
        self.folder = folder

    @property
    def server(self) -> str:
        return f"{self.ports.host}:{self.sip}"

    @property
    def places(self) -> str:
        where = {
            "state": self.state,
            "spool": self.asterisk.spool_dir / "recording",
            "asterisk-etc": self.etc,
            "ari-port": self.asterisk.http_port,
            "ami-port": self.ami,
            "agi-port": self.agi,
        }
        return "".join(f" --{name} {value}" for name, value in where.items())

    def tries(self, line: str) -> subprocess.CompletedProcess[str]:
        """Type one line into a shell."""
        return subprocess.run(
            ["sh", "-c", line], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    def types(self, line: str) -> str:
        """Type one line that must work."""
        done = self.tries(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def asks(self, line: str) -> Any:
        """Type one line that answers in JSON."""
        return json.loads(self.types(f"{line} --json"))

    def complaints(self, doctor: str) -> list[dict[str, str]]:
        """What the doctor finds broken or worth a look."""
        checks = json.loads(self.tries(f"{doctor} --json").stdout)["checks"]
        return [check for check in checks if check["health"] != "ok"]

    def adds(self, name: str, text: str) -> None:
        """Write something at the end of one of Asterisk's own files."""
        with (self.etc / name).open("a") as file:
            file.write(text)


@pytest.fixture
def administrator(tmp_path: Path) -> Iterator[Administrator]:
    made = Administrator(tmp_path)
    with made.asterisk:
        yield made


@contextmanager
def running(administrator: Administrator, line: str) -> Iterator[None]:
    """Leave a command running in another terminal, until the recorder hears Asterisk, and end it as Ctrl-C would."""
    said = administrator.folder / "run.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            ["sh", "-c", f"exec {line}"], env=administrator.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(lambda: "listening to Asterisk" in said.read_text(), f"{line} to be ready", 20.0)
        yield
        assert process.poll() is None, said.read_text()
    finally:
        end_group(process, 8.0)


def test_ten_minutes_to_the_first_recording(administrator: Administrator, tmp_path: Path) -> None:
    lines = [line for line in readme_commands("Ten minutes") if line.startswith("pbx-plugin")]
    init, add, build, run, doctor, recordings, calls, explain = lines

    said = administrator.types(init + administrator.places)
    included = dict(re.findall(r"(\w+\.conf) include (\S+)", said))
    assert set(included) == {"ari.conf", "manager.conf"}
    [channelvars] = [check for check in administrator.complaints(doctor) if check["name"] == "channelvars"]
    administrator.adds("ari.conf", channelvars["mend"].partition(": ")[2] + "\n")
    for name, path in included.items():
        administrator.adds(name, f"#include {path}\n")
    administrator.asterisk.rx("core reload")
    assert "Anna Andersen" in administrator.types(add)
    assert "en/announce" in administrator.types(build)

    with running(administrator, run):
        # The dialplan is the administrator's own, the witness comes with ours, and this Asterisk has no realtime
        # priority; nothing else is missing.
        left = [check["name"] for check in administrator.complaints(doctor)]
        assert [name for name in left if not name.startswith(("dialplan", "witness", "priority"))] == []
        recording = telephones(administrator, recordings, tmp_path)

    assert recording["other_e164"] == CALLER
    assert recording["user_name"] == "Anna Andersen"
    sound = Path(administrator.types(f"pbx-plugin recordings path {recording['recording_id']}").strip())
    end = recording["length_ms"] / 1000
    assert_side(sound, 0, ANNA, 0.3, end - 0.3)
    assert_side(sound, 1, CLARA, 0.3, end - 0.3)
    [call] = administrator.asks(calls)
    explained = administrator.types(explain.replace("CALL", call["call_id"]))
    assert "Rule 10 (user in mode always) decided" in explained
    assert administrator.asks("pbx-plugin gaps") == []


def telephones(administrator: Administrator, recordings: str, folder: Path) -> dict[str, Any]:
    """Call Anna from outside and talk; her recording, as it is listed afterwards."""

    def listed(state: str) -> list[dict[str, Any]] | None:
        return [one for one in administrator.asks(recordings) if one["state"] == state] or None

    with ExitStack() as phones:
        anna = phones.enter_context(
            Phone.start(
                "101", server=administrator.server, register=True, password=PASSWORD,
                signal=write_voice(folder / "anna.wav", ANNA, 20),
            )
        )  # fmt: skip
        clara = phones.enter_context(
            Phone.start(
                "clara", address=TRUNK_HOST, server=administrator.server, caller=CALLER,
                signal=write_voice(folder / "clara.wav", CLARA, 20), record_dir=folder,
            )
        )  # fmt: skip
        anna.auto_answer(300)
        leg = clara.dial(DIRECT_NUMBER)
        leg.wait("CONFIRMED")
        wait_for(lambda: listed("recording"), "the recording to begin", 15.0)
        leg.still_up(2.0)
        leg.hangup()
        leg.wait_ended()
    [stored] = wait_for(lambda: listed("stored"), "the recording to be stored", 15.0)
    return stored
