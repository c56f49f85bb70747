"""``prompts build``: makes every prompt that the rulebook needs, or takes the company's own recordings.

Nothing changes on disk before all of it has been made; the manifest is replaced last. A second run with nothing
changed does nothing. Own recordings stay until others are given or ``force`` asks for speech again.

The company's folder is laid out ``<language>/<name>.wav``: ``consent.wav`` serves all consent numbers of that
language, ``consent-<number>.wav`` one of them; the other names are those of the text files, and tones lie in
``tones/``. A ``.txt`` of the same name may hold the words, for the record. An own question has to tell the keeping
time of its number: the manifest notes the one in force at the build.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pbx_plugin.domain.rulebook import Rulebook
from pbx_plugin.prompts.audio import AUDIO_VERSION, RATES, PromptAudioError, fit_for_line, wav_file
from pbx_plugin.prompts.library import (
    MANIFEST,
    TONES_FOLDER,
    ManifestEntry,
    manifest_text,
    read_manifest,
    sound_key,
)
from pbx_plugin.prompts.speech import EspeakNg, Speaker
from pbx_plugin.prompts.texts import FALLBACK, Texts, Wording, wordings
from pbx_plugin.prompts.tones import TONE_VERSION, TONES, tone

OWN = "own"
TONE = "tone"
_LOCK = ".lock"
_WORK = ".build-"


class BuildError(Exception):
    """The prompts could not be built; what was there before is untouched. Says which prompt and why."""


class Step(StrEnum):
    """What happened to one prompt."""

    SPOKEN = "spoken"
    TAKEN = "taken from your folder"
    KEPT = "unchanged"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Progress:
    """One prompt is done: the ``done``-th of ``total``. ``key`` is ``<language>/<name>``."""

    key: str
    step: Step
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Plan:
    key: str
    own: Path | None
    wording: Wording | None
    recipe: str


@dataclass(frozen=True, slots=True)
class _Made:
    files: dict[str, bytes]
    entry: ManifestEntry


def build_prompts(
    folder: Path,
    rulebook: Rulebook,
    texts: dict[str, Texts],
    *,
    speaker: Speaker | None = None,
    own: Path | None = None,
    force: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[Progress]:
    """Build into ``folder`` (made if need be) and return what happened to each prompt, in order.

    Raises BuildError, SpeechError, ManifestError; whichever it is, what was there before is still there.
    """
    if own is not None and not own.is_dir():
        raise BuildError(f"{own} is not a folder")
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _only_one(folder):
        before = {} if force else read_manifest(folder)
        plans = _plans(rulebook, texts, own)
        entries: dict[str, ManifestEntry] = {}
        steps: list[Progress] = []
        with _work_folder(folder) as work:
            for done, plan in enumerate(plans, start=1):
                entry, step = _one(folder, work, plan, before.get(plan.key), speaker or EspeakNg())
                entries[plan.key] = entry
                steps.append(Progress(plan.key, step, done, len(plans)))
                progress(steps[-1])
            if entries != before:
                _write(work / MANIFEST, manifest_text(entries).encode())
                _publish(folder, work)
        steps += _remove_others(folder, entries, progress)
        return steps


def _plans(rulebook: Rulebook, texts: dict[str, Texts], own: Path | None) -> list[_Plan]:
    plans = []
    for wording in wordings(rulebook, texts):
        names = (wording.name, f"{wording.general}-{wording.number}", wording.general)
        mine = _own_file(own, wording.language, names)
        plans.append(_Plan(sound_key(wording.language, wording.name), mine, wording, _recipe(wording, mine)))
    for name in TONES:
        mine = _own_file(own, TONES_FOLDER, (name,))
        plans.append(_Plan(sound_key(FALLBACK, name), mine, None, _recipe(None, mine)))
    return plans


def _own_file(own: Path | None, folder: str, names: tuple[str, ...]) -> Path | None:
    if own is None:
        return None
    candidates = (own / folder / f"{name}.wav" for name in names)
    return next((path for path in candidates if path.is_file()), None)


def _recipe(wording: Wording | None, own: Path | None) -> str:
    """Return a hash of everything that decides how the prompt sounds and what the manifest says of it."""
    if own is not None:
        source = [OWN, _digest(_read_own(own)), _transcript(own), str(wording.keep_days if wording else 0)]
    elif wording is not None:
        source = [wording.text, wording.text_version, wording.voice, str(wording.words_per_minute)]
    else:
        source = [TONE, TONE_VERSION]
    return _digest(json.dumps([AUDIO_VERSION, *source]).encode())


def _one(
    folder: Path, work: Path, plan: _Plan, before: ManifestEntry | None, speaker: Speaker
) -> tuple[ManifestEntry, Step]:
    if before is not None and _intact(folder, plan.key, before):
        theirs = before.source == OWN and plan.own is None
        if theirs or before.recipe == plan.recipe:
            return before, Step.KEPT
    made = _make(plan, speaker)
    target = work / plan.key
    target.parent.mkdir(mode=0o750, exist_ok=True)
    for extension, content in made.files.items():
        _write(target.with_name(f"{target.name}.{extension}"), content)
    return made.entry, Step.TAKEN if made.entry.source == OWN else Step.SPOKEN


def _make(plan: _Plan, speaker: Speaker) -> _Made:
    wording = plan.wording
    text, version, source = (wording.text, wording.text_version, speaker.name) if wording else ("", TONE_VERSION, TONE)
    try:
        if plan.own is not None:
            content = _read_own(plan.own)
            files = fit_for_line(content)
            text, version, source = _transcript(plan.own), f"own-{_digest(content)[:12]}", OWN
        elif wording is not None:
            files = fit_for_line(speaker.speak(wording.text, wording.voice, wording.words_per_minute))
        else:
            name = plan.key.partition("/")[2]
            files = {extension: wav_file(tone(name, rate), rate) for extension, rate in RATES.items()}
    except PromptAudioError as error:
        raise BuildError(f"{plan.own or plan.key}: {error}") from error
    entry = ManifestEntry(
        text=text,
        text_version=version,
        language=wording.language if wording else "",
        sha256=_digest(files["wav"]),
        source=source,
        keep_days=wording.keep_days if wording else 0,
        recipe=plan.recipe,
    )
    return _Made(files, entry)


def _intact(folder: Path, key: str, entry: ManifestEntry) -> bool:
    try:
        same = _digest((folder / f"{key}.wav").read_bytes()) == entry.sha256
    except OSError:
        return False
    return same and (folder / f"{key}.wav16").is_file()


def _read_own(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BuildError(f"{path} cannot be read: {error.strerror}") from error


def _transcript(path: Path) -> str:
    try:
        return path.with_suffix(".txt").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"{path.with_suffix('.txt')} cannot be read: it must be UTF-8 text") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o640)
        file.write(content)
        file.flush()
        os.fsync(handle)


def _publish(folder: Path, work: Path) -> None:
    for path in sorted(work.glob("*/*")):
        target = folder / path.relative_to(work)
        target.parent.mkdir(mode=0o750, exist_ok=True)
        path.replace(target)
    # Last: until then the new sounds are unknown, and the consent IVR does not play what it cannot prove.
    (work / MANIFEST).replace(folder / MANIFEST)


def _remove_others(
    folder: Path, entries: dict[str, ManifestEntry], progress: Callable[[Progress], None]
) -> list[Progress]:
    wanted = {folder / f"{key}.{extension}" for key in entries for extension in RATES}
    gone = []
    for path in sorted(folder.glob("*/*.wav*")):
        if path not in wanted and path.suffix[1:] in RATES and not path.parent.name.startswith(_WORK):
            path.unlink()
            if path.suffix == ".wav":
                key = str(path.relative_to(folder).with_suffix(""))
                gone.append(Progress(key, Step.REMOVED, len(entries), len(entries)))
                progress(gone[-1])
    return gone


@contextlib.contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    for left_over in folder.glob(f"{_WORK}*"):
        shutil.rmtree(left_over)
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with os.fdopen(os.open(folder / _LOCK, os.O_WRONLY | os.O_CREAT, 0o640), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BuildError("another 'prompts build' is running: wait for it to end") from error
        yield
