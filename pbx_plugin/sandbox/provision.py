"""Finds an Asterisk for the sandbox, or makes one: of today, or the oldest that the product is tried on.

The machine's own Asterisk is taken where its version is the wanted one. Otherwise Debian's packages are unpacked into a
folder of their own in the cache and run from there (see `provision_debian`), each release side by side with the other.
Neither needs root, and nothing is installed.
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


@dataclass(frozen=True)
class Release:
    """An Asterisk that a sandbox can be told to use: which major versions do, and which of Debian's suites carry it."""

    name: str
    oldest: int
    newest: int
    suites: tuple[str, ...]
    folder: str
    packages: tuple[str, ...] = ("asterisk",)
    retired: bool = False

    def fits(self, version: str) -> bool:
        """Whether an Asterisk of this version (`22.10.1`) will do."""
        return self.oldest <= int(version.partition(".")[0]) <= self.newest


CURRENT = Release("22", 20, 9999, ("forky", "sid"), "asterisk")
"""The Asterisk of today; a machine's own of version 20 or newer will do as well."""

OLD_END = Release("16", 16, 16, ("bullseye",), "asterisk-16", ("asterisk", "asterisk-voicemail"), retired=True)
"""The oldest Asterisk the product is tried on: 16.28, of Debian bullseye."""

RELEASES = {release.name: release for release in (CURRENT, OLD_END)}

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


def find_asterisk(release: Release = CURRENT) -> AsteriskBinary | None:
    """The Asterisk to use, if there is one already: the machine's own when its version will do, else the cache's."""
    return _native(release) or _unpacked(release)


def ensure_asterisk(say: Callable[[str], None] = lambda _line: None, release: Release = CURRENT) -> AsteriskBinary:
    """`find_asterisk()`, after making one if need be; `say` hears one line for every step that takes time.

    Safe to call from several processes at once, and again after a call that was cut short.

    Raises:
        ProvisionError: no Asterisk could be had.
    """
    found = find_asterisk(release)
    if found is not None:
        return found
    tree = tree_dir(release)
    unpack_asterisk(tree, release.suites, release.packages, say, retired=release.retired)
    found = _unpacked(release)
    if found is None:
        raise ProvisionError(f"Asterisk was unpacked into {tree}, but does not run there as version {release.name}")
    return found


def tree_dir(release: Release = CURRENT) -> Path:
    """The folder of the unpacked Asterisk; it exists only when it is complete."""
    return cache_dir() / release.folder


def asterisk_version(command: tuple[str, ...]) -> str | None:
    """What `asterisk -V` says, as `22.10.1`; None if it cannot be run."""
    try:
        answer = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    spoken = re.match(r"Asterisk (?:certified[/-])?(\d+(?:\.\d+)*)", answer.stdout)
    return spoken.group(1) if spoken and answer.returncode == 0 else None


def _native(release: Release) -> AsteriskBinary | None:
    path = shutil.which("asterisk") or shutil.which("asterisk", path=OWN_PLACES)
    if path is None:
        return None
    return _binary(release, "native", OWN_ROOT, (path,))


def _unpacked(release: Release) -> AsteriskBinary | None:
    tree = tree_dir(release)
    program = tree / "usr/sbin/asterisk"
    loaders = sorted([*tree.glob("usr/lib*/ld-linux*.so.*"), *tree.glob("usr/lib/*-linux-gnu*/ld-linux*.so.*")])
    if not program.exists() or not loaders:
        return None
    # The machine's own loader cache must not be asked: it would mix the machine's libraries with the tree's.
    places = [*sorted(tree.glob("usr/lib/*-linux-gnu*")), tree / "usr/lib"]
    libraries = ":".join(str(folder) for folder in places if folder.is_dir())
    command = (str(loaders[0]), "--inhibit-cache", "--library-path", libraries, str(program))
    return _binary(release, "folder", tree, command)


def _binary(
    release: Release, kind: Literal["native", "folder"], root: Path, command: tuple[str, ...]
) -> AsteriskBinary | None:
    version, modules, data = asterisk_version(command), _module_dirs(root), _data_dirs(root)
    if version is None or not release.fits(version) or not modules or not data:
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
    """`python -m pbx_plugin.sandbox.provision [22] [16]`: have these ready, or else the first; silent when they are."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        for release in [RELEASES[name] for name in sys.argv[1:]] or [CURRENT]:
            if find_asterisk(release) is None:
                binary = ensure_asterisk(lambda line: console.print(line, markup=False), release)
                console.print(f"Asterisk {binary.version} is ready in {binary.root}", markup=False)
    except ProvisionError as wrong:
        console.print(str(wrong), markup=False)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
