"""``prompts build`` with the real espeak-ng and real files: what is on disk afterwards, and what is not."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pbx_plugin.domain.rulebook import ConsentNumber, Rulebook, Tenant
from pbx_plugin.prompts.build import BuildError, Progress, Step, build_prompts
from pbx_plugin.prompts.library import ManifestError, PromptLibrary
from pbx_plugin.prompts.speech import EspeakNg, SpeechError
from pbx_plugin.prompts.texts import Texts, load_texts
from pbx_plugin.prompts.tones import TONES
from pbx_plugin.resources import resource_dir

TEXTS = load_texts(resource_dir("ivr_prompts"))
NUMBER = ConsentNumber("n1", "acme", "800", "da", "yes", "no", keep_days=30)
RULEBOOK = Rulebook(tenants={"acme": Tenant("acme", "Acme", "DK", "da")}, consent_numbers=(NUMBER,))


def sine(seconds: float, rate: int = 44100, level: float = 0.5, hertz: float = 700.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def wav(sound: np.ndarray, rate: int = 44100, channels: int = 1, width: int = 2) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        scaled = np.repeat(np.round(sound * (2 ** (8 * width - 1) - 1)), channels).astype("<i4")
        if width == 1:
            file.writeframes((scaled + 128).astype(np.uint8).tobytes())
        else:
            file.writeframes(scaled.view(np.uint8).reshape(-1, 4)[:, :width].tobytes())
    return content.getvalue()


def read(path: Path) -> tuple[int, np.ndarray]:
    """Return rate and samples; asserts what Asterisk needs: 16 bit, one channel."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def dbfs(sound: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound**2))))


def quiet_ends(rate: int, sound: np.ndarray) -> tuple[float, float]:
    """Return how many seconds at the beginning and at the end are 40 dB below the loudest moment."""
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.max(np.abs(sound)))
    return loud[0] / rate, (len(sound) - 1 - loud[-1]) / rate


class CountingSpeaker:
    """Makes a tone of each text, and counts; fails at the text it is told to fail at."""

    name = "counting"

    def __init__(self, fails_at: str = "\0") -> None:
        self.spoken: list[str] = []
        self.fails_at = fails_at

    def speak(self, text: str, voice: str, words_per_minute: int) -> bytes:
        if self.fails_at in text:
            raise SpeechError("no voice today")
        self.spoken.append(text)
        return wav(sine(0.2 + len(text) / 1000, rate=22050), rate=22050)


def steps(progress: list[Progress]) -> dict[str, Step]:
    return {one.key: one.step for one in progress}


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoken") / "prompts"
    build_prompts(folder, RULEBOOK, TEXTS)
    return folder


@pytest.mark.parametrize(("extension", "rate"), [("wav", 8000), ("wav16", 16000)])
def test_spoken_prompts_are_telephone_sound_at_one_loudness_without_silence_around(
    spoken: Path, extension: str, rate: int
) -> None:
    files = [path for language in ("da", "en") for path in (spoken / language).glob(f"*.{extension}")]
    assert len(files) == 11
    for path in files:
        found, sound = read(path)
        begin, end = quiet_ends(found, sound)
        assert found == rate
        assert -21.0 < dbfs(sound) < -19.0, path
        assert np.max(np.abs(sound)) < 10 ** (-2.9 / 20), path
        assert begin < 0.1, path
        assert end < 0.1, path


def test_the_question_takes_as_long_to_say_as_it_should_and_a_thank_you_less(spoken: Path) -> None:
    rate, question = read(spoken / "da/consent-n1.wav")
    _, thanks = read(spoken / "da/thanks-no.wav")
    _, wide = read(spoken / "da/consent-n1.wav16")

    assert 10 < len(question) / rate < 25
    assert 1 < len(thanks) / rate < 4
    assert len(wide) / 16000 == pytest.approx(len(question) / rate, abs=0.01)


def test_the_manifest_tells_what_a_caller_hears_and_the_library_proves_it(spoken: Path) -> None:
    manifest = json.loads((spoken / "manifest.json").read_text(encoding="utf-8"))["prompts"]
    entry = manifest["da/consent-n1"]
    found = PromptLibrary(spoken).sound("da-DK", "consent-n1")

    assert found is not None
    assert entry["text"] == TEXTS["da"].question("Acme", NUMBER)
    assert (entry["source"], entry["keep_days"], entry["text_version"]) == ("espeak-ng", 30, TEXTS["da"].text_version)
    assert found.sha256 == hashlib.sha256((spoken / "da/consent-n1.wav").read_bytes()).hexdigest()
    assert found.path == str(spoken / "da/consent-n1")
    assert (found.keep_days, found.language) == (30, "da")


def test_prompts_are_nobody_s_business_but_ours_and_our_group_s(spoken: Path) -> None:
    for path in [spoken, *spoken.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o750 if path.is_dir() else 0o640), path


def test_a_second_build_does_nothing(spoken: Path) -> None:
    before = snapshot(spoken)
    speaker = CountingSpeaker()

    again = build_prompts(spoken, RULEBOOK, TEXTS, speaker=speaker)

    assert set(steps(again).values()) == {Step.KEPT}
    assert speaker.spoken == []
    assert snapshot(spoken) == before


def test_speaking_leaves_nothing_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert EspeakNg().speak("one", "en", 150)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_voice_or_program_is_named() -> None:
    with pytest.raises(SpeechError, match="'xx-nowhere'"):
        EspeakNg().speak("hello", "xx-nowhere", 150)
    with pytest.raises(SpeechError, match="install the package espeak-ng"):
        EspeakNg("no-such-espeak").speak("hello", "en-gb", 150)


@pytest.mark.parametrize("text", ["-v da --help", "$(id)", '"; id', "`id`", "é\u2028ø"])
def test_a_text_is_spoken_and_never_obeyed(text: str) -> None:
    content = EspeakNg().speak(text, "en-gb", 150)

    with wave.open(io.BytesIO(content)) as file:
        assert file.getnframes() > 1000


# What follows is about files, not voices: a speaker that only hums is enough.


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., dict[str, Step]]:
    def _build(
        rulebook: Rulebook = RULEBOOK, texts: dict[str, Texts] | None = None, **options: object
    ) -> dict[str, Step]:
        speaker = options.pop("speaker", CountingSpeaker())
        return steps(build_prompts(tmp_path / "prompts", rulebook, texts or TEXTS, speaker=speaker, **options))  # type: ignore[arg-type]

    return _build


Build = Callable[..., dict[str, Step]]


def test_only_the_number_whose_keeping_time_changed_is_spoken_anew(build: Build, tmp_path: Path) -> None:
    build()
    changed = replace(RULEBOOK, consent_numbers=(replace(NUMBER, keep_days=90),))

    done = build(changed)

    assert [key for key, step in done.items() if step is Step.SPOKEN] == ["da/consent-n1"]
    found = PromptLibrary(tmp_path / "prompts").sound("da", "consent-n1")
    assert found is not None
    assert found.keep_days == 90


def test_a_new_text_version_or_voice_speaks_that_language_anew(build: Build) -> None:
    build()
    for changed in (replace(TEXTS["da"], text_version="2027-1"), replace(TEXTS["da"], voice="da+f2")):
        done = build(texts={**TEXTS, "da": changed})
        assert {key.partition("/")[0] for key, step in done.items() if step is Step.SPOKEN} == {"da"}


def test_a_file_that_was_altered_or_lost_is_made_again(build: Build, tmp_path: Path) -> None:
    build()
    (tmp_path / "prompts/da/announce.wav").write_bytes(b"other words")
    (tmp_path / "prompts/en/announce.wav16").unlink()

    done = build()

    assert {key for key, step in done.items() if step is Step.SPOKEN} == {"da/announce", "en/announce"}


def test_force_speaks_everything_anew(build: Build) -> None:
    build()
    assert set(build(force=True).values()) == {Step.SPOKEN}


def test_a_number_that_is_gone_takes_its_prompt_with_it(build: Build, tmp_path: Path) -> None:
    build()

    done = build(replace(RULEBOOK, consent_numbers=()))

    assert done["da/consent-n1"] is Step.REMOVED
    assert not list((tmp_path / "prompts").rglob("consent*"))
    assert PromptLibrary(tmp_path / "prompts").sound("da", "announce") is not None


def test_progress_is_told_prompt_by_prompt(build: Build) -> None:
    told: list[Progress] = []

    build(progress=told.append)

    assert [one.done for one in told] == list(range(1, len(told) + 1))
    assert {one.total for one in told} == {len(told)}


def test_a_build_that_fails_leaves_everything_as_it_was(build: Build, tmp_path: Path) -> None:
    build()
    before = snapshot(tmp_path / "prompts")
    changed = {**TEXTS, "da": replace(TEXTS["da"], text_version="2027-1")}

    with pytest.raises(SpeechError):
        build(texts=changed, speaker=CountingSpeaker(fails_at="Acme"))

    assert snapshot(tmp_path / "prompts") == before


def test_what_a_killed_build_left_is_cleared_away(build: Build, tmp_path: Path) -> None:
    (tmp_path / "prompts/.build-killed/da").mkdir(parents=True)
    (tmp_path / "prompts/.build-killed/da/x.wav").write_bytes(b"x")

    build()

    assert not list((tmp_path / "prompts").glob(".build-*"))


def test_two_builds_at_once_are_one_too_many(build: Build) -> None:
    def second(_: Progress) -> None:
        build()

    with pytest.raises(BuildError, match="another 'prompts build'"):
        build(progress=second)
    assert Step.SPOKEN in build().values()


def test_a_broken_manifest_is_told_and_mended_by_force(build: Build, tmp_path: Path) -> None:
    build()
    (tmp_path / "prompts/manifest.json").write_text("{", encoding="utf-8")

    with pytest.raises(ManifestError, match="--force"):
        build()
    assert PromptLibrary(tmp_path / "prompts").sound("da", "announce") is None
    build(force=True)
    assert PromptLibrary(tmp_path / "prompts").sound("da", "announce") is not None


# A company's own recordings


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own/da").mkdir(parents=True)
    return tmp_path / "own"


@pytest.mark.parametrize(
    ("rate", "channels", "width", "level"),
    [(44100, 2, 2, 0.9), (48000, 1, 3, 0.02), (8000, 1, 2, 0.5), (16000, 1, 1, 0.5)],
)
def test_a_company_s_own_recording_is_trimmed_levelled_and_converted(
    build: Build, own: Path, tmp_path: Path, rate: int, channels: int, width: int, level: float
) -> None:
    silence = np.zeros(rate)
    recording = np.concatenate((silence, sine(2.0, rate, level), silence))
    (own / "da/announce.wav").write_bytes(wav(recording, rate, channels, width))

    done = build(own=own)

    assert done["da/announce"] is Step.TAKEN
    assert done["en/announce"] is Step.SPOKEN
    for extension, wanted in (("wav", 8000), ("wav16", 16000)):
        found, sound = read(tmp_path / f"prompts/da/announce.{extension}")
        assert found == wanted
        assert 1.9 < len(sound) / found < 2.2
        assert dbfs(sound) == pytest.approx(-20, abs=1)


def test_sound_above_the_telephone_s_band_does_not_come_back_as_whistling(
    build: Build, own: Path, tmp_path: Path
) -> None:
    recording = sine(1.0, 44100, 0.4, 700) + sine(1.0, 44100, 0.4, 5500)
    (own / "da/announce.wav").write_bytes(wav(recording))

    build(own=own)

    rate, sound = read(tmp_path / "prompts/da/announce.wav")
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    at = np.fft.rfftfreq(len(sound), 1 / rate)
    mirrored = spectrum[(at > 2300) & (at < 2700)].max()
    assert mirrored < 0.01 * spectrum.max()


@pytest.mark.parametrize("name", ["consent", "consent-800", "consent-n1"])
def test_a_company_may_record_one_question_for_all_numbers_or_one_for_each(
    build: Build, own: Path, tmp_path: Path, name: str
) -> None:
    (own / f"da/{name}.wav").write_bytes(wav(sine(2.0)))
    (own / f"da/{name}.txt").write_text("Goddag hos Acme …\n", encoding="utf-8")

    assert build(own=own)["da/consent-n1"] is Step.TAKEN

    entry = json.loads((tmp_path / "prompts/manifest.json").read_text(encoding="utf-8"))["prompts"]["da/consent-n1"]
    assert (entry["source"], entry["text"], entry["keep_days"]) == ("own", "Goddag hos Acme …", 30)
    assert entry["text_version"].startswith("own-")


def test_own_recordings_stay_until_others_are_given_or_speech_is_forced(build: Build, own: Path) -> None:
    (own / "da/consent.wav").write_bytes(wav(sine(2.0)))
    build(own=own)

    assert build()["da/consent-n1"] is Step.KEPT
    assert build(own=own)["da/consent-n1"] is Step.KEPT
    (own / "da/consent.wav").write_bytes(wav(sine(3.0)))
    assert build(own=own)["da/consent-n1"] is Step.TAKEN
    assert build(force=True)["da/consent-n1"] is Step.SPOKEN


def float_wav() -> bytes:
    content = bytearray(wav(sine(1.0)))
    content[20:22] = (3).to_bytes(2, "little")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a WAV"),
        (b"ID3 this is an mp3", "not a WAV"),
        (b"RIFF\0\0\0\0WAVE", "header"),
        (wav(sine(1.0))[:30], "header"),
        (wav(np.zeros(44100)), "nothing to hear"),
        (wav(np.zeros(0)), "nothing to hear"),
        (wav(sine(0.01)), "nothing to hear"),
        (wav(sine(1.0, 6000), 6000), "6000 Hz"),
        (wav(sine(100.0, 8000), 8000), "100 s"),
        (float_wav(), "PCM"),
    ],
)
def test_a_recording_that_will_not_do_is_refused_by_name(
    build: Build, own: Path, tmp_path: Path, content: bytes, reason: str
) -> None:
    build()
    before = snapshot(tmp_path / "prompts")
    (own / "da/announce.wav").write_bytes(content)

    with pytest.raises(BuildError, match=reason) as refused:
        build(own=own)
    assert str(own / "da/announce.wav") in str(refused.value)
    assert snapshot(tmp_path / "prompts") == before


def test_a_folder_that_is_none_is_refused(build: Build, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="not a folder"):
        build(own=tmp_path / "nowhere")


# What is missing


def test_doctor_is_told_what_is_missing_altered_or_out_of_date(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    library = PromptLibrary(folder)
    everything = library.missing(RULEBOOK, TEXTS)
    assert "da/consent-n1" in everything
    assert {f"tones/{name}" for name in TONES} <= set(everything)

    build()
    assert library.missing(RULEBOOK, TEXTS) == []

    (folder / "en/announce.wav").unlink()
    (folder / "tones/denied.wav").write_bytes(b"x")
    changed = replace(RULEBOOK, consent_numbers=(replace(NUMBER, keep_days=90), replace(NUMBER, id="n2")))
    assert library.missing(changed, TEXTS) == ["en/announce", "da/consent-n1", "da/consent-n2", "tones/denied"]


def test_an_older_question_is_still_asked_and_says_what_it_told(build: Build, tmp_path: Path) -> None:
    build()
    found = PromptLibrary(tmp_path / "prompts").sound("da", "consent-n1")

    assert found is not None
    assert found.keep_days == 30


def test_a_new_build_is_noticed_without_a_restart(build: Build, tmp_path: Path) -> None:
    library = PromptLibrary(tmp_path / "prompts")
    assert library.sound("da", "announce") is None

    build()
    first = library.sound("da", "announce")
    build(texts={**TEXTS, "da": replace(TEXTS["da"], text_version="2027-1")})
    second = library.sound("da", "announce")

    assert first is not None
    assert second is not None
    assert (first.text_version, second.text_version) == (TEXTS["da"].text_version, "2027-1")


def test_a_language_without_a_prompt_gets_english_and_tones_need_no_language(build: Build, tmp_path: Path) -> None:
    build()
    library = PromptLibrary(tmp_path / "prompts")

    for language in ("fi", "", "../da"):
        announce, denied = library.sound(language, "announce"), library.sound(language, "denied")
        assert announce is not None
        assert announce.language == "en"
        assert denied is not None
        assert denied.path.endswith("/tones/denied")
    assert library.sound("en", "../en/announce") is None
