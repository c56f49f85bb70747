"""Every prompt in every language, spoken by the real espeak-ng: loudness, peaks, lengths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_prompts_build import dbfs, quiet_ends, read

from pbx_plugin.domain.rulebook import ConsentNumber, Rulebook, Tenant
from pbx_plugin.prompts.build import build_prompts
from pbx_plugin.prompts.library import PromptLibrary, read_manifest
from pbx_plugin.prompts.texts import GENERAL, load_texts
from pbx_plugin.resources import resource_dir

pytestmark = pytest.mark.wide

TEXTS = load_texts(resource_dir("ivr_prompts"))
LANGUAGES = ("da", "de", "en", "nl", "sv")
NUMBER = ConsentNumber(
    "n0", "acme", "800", "en", "yes", "no",
    by_country=(("SE", "sv"), ("DE", "de")),
    by_key=(("9", "en"), ("8", "da"), ("7", "sv"), ("6", "nl"), ("5", "de")),
)  # fmt: skip
NUMBERS = tuple(replace(NUMBER, id=f"n{at}", purpose=purpose) for at, purpose in enumerate(TEXTS["en"].purposes))
RULEBOOK = Rulebook(tenants={"acme": Tenant("acme", "Nordisk Handel", "DK", "da")}, consent_numbers=NUMBERS)

QUESTION, SHORT = (9.0, 25.0), (0.7, 5.0)
"""Seconds that a question and any other prompt may take."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("languages") / "prompts"
    build_prompts(folder, RULEBOOK, TEXTS)
    return folder


def test_every_language_has_all_that_its_callers_can_hear(spoken: Path) -> None:
    assert set(TEXTS) == set(LANGUAGES)
    found = {language: {path.stem for path in (spoken / language).glob("*.wav")} for language in LANGUAGES}
    keys = {language: key for key, language in NUMBER.by_key}
    wanted = {f"consent-{number.id}" for number in NUMBERS} | set(GENERAL)
    assert found == {language: wanted | {f"language-{keys[language]}"} for language in LANGUAGES}
    assert PromptLibrary(spoken).missing(RULEBOOK, TEXTS) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("extension", ["wav", "wav16"])
def test_every_prompt_is_as_loud_and_as_long_as_it_should_be(spoken: Path, language: str, extension: str) -> None:
    files = sorted((spoken / language).glob(f"*.{extension}"))
    assert len(files) == len(GENERAL) + len(NUMBERS) + 1
    for path in files:
        rate, sound = read(path)
        assert abs(dbfs(sound) - -20) < 2, path
        assert 20 * np.log10(np.max(np.abs(sound))) < -3, path
        shortest, longest = QUESTION if path.stem.startswith("consent") else SHORT
        assert shortest < len(sound) / rate < longest, (path, len(sound) / rate)
        assert max(quiet_ends(rate, sound)) < 0.1, path


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_voice_reads_every_word_at_a_speed_that_can_be_followed(spoken: Path, language: str) -> None:
    for key, entry in read_manifest(spoken).items():
        if entry.language == language and entry.text:
            rate, sound = read(spoken / f"{key}.wav")
            # Letters a second. A voice of another language, or one that spells words out, is far from this.
            assert 9 < len(entry.text) / (len(sound) / rate) < 21, (key, len(entry.text) / (len(sound) / rate))
