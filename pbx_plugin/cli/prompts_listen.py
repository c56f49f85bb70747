"""How a prompt comes to somebody's ear: a player on this machine, a file, or a phone that is rung."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriClient, AriError, AriUnreachableError
from pbx_plugin.asterisk.render import LISTEN_CONTEXT
from pbx_plugin.cli.frame import TroubleError
from pbx_plugin.domain.rulebook import Rulebook
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.settings import Settings

PLAYERS = ("paplay", "aplay")
RINGS_S = 30
PLAYS_WITHIN_S = 120
_PLAYABLE = re.compile(r"/[A-Za-z0-9_./-]+")


def player() -> str:
    """Return the program that plays sound on this machine, empty when there is none."""
    return next((found for name in PLAYERS if (found := shutil.which(name))), "")


def play(program: str, sound: Path) -> None:
    """Play a sound (no extension) to its end. Raises TroubleError."""
    try:
        done = subprocess.run(
            [program, f"{sound}.wav16" if Path(program).name == "paplay" else f"{sound}.wav"],
            capture_output=True,
            text=True,
            timeout=PLAYS_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TroubleError(f"{program} failed: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise TroubleError(f"{program} failed: {said[-1] if said else done.returncode}; use --out or --phone")


def write(sound: Path, out: Path) -> Path:
    """Copy a sound (no extension), at 16 kHz, to a file. Raises TroubleError."""
    try:
        out.write_bytes(sound.with_name(f"{sound.name}.wav16").read_bytes())
    except OSError as error:
        raise TroubleError(f"{out} cannot be written: {error}") from error
    return out


def ring(settings: Settings, rulebook: Rulebook, extension: str, sound: Path) -> str:
    """Have Asterisk ring a user's phone, and play the sound (no extension) once it answers; return the phone.

    Returns as soon as it rings. Raises RefusedError without such a phone, TroubleError when Asterisk cannot.
    """
    devices = [device for user in rulebook.users if user.extension == extension for device in user.devices]
    if not devices:
        raise RefusedError(f"there is no user {extension!r} with a phone: see 'pbx-plugin users list'")
    if not _PLAYABLE.fullmatch(str(sound)):
        # Playback() takes several names joined by signs.
        raise TroubleError(f"Asterisk cannot be told of {sound}: a folder's name has signs of its own meaning")
    try:
        asyncio.run(_originate(settings, devices[0], sound))
    except AriError as error:
        raise TroubleError(f"{devices[0]} cannot be rung: {error}; is the dialplan installed?") from error
    except AriUnreachableError as error:
        raise TroubleError(f"Asterisk cannot be asked: {error}") from error
    return devices[0]


async def _originate(settings: Settings, device: str, sound: Path) -> None:
    query = {
        "endpoint": device,
        "context": LISTEN_CONTEXT,
        "extension": "s",
        "priority": "1",
        "callerId": '"pbx-plugin" <>',
        "timeout": str(RINGS_S),
    }
    async with AriClient(settings.ari) as client:
        await client.request("POST", ["channels"], query, {"variables": {variables.LISTEN: str(sound)}})
