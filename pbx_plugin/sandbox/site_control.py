"""A sandbox that outlives the command which started it: up, down, status, each from a process of its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pbx_plugin.asterisk.ami import AmiError, AmiUnreachableError
from pbx_plugin.asterisk.install import InstallError
from pbx_plugin.asterisk.load import LoadError
from pbx_plugin.prompts.build import BuildError
from pbx_plugin.prompts.speech import SpeechError
from pbx_plugin.sandbox.demo_agents import agents_command
from pbx_plugin.sandbox.instance import AsteriskError
from pbx_plugin.sandbox.instance_ports import NoFreePortsError
from pbx_plugin.sandbox.instance_process import Running, running
from pbx_plugin.sandbox.provision import CURRENT, RELEASES, ensure_asterisk
from pbx_plugin.sandbox.provision_error import ProvisionError
from pbx_plugin.sandbox.service import READY, SAYS, ServiceError, service_command
from pbx_plugin.sandbox.site import Site
from pbx_plugin.sandbox.site_info import Facts, Info, describe

DEFAULT_FOLDER = Path(".sandbox")
STATE = "sandbox.json"
LOCK = "sandbox.lock"
PATIENCE = 8.0
"""Seconds that a process gets to end in an orderly way."""

PARTS = ("asterisk", *READY)
"""What must run for a sandbox to be up."""

VERSIONS = tuple(RELEASES)
"""What ``up`` may be asked for: Asterisk's versions by their first number."""

Say = Callable[[str], None]


class SandboxError(Exception):
    """The sandbox could not be started or stopped; says why, in a line or with the end of a log."""


def up(folder: Path, say: Say = lambda _: None, asterisk: str = CURRENT.name) -> Info:
    """Start the sandbox in ``folder`` and return what is needed to call into it; it goes on without this process.

    ``asterisk`` is one of ``VERSIONS``; another one may carry on a company that was founded on the first.
    One that is up already is left alone and described in the same words. What is left of one that is half up is ended
    first, and a new one is started on the same company, calls and recordings, with new ports and passwords. Raises
    SandboxError; nothing is left running then. One that is up with another Asterisk is left alone, too.
    """
    folder, release = folder.resolve(), RELEASES[asterisk]
    with alone(folder):
        info = _is_up(folder)
        if info is not None:
            running_version = info["versions"]["asterisk"]
            if not release.fits(running_version):
                raise SandboxError(f"it is up with Asterisk {running_version}: 'pbx-plugin sandbox down' first")
            say("it is up already")
            return info
        end_all(folder, say)
        try:
            ensure_asterisk(say, release)
            site = Site(folder, detached=True, release=release)
            try:
                site.start(say)
                info = info_of(site)
                write_state(folder, info)
            except BaseException:
                site.stop()
                raise
        except TROUBLES as error:
            raise SandboxError(str(error)) from error
    return info


def down(folder: Path, say: Say = lambda _: None) -> bool:
    """End everything that runs in the sandbox, whoever started it; return whether anything did.

    Files stay. Raises SandboxError when something would not end.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        return False
    with alone(folder):
        ended = end_all(folder, say)
        (folder / STATE).unlink(missing_ok=True)
    return ended


def status(folder: Path) -> Info:
    """Return what :func:`up` returns; of a sandbox that is not up, ``up`` false and which part of it still runs."""
    folder = folder.resolve()
    found = processes_of(folder)
    return _is_up(folder) or {
        "up": False,
        "folder": str(folder),
        "pids": {name: process.pid for name, process in found.items()},
    }


TROUBLES = (
    *(AsteriskError, ServiceError, ProvisionError, NoFreePortsError),
    *(InstallError, LoadError, AmiError, AmiUnreachableError, BuildError, SpeechError, OSError),
)
"""What can keep a sandbox from starting, each with a text for a person."""


def info_of(site: Site) -> Info:
    """Return everything about a site that has been started."""
    return describe(
        Facts(
            folder=site.folder,
            config=site.config_path,
            settings=site.settings,
            ports=site.ports,
            secrets=site.secrets,
            rtp_ports=(site.asterisk.ports.rtp_first, site.asterisk.ports.rtp_last),
            asterisk_version=site.asterisk.binary.version,
            pids={
                "asterisk": site.asterisk.pid,
                "recorder": site.recorder.pid,
                "agi": site.agi.pid,
                "bridge": site.bridge.pid,
            },
            logs={
                "asterisk": site.asterisk.log_path,
                "recorder": site.recorder.log_path,
                "agi": site.agi.log_path,
                "bridge": site.bridge.log_path,
                "cdr": site.asterisk.cdr_path,
                "cel": site.asterisk.cel_path,
            },
        )
    )


def write_state(folder: Path, info: Info) -> None:
    """Keep what is known of a sandbox that is up. It holds passwords: nobody else may read it."""
    place, fresh = folder / STATE, folder / f"{STATE}.new"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w") as file:
        json.dump(info, file, indent=2)
    fresh.replace(place)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others from starting or stopping this sandbox meanwhile. Raises SandboxError when somebody does."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SandboxError(f"another command is at work on the sandbox in {folder}") from None
    try:
        yield
    finally:
        os.close(handle)


def processes_of(folder: Path) -> dict[str, Running]:
    """Return what runs in this sandbox, by name: asterisk, recorder, agi, bridge, api, portal, agents.

    Found by their command lines, which name the folder's own files, so that a process is known whatever became of the
    one that started it, and no stranger with a number from an old file is ever taken for ours.
    """
    config = folder / "config.toml"
    services = {name: service_command(config, name)[1:] for name in SAYS} | {"agents": agents_command(config)[1:]}
    asterisk = ["-C", str(folder / "pbx" / "etc" / "asterisk.conf"), "-f"]
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid != os.geteuid():
                continue
            words = [os.fsdecode(word) for word in (entry / "cmdline").read_bytes().split(b"\0")[:-1]]
        except OSError:
            continue  # it ended while we looked
        name = next((name for name, command in services.items() if words[1:] == command), "")
        name = "asterisk" if words[-3:] == asterisk else name
        process = running(int(entry.name)) if name else None
        if process is not None:
            found[name] = process
    return found


def end_all(folder: Path, say: Say = lambda _: None) -> bool:
    """End what runs in a sandbox: the recorder before Asterisk, so that it can close its files."""
    found = processes_of(folder)
    for name in ("agents", "portal", "api", "recorder", "agi", "bridge", "asterisk"):
        if name in found:
            say(f"ending the {name}" if name != "asterisk" else "ending Asterisk")
            _end(found[name])
    left = processes_of(folder)
    if left:
        raise SandboxError(f"still running: {', '.join(f'{name} (pid {one.pid})' for name, one in left.items())}")
    return bool(found)


def _end(process: Running) -> None:
    for sign in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        until = time.monotonic() + (0.0 if sign == signal.SIGCONT else PATIENCE)
        while process.lives() and time.monotonic() < until:
            time.sleep(0.05)


def _is_up(folder: Path) -> Info | None:
    try:
        info: Info = json.loads((folder / STATE).read_text())
        pids = {name: info["pids"][name] for name in PARTS}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = processes_of(folder)
    return info if all(name in found and found[name].pid == pid for name, pid in pids.items()) else None
