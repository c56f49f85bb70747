"""Reads Asterisk's configuration files as Asterisk does: sections, templates, comments, ``#include``.

Only the keys that the caller asks for are kept; everything else, passwords above all, is dropped as it is read, and no
complaint repeats a line. Nothing outside the folder of the first file is opened, wherever an ``#include`` or a link
points, and ``#exec`` is never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LARGEST = 16 * 1024 * 1024
MOST_FILES = 500
DEEPEST = 10

_SECTION = re.compile(r"\[([^\]]+)\]\s*(?:\(([^)]*)\))?")
_DIRECTIVE = re.compile(r"#\s*(include|tryinclude|exec)\b\s*(.*)", re.IGNORECASE)


class ConfigFileError(Exception):
    """A configuration file cannot be read: names file and line, never what stands there."""


@dataclass(slots=True)
class Section:
    """A section with its templates' settings before its own; only keys that were asked for."""

    name: str
    file: str
    line: int
    template: bool = False
    values: list[tuple[str, str]] = field(default_factory=list)

    def last(self, key: str) -> str:
        """Return the value that counts where a key may stand once: the last; empty for none."""
        return next((value for name, value in reversed(self.values) if name == key), "")

    def all(self, key: str) -> list[str]:
        """Return all values of a key that may stand several times, in order."""
        return [value for name, value in self.values if name == key]


@dataclass(slots=True)
class ConfigFile:
    """The sections of a file and all that it includes, in order, and remarks about what was left out."""

    sections: list[Section] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read_config(path: Path, keys: Collection[str]) -> ConfigFile:
    """Return the file's sections with these keys (lower case). Raises ConfigFileError."""
    folder = path.parent.resolve()
    found = ConfigFile()
    reader = _Reader(folder, frozenset(keys), found)
    reader.read(path, (), required=True)
    return found


class _Reader:
    def __init__(self, folder: Path, keys: frozenset[str], found: ConfigFile) -> None:
        self._folder = folder
        self._keys = keys
        self._found = found
        self._templates: dict[str, Section] = {}
        self._section: Section | None = None
        self._files = 0

    def read(self, path: Path, trail: Sequence[Path], *, required: bool) -> None:
        real = path.resolve()
        shown = self._shown(path)
        if not real.is_relative_to(self._folder):
            raise ConfigFileError(f"{shown} lies outside {self._folder}: it is not read")
        if real in trail or len(trail) >= DEEPEST:
            raise ConfigFileError(f"{shown} includes itself, or more than {DEEPEST} files deep")
        self._files += 1
        if self._files > MOST_FILES:
            raise ConfigFileError(f"more than {MOST_FILES} files are included")
        try:
            if real.stat().st_size > LARGEST:
                raise ConfigFileError(f"{shown} has more than {LARGEST} bytes")
            text = real.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            if required:
                raise ConfigFileError(f"{shown} cannot be read: {error.strerror}") from error
            return
        for number, line in _without_comments(text):
            self._line(line, number, shown, (*trail, real))

    def _line(self, line: str, number: int, file: str, trail: Sequence[Path]) -> None:
        where = f"{file}, line {number}"
        directive = _DIRECTIVE.match(line)
        if directive:
            self._include(directive.group(1).lower(), directive.group(2), where, trail)
        elif line.startswith("["):
            heading = _SECTION.match(line)
            if heading is None:
                raise ConfigFileError(f"{where}: a section's name has no end")
            self._begin(heading.group(1).strip(), heading.group(2) or "", where, file, number)
        elif "=" in line:
            key, _, value = line.partition("=")
            key = key.strip().casefold()
            if self._section is None:
                raise ConfigFileError(f"{where}: a setting stands before the first section")
            if key in self._keys:
                self._section.values.append((key, value.removeprefix(">").strip()))
        else:
            self._found.remarks.append(f"{where}: neither section nor setting: left out")

    def _begin(self, name: str, options: str, where: str, file: str, number: int) -> None:
        words = [word.strip() for word in options.split(",") if word.strip()]
        if "+" in words:
            # Asterisk adds to the latest section of that name.
            earlier = [section for section in self._found.sections if section.name == name]
            if not earlier:
                raise ConfigFileError(f"{where}: '(+)' adds to a section that is not there")
            self._section = earlier[-1]
        else:
            self._section = Section(name, file, number, template="!" in words)
            self._found.sections.append(self._section)
        for word in words:
            if word in ("!", "+"):
                continue
            template = self._templates.get(word)
            if template is None:
                raise ConfigFileError(f"{where}: template {word!r} is not there")
            self._section.values += template.values
        # A section may be another's template without being marked so.
        self._templates[name] = self._section

    def _include(self, word: str, what: str, where: str, trail: Sequence[Path]) -> None:
        name = what.strip().strip('"<>').strip()
        if word == "exec":
            self._found.remarks.append(f"{where}: #exec is not obeyed")
            return
        if not name:
            raise ConfigFileError(f"{where}: #{word} without a file")
        required = word == "include"
        if any(sign in name for sign in "*?[") and not Path(name).is_absolute() and ".." not in Path(name).parts:
            files = sorted(self._folder.glob(name))
        else:
            files = [self._folder / name]
        for file in files:
            if not file.resolve().is_relative_to(self._folder):
                raise ConfigFileError(f"{where}: the included file lies outside {self._folder}: it is not read")
            if file.exists():
                self.read(file, trail, required=required)
            elif required:
                raise ConfigFileError(f"{where}: the included file is not there")

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._folder)) if path.is_relative_to(self._folder) else path.name


def _without_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, without comments: ``;`` to the end, ``;--`` to ``--;``; ``\\;`` is no comment."""
    depth = 0
    for number, raw in enumerate(text.split("\n"), 1):
        kept: list[str] = []
        at = 0
        while at < len(raw):
            if depth:
                if raw.startswith("--;", at):
                    depth, at = depth - 1, at + 3
                elif raw.startswith(";--", at):
                    depth, at = depth + 1, at + 3
                else:
                    at += 1
            elif raw.startswith("\\;", at):
                kept.append(";")
                at += 2
            elif raw.startswith(";--", at) and raw[at + 3 : at + 4] != "-":
                depth, at = depth + 1, at + 3
            elif raw[at] == ";":
                break
            else:
                kept.append(raw[at])
                at += 1
        line = "".join(kept).strip()
        if line:
            yield number, line
