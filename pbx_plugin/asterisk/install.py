"""Puts the generated files into ``<asterisk_etc>/pbx-plugin.d``, keeps the earlier set, and takes back what fails.

Only files of our own names in our own folder are written. The administrator's files are read, to see whether they
include ours.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pbx_plugin.asterisk.load import OPTIONAL, LoadError
from pbx_plugin.asterisk.render import version_of

FOLDER = "pbx-plugin.d"
NAMES = ("cel_custom.conf", "pjsip.conf", "queues.conf", "features.conf", "extensions.conf")
"""Our files, in the order in which they are put in place: the dialplan, which names the version, last."""

KEPT_BACKUPS = 10
MASK = "(not shown)"
_SECRET_LINE = re.compile(r"^(\s*(?:md5_cred|password|secret)\s*=>?\s*).*$", re.MULTILINE)
_BACKUP = re.compile(r"\d{8}T\d{6}Z-\d{3,}")
_INCLUDE = re.compile(r"\s*#(?:try)?include\s+[\"<]?([^\">;]+?)[\">]?\s*(?:;.*)?")


class InstallError(Exception):
    """The files could not be put in force; what was in force before is in force again, or the text says what is."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an install or a rollback did. ``changed`` is empty when there was nothing to do."""

    changed: tuple[str, ...]
    version: str | None
    backup: Path | None = None


class Loader(Protocol):
    """Makes Asterisk read the files."""

    def load(self, changed: Collection[str], files: Mapping[str, str]) -> None:
        """Reload what reads the ``changed`` files and check that ``files`` is what Asterisk holds. Raises LoadError."""
        ...


class DialplanInstaller:
    """The generated files of one Asterisk. Two installers on one ``backups`` folder wait for each other."""

    def __init__(self, etc: Path, backups: Path, loader: Loader) -> None:
        self._etc = etc
        self._folder = etc / FOLDER
        self._backups = backups
        self._loader = loader

    def installed(self) -> dict[str, str]:
        """Return the set that is in place, secrets included. Raises InstallError when it cannot be read."""
        try:
            return _read(self._folder)
        except (OSError, UnicodeDecodeError) as error:
            raise InstallError(f"{self._folder} cannot be read: {error}") from error

    def diff(self, files: Mapping[str, str]) -> str:
        """Return what ``install(files)`` would change, as a unified diff with secrets masked; empty for nothing."""
        before = self.installed()
        lines: list[str] = []
        for name in NAMES:
            if before.get(name) == files.get(name):
                continue
            old, new = masked(before.get(name, "")), masked(files.get(name, ""))
            lines += difflib.unified_diff(
                old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{FOLDER}/{name}", f"b/{FOLDER}/{name}"
            )
            if old == new:
                lines.append(f"{FOLDER}/{name}: only secrets change\n")
        return "".join(lines)

    def missing_includes(self, files: Mapping[str, str]) -> dict[Path, str]:
        """Return the administrator's files that do not include ours yet, each with the line to add."""
        return {
            self._etc / name: f'#tryinclude "{FOLDER}/{name}"'
            for name in NAMES
            if name in files and not _includes(self._etc, self._etc / name, self._folder / name)
        }

    def install(self, files: Mapping[str, str], at: datetime) -> Installed:
        """Put the set in force: write it, make Asterisk read it, and check that Asterisk took it.

        The earlier set is kept under ``backups``, named by ``at`` (aware). Nothing is written when nothing changes.
        Raises InstallError: when an include line is missing (nothing was written), and when Asterisk does not take
        the set (the earlier one is back in place and read again).
        """
        unknown = set(files) - set(NAMES)
        if unknown:
            raise InstallError(f"these are no files of ours: {', '.join(sorted(unknown))}")
        missing = {path: line for path, line in self.missing_includes(files).items() if path.name not in OPTIONAL}
        if missing:
            told = "; ".join(f"add the line {line} to {path}" for path, line in missing.items())
            raise InstallError(f"Asterisk would not read the generated files: {told}")
        with self._alone():
            before = self.installed()
            changed = _changed(before, files)
            if not changed:
                return Installed((), version_of(files))
            backup = self._back_up(before, at)
            try:
                self._put(files)
                self._loader.load(changed, files)
            except (LoadError, OSError) as error:
                self._take_back(before, changed, backup, error)
            self._thin_out()
            return Installed(changed, version_of(files), backup)

    def rollback(self) -> Installed:
        """Put the set in force that the last install replaced; again goes one further back.

        Raises InstallError when there is none, or when Asterisk does not take it (then nothing has changed).
        """
        with self._alone():
            backups = self._kept()
            if not backups:
                raise InstallError(f"nothing to roll back to: no earlier set in {self._backups}")
            before, files = self.installed(), _read(backups[-1])
            changed = _changed(before, files)
            try:
                self._put(files)
                self._loader.load(changed, files)
            except (LoadError, OSError) as error:
                self._take_back(before, changed, None, error)
            shutil.rmtree(backups[-1])
            return Installed(changed, version_of(files))

    def _take_back(
        self, before: Mapping[str, str], changed: Collection[str], backup: Path | None, error: Exception
    ) -> None:
        told = f"{error}. "
        try:
            self._put(before)
        except OSError as worse:
            raise InstallError(f"{told}The earlier files could not be put back either: {worse}") from error
        if backup is not None:
            shutil.rmtree(backup)
        try:
            self._loader.load(changed, before)
        except LoadError as worse:
            raise InstallError(f"{told}The earlier files are back in place, but not loaded: {worse}") from error
        raise InstallError(f"{told}The earlier files are back in force") from error

    def _put(self, files: Mapping[str, str]) -> None:
        """Write all files beside their places first, then move them in one after the other, then drop what is left."""
        _make_folder(self._folder, self._etc)
        written = []
        try:
            for name in NAMES:
                if name in files:
                    written.append((_write_beside(self._folder / name, files[name], self._etc), self._folder / name))
            for temporary, place in written:
                temporary.replace(place)
        finally:
            for temporary, _ in written:
                temporary.unlink(missing_ok=True)
        for name in NAMES:
            if name not in files:
                (self._folder / name).unlink(missing_ok=True)
        _sync_folder(self._folder)

    def _back_up(self, files: Mapping[str, str], at: datetime) -> Path:
        place = self._backups / self._next_name(at)
        half = self._backups / f".{place.name}.half"
        try:
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(mode=0o750)
            for name, text in files.items():
                _write_beside(half / name, text, self._backups).replace(half / name)
            _sync_folder(half)
            half.rename(place)
            _sync_folder(self._backups)
        except OSError as error:
            raise InstallError(f"the earlier files could not be kept in {self._backups}: {error}") from error
        return place

    def _next_name(self, at: datetime) -> str:
        """Return a name that sorts behind all others, also for one moment twice or a clock that was set back."""
        stamp, number = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"), 0
        kept = self._kept()
        if kept:
            last, _, count = kept[-1].name.partition("-")
            if stamp <= last:
                stamp, number = last, int(count) + 1
        return f"{stamp}-{number:03}"

    def _kept(self) -> list[Path]:
        return sorted(path for path in self._backups.iterdir() if _BACKUP.fullmatch(path.name))

    def _thin_out(self) -> None:
        for old in self._kept()[:-KEPT_BACKUPS]:
            shutil.rmtree(old)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self._backups.mkdir(mode=0o750, parents=True, exist_ok=True)
            handle = os.open(self._backups / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise InstallError(f"{self._backups} cannot be used: {error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def masked(text: str) -> str:
    """Return a generated file as it may be shown: passwords and digests replaced."""
    return _SECRET_LINE.sub(rf"\g<1>{MASK}", text)


def _read(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in NAMES if (folder / name).is_file()}


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in NAMES if before.get(name) != after.get(name))


def _write_beside(place: Path, text: str, like: Path) -> Path:
    temporary = place.with_name(f".{place.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o640)
        _give_to_group(temporary, like)
        file.write(text.encode())
        file.flush()
        os.fsync(handle)
    return temporary


def _make_folder(folder: Path, like: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o750)
        _give_to_group(folder, like)
        _sync_folder(folder.parent)


def _give_to_group(path: Path, like: Path) -> None:
    # Asterisk reads through the group of its own folder. Without the right to give, ours is what it stays.
    with contextlib.suppress(PermissionError):
        os.chown(path, -1, like.stat().st_gid, follow_symlinks=False)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _includes(etc: Path, file: Path, wanted: Path, depth: int = 5) -> bool:
    """Tell whether Asterisk, reading ``file``, comes to ``wanted``. Follows includes as Asterisk does: from ``etc``."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    for line in lines:
        found = _INCLUDE.fullmatch(line)
        if found is None:
            continue
        named = etc / found.group(1).strip()
        if named == wanted:
            return True
        if depth and any(_includes(etc, path, wanted, depth - 1) for path in _globbed(etc, found.group(1).strip())):
            return True
    return False


def _globbed(etc: Path, pattern: str) -> list[Path]:
    if not pattern.startswith("/"):
        return sorted(etc.glob(pattern))
    return sorted(Path("/").glob(pattern.lstrip("/")))
