"""What is left of something that should be gone: processes that work in a folder, and ports that are still taken."""

import re
import time
import tomllib
from pathlib import Path

from pbx_plugin.sandbox.instance_ports import is_free
from pbx_plugin.sandbox.site_config import TRUNK_HOST

GOES_WITHIN_S = 8.0


def processes_in(folder: Path) -> list[str]:
    """The processes that stand in a folder or name it on their command line, zombies not counted."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            here = (entry / "cwd").readlink()
        except OSError:
            continue
        if words and (str(folder) in words or here.is_relative_to(folder)):
            found.append(f"{entry.name} {words}")
    return found


def taken_ports(config: Path) -> list[str]:
    """The ports of a site's configuration that are not free."""
    settings = tomllib.loads(config.read_text())
    pjsip = (config.parent / "pbx" / "etc" / "pjsip.conf").read_text()
    taken = [f"tcp {settings[name]['port']}" for name in ("ari", "ami", "agi") if not _free(settings[name]["port"])]
    for host, port in re.findall(rf"(127\.0\.0\.1|{re.escape(TRUNK_HOST)}):(\d+)", pjsip):
        if not is_free(host, int(port), "udp"):
            taken.append(f"udp {host}:{port}")
    return taken


def _free(port: int) -> bool:
    return is_free("127.0.0.1", port, "tcp")


def assert_nothing_left(folder: Path, config: Path) -> None:
    """Fails when a process or a port is still there after a few seconds."""
    until = time.monotonic() + GOES_WITHIN_S
    while (processes_in(folder) or taken_ports(config)) and time.monotonic() < until:
        time.sleep(0.2)
    assert processes_in(folder) == []
    assert taken_ports(config) == []
