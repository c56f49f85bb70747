"""The spoken prompts as they lie on disk: which sound file to play, and the proof of what it says."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pbx_plugin.domain.rulebook import Rulebook
from pbx_plugin.prompts.texts import FALLBACK, Texts, base_language, wordings
from pbx_plugin.prompts.tones import TONES

MANIFEST = "manifest.json"
TONES_FOLDER = "tones"
"""Tones are the same in every language and lie in a folder of their own."""

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """What the manifest tells of one prompt. ``sha256`` is that of the 8 kHz file; ``source`` is how it was made.

    ``recipe`` changes when the prompt must be made anew; ``keep_days`` is the keeping time it tells, 0 for none.
    """

    text: str
    text_version: str
    language: str
    sha256: str
    source: str
    keep_days: int
    recipe: str


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A sound to play. ``path`` is absolute and has no extension: Asterisk takes the rate that fits the channel."""

    path: str
    language: str
    name: str
    sha256: str
    text_version: str
    keep_days: int
    source: str


class ManifestError(Exception):
    """The manifest is there and cannot be read."""


def read_manifest(folder: Path) -> dict[str, ManifestEntry]:
    """Return what was built in ``folder``, by ``<language>/<name>``; empty when nothing was. Raises ManifestError."""
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {key: ManifestEntry(**value) for key, value in data["prompts"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ManifestError(f"{path} cannot be read ({error}): run 'pbx-plugin prompts build --force'") from error


def manifest_text(entries: Mapping[str, ManifestEntry]) -> str:
    """Return the manifest's content."""
    data: dict[str, Any] = {"prompts": {key: asdict(entries[key]) for key in sorted(entries)}}
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def sound_key(language: str, name: str) -> str:
    """Return the key of a prompt in the manifest, which is also its path in the folder, without extension."""
    return f"{TONES_FOLDER if name in TONES else language}/{name}"


class PromptLibrary:
    """Finds prompts in ``folder``. Notices a new build by itself; may be asked by many threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._entries: dict[str, ManifestEntry] = {}
        self._hashes: dict[Path, tuple[_Stamp, str]] = {}

    def sound(self, language: str, name: str) -> PromptFile | None:
        """Return the prompt in ``language``, else in English; None when there is neither.

        A file that is not the one in the manifest counts as absent: nobody could prove what a caller heard.
        """
        for spoken in dict.fromkeys((base_language(language), FALLBACK)):
            found = self._find(sound_key(spoken, name), name)
            if found is not None:
                return found
        return None

    def is_there(self, sound: PromptFile) -> bool:
        """Tell whether the file is still the one that was found: with that content, and known by the manifest."""
        with self._lock:
            known = {entry.sha256 for entry in self._manifest().values()}
            path = Path(sound.path)
            return sound.sha256 in known and self._hash(path.with_name(path.name + ".wav")) == sound.sha256

    def missing(self, rulebook: Rulebook, texts: dict[str, Texts]) -> list[str]:
        """Return the keys of prompts that this rulebook needs and that are absent, altered, or say something else.

        Prompts of the company's own recording are taken to say what they should.
        """
        wanted = wordings(rulebook, texts)
        absent = []
        for wording in wanted:
            key = sound_key(wording.language, wording.name)
            found = self._find(key, wording.name)
            if found is None or (found.source != "own" and self._entries[key].text != wording.text):
                absent.append(key)
        tones = [sound_key("", tone) for tone in TONES]
        return absent + [key for key, tone in zip(tones, TONES, strict=True) if self._find(key, tone) is None]

    def _find(self, key: str, name: str) -> PromptFile | None:
        with self._lock:
            entry = self._manifest().get(key)
            if entry is None:
                return None
            path = self._folder / key
            if self._hash(path.with_name(path.name + ".wav")) != entry.sha256:
                return None
        return PromptFile(
            path=str(path),
            language=entry.language,
            name=name,
            sha256=entry.sha256,
            text_version=entry.text_version,
            keep_days=entry.keep_days,
            source=entry.source,
        )

    def _manifest(self) -> dict[str, ManifestEntry]:
        stamp = _stamp(self._folder / MANIFEST)
        if stamp is None or stamp != self._stamp:
            try:
                self._entries = read_manifest(self._folder)
            except ManifestError:
                # Then no prompt is there, which every caller handles; the next build says what is wrong.
                self._entries = {}
            self._stamp = stamp
        return self._entries

    def _hash(self, path: Path) -> str:
        stamp = _stamp(path)
        if stamp is None:
            return ""
        known = self._hashes.get(path)
        if known is None or known[0] != stamp:
            try:
                known = (stamp, hashlib.sha256(path.read_bytes()).hexdigest())
            except OSError:
                return ""
            self._hashes[path] = known
        return known[1]


def _stamp(path: Path) -> _Stamp | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_mtime_ns, state.st_size, state.st_ino)
