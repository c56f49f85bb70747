"""Finds an Asterisk of version 20 or newer, or makes one for itself.

The machine's own Asterisk is taken where it is new enough. Otherwise Debian's packages are unpacked into a folder of
their own in the cache and run from there (see `provision_debian`). Neither needs root, and nothing is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from pbx_plugin.sandbox.provision_debian import unpack_asterisk
from pbx_plugin.sandbox.provision_error import ProvisionError

OLDEST = 20
"""The oldest major version the recorder is made for: ARI's snoop, `eventFilter` and `*`-features as we use them."""

OWN_ROOT = Path("/")
OWN_PLACES = "/usr/sbin:/usr/local/sbin"
"""Where the machine's own Asterisk is looked for besides `PATH`, which often lacks these for ordinary users."""


@dataclass(frozen=True)
class AsteriskBinary:
    """An Asterisk that can be run, and where its own files lie.

    `native` is the machine's own. `folder` is a tree of unpacked packages, run through the tree's own dynamic loader,
    so that paths, users and child processes (AGI scripts) are those of the machine.
    """

    kind: Literal["native", "folder"]
    root: Path
    version: str
    command: tuple[str, ...]
    modules_dir: Path
    data_dir: Path

    @property
    def major(self) -> int:
        """The first number of the version: 22 for `22.10.1`."""
        return int(self.version.split(".", 1)[0])


def cache_dir() -> Path:
    """Where this project keeps what is dear to make again; follows `XDG_CACHE_HOME`. The folder may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "pbx_plugin"


def find_asterisk() -> AsteriskBinary | None:
    """The Asterisk to use, if there is one already: the machine's own when new enough, else the cache's."""
    return _native() or _unpacked(tree_dir())


def ensure_asterisk(say: Callable[[str], None] = lambda _line: None) -> AsteriskBinary:
    """`find_asterisk()`, after making one if need be; `say` hears one line for every step that takes time.

    Safe to call from several processes at once, and again after a call that was cut short.

    Raises:
        ProvisionError: no Asterisk could be had.
    """
    found = find_asterisk()
    if found is not None:
        return found
    unpack_asterisk(tree_dir(), say)
    found = _unpacked(tree_dir())
    if found is None:
        raise ProvisionError(f"Asterisk was unpacked into {tree_dir()}, but does not run there")
    return found


def tree_dir() -> Path:
    """The folder of the unpacked Asterisk; it exists only when it is complete."""
    return cache_dir() / "asterisk"


def asterisk_version(command: tuple[str, ...]) -> str | None:
    """What `asterisk -V` says, as `22.10.1`; None if it cannot be run."""
    try:
        answer = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    spoken = re.match(r"Asterisk (?:certified[/-])?(\d+(?:\.\d+)*)", answer.stdout)
    return spoken.group(1) if spoken and answer.returncode == 0 else None


def _native() -> AsteriskBinary | None:
    path = shutil.which("asterisk") or shutil.which("asterisk", path=OWN_PLACES)
    if path is None:
        return None
    return _binary("native", OWN_ROOT, (path,), _module_dirs(OWN_ROOT), _data_dirs(OWN_ROOT))


def _unpacked(tree: Path) -> AsteriskBinary | None:
    program = tree / "usr/sbin/asterisk"
    loaders = sorted([*tree.glob("usr/lib*/ld-linux*.so.*"), *tree.glob("usr/lib/*-linux-gnu*/ld-linux*.so.*")])
    if not program.exists() or not loaders:
        return None
    # The machine's own loader cache must not be asked: it would mix the machine's libraries with the tree's.
    libraries = ":".join(str(folder) for folder in sorted(tree.glob("usr/lib/*-linux-gnu*")) if folder.is_dir())
    command = (str(loaders[0]), "--inhibit-cache", "--library-path", libraries, str(program))
    return _binary("folder", tree, command, _module_dirs(tree), _data_dirs(tree))


def _binary(
    kind: Literal["native", "folder"], root: Path, command: tuple[str, ...], modules: list[Path], data: list[Path]
) -> AsteriskBinary | None:
    version = asterisk_version(command)
    if version is None or int(version.split(".", 1)[0]) < OLDEST or not modules or not data:
        return None
    return AsteriskBinary(kind, root, version, command, modules[0], data[0])


def _module_dirs(root: Path) -> list[Path]:
    places = [*root.glob("usr/lib/*/asterisk/modules"), root / "usr/lib64/asterisk/modules"]
    places += [root / "usr/lib/asterisk/modules", root / "usr/local/lib/asterisk/modules"]
    return [place for place in places if (place / "res_pjsip.so").exists()]


def _data_dirs(root: Path) -> list[Path]:
    # Without the XML documentation Stasis refuses to start: it is the sign of a whole data folder.
    places = [root / "usr/share/asterisk", root / "var/lib/asterisk", root / "usr/local/share/asterisk"]
    return [place for place in places if any((place / "documentation").glob("core-*.xml"))]


def main() -> int:
    """`python -m pbx_plugin.sandbox.provision`: have an Asterisk ready; silent when there is one already."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        binary = find_asterisk()
        if binary is None:
            binary = ensure_asterisk(lambda line: console.print(line, markup=False))
            console.print(f"Asterisk {binary.version} is ready in {binary.root}", markup=False)
    except ProvisionError as wrong:
        console.print(str(wrong), markup=False)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
