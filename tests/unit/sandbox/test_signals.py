"""The phones' voices can be told apart; listening finds the right one, on the right side, however little is left."""

from __future__ import annotations

import itertools
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pbx_plugin.sandbox import signals
from pbx_plugin.sandbox.listening import (
    Trace,
    UnreadableAudioError,
    assert_side,
    heard_anywhere,
    offset_ms,
    picture,
    silence,
    tones,
)
from pbx_plugin.sandbox.listening_files import read_audio
from pbx_plugin.sandbox.signals import EVENING, MORNING, RATE, VOICES, Voice, amplitude, bursts, tone, voice, write_wav
from pbx_plugin.sandbox.signals_melody import hertz, parsed, render

ALFA, BRAVO, KILO, XRAY = (voice(name) for name in ("alfa", "bravo", "kilo", "xray"))
DTMF_HZ = (697, 770, 852, 941, 1209, 1336, 1477, 1633)

Samples = NDArray[np.float64]


def folded(frequency: int) -> int:
    """Where a frequency lands at 8 kHz."""
    frequency = abs(frequency) % RATE
    return RATE - frequency if frequency > RATE // 2 else frequency


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE))


def placed(sound: Samples, at_s: float, seconds: float) -> Samples:
    """A sound with silence around it."""
    whole = quiet(seconds)
    start = round(at_s * RATE)
    whole[start : start + sound.size] += sound
    return whole


def mu_law_bytes(sound: Samples) -> bytes:
    """ITU-T G.711 mu-law by its table of segment ends."""
    value = np.clip(np.round(sound * 32768), -32635, 32635).astype(np.int64)
    size = np.abs(value) + 132
    segment = np.floor(np.log2(size)).astype(np.int64) - 7
    step = (size >> (segment + 3)) & 15
    return bytes((~(np.where(value < 0, 0x80, 0) | segment << 4 | step) & 0xFF).astype(np.uint8))


def stereo(path: Path, left: Samples, right: Samples) -> Path:
    frames = np.stack([left, right], axis=1)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((frames * 32767).astype("<i2").tobytes())
    return path


# The plan


def test_the_plan_has_24_voices_a_telephone_carries() -> None:
    assert len({v.name for v in VOICES}) == len({v.hertz for v in VOICES}) == 24
    assert all(400 <= v.hertz <= 3000 for v in VOICES)
    assert all(abs(a.hertz - b.hertz) >= 50 for a, b in itertools.combinations(VOICES, 2))
    assert all(abs(v.hertz - key) > 20 for v in VOICES for key in DTMF_HZ)
    with pytest.raises(KeyError, match="no voice 'zulu'"):
        voice("zulu")


def test_no_voice_is_a_harmonic_or_an_intermodulation_of_others() -> None:
    all_hertz = [v.hertz for v in VOICES]
    for a, b in itertools.product(all_hertz, repeat=2):
        assert all(abs(folded(k * a) - b) >= 12 for k in (2, 3, 4, 5)), (a, b)
    for a, b in itertools.permutations(all_hertz, 2):
        for product in (2 * a - b, 2 * a + b):
            assert min(abs(folded(product) - c) for c in all_hertz) >= 6, (a, b, product)


# Listening


@pytest.mark.parametrize("who", VOICES, ids=str)
def test_each_voice_is_heard_as_itself_alone_through_mu_law(who: Voice, tmp_path: Path) -> None:
    path = tmp_path / "call.ulaw"
    path.write_bytes(mu_law_bytes(tone(who.hertz, 1)))
    assert [w.voices for w in tones(path)] == [{who}] * 4


def test_all_voices_at_once_are_all_heard(tmp_path: Path) -> None:
    mixed = np.sum([tone(v.hertz, 1, -32) for v in VOICES], axis=0)
    assert [w.voices for w in tones(write_wav(tmp_path / "mixed.wav", mixed))] == [set(VOICES)] * 4


def test_noise_bursts_melodies_and_silence_are_nobodys_voice(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).standard_normal(2 * RATE) * 0.1
    for name, sound in {
        "noise": noise,
        "bursts": bursts(3, 2),
        "morning": render(MORNING, RATE)[: 2 * RATE],
        "silence": quiet(2),
    }.items():
        path = write_wav(tmp_path / f"{name}.wav", sound)
        assert {v for w in tones(path) for v in w.voices} == set(), name
        assert [v for v in VOICES[::4] if heard_anywhere(path, v)] == [], name


def test_speech_that_glides_over_every_frequency_is_nobodys_voice(tmp_path: Path) -> None:
    t = np.arange(3 * RATE) / RATE
    pitch = 110 + 25 * np.sin(2 * np.pi * 0.9 * t) + 4 * np.sin(2 * np.pi * 5.3 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    spoken = np.sum([np.sin(k * phase) / k for k in range(1, 24)], axis=0) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    path = write_wav(tmp_path / "speech.wav", spoken * 0.15)
    assert {v for w in tones(path) for v in w.voices} == set()
    assert [v for v in VOICES if heard_anywhere(path, v)] == []


def test_a_voice_stopping_and_starting_makes_no_other_voice(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for place in (3, 12, 20):
        who = VOICES[place]
        sound = quiet(4)
        for start in range(0, 3 * RATE, RATE // 2):
            at, length = start + int(rng.integers(0, 800)), int(rng.integers(200, 3000))
            sound[at : at + length] = tone(who.hertz, 1, -6)[:length]
        path = write_wav(tmp_path / "keyed.wav", sound)
        neighbours = VOICES[place - 2 : place + 3]
        assert [v for v in neighbours if heard_anywhere(path, v)] == [who]
        assert {v for w in tones(path) for v in w.voices} <= {who}


@pytest.mark.parametrize("who", VOICES, ids=str)
def test_a_remnant_of_100_ms_at_minus_45_dbfs_is_found_wherever_it_lies(who: Voice, tmp_path: Path) -> None:
    at_s = {593: 0.0, 665: 0.9}.get(who.hertz, 0.3 + who.hertz / 10000)
    path = write_wav(tmp_path / "remnant.wav", placed(tone(who.hertz, 0.1, -45), at_s, 1.0))
    [trace] = heard_anywhere(tmp_path, who)
    assert (trace.file, trace.channel) == (path, 0)
    assert abs(trace.seconds - at_s) < 0.1
    assert -50 < trace.dbfs < -43
    neighbour = VOICES[VOICES.index(who) - 1]
    assert heard_anywhere(path, neighbour) == []


def test_a_remnant_is_found_beside_the_loud_voice_of_its_nearest_neighbour(tmp_path: Path) -> None:
    nearest = min(itertools.combinations(VOICES, 2), key=lambda pair: abs(pair[0].hertz - pair[1].hertz))
    soft, loud = nearest
    path = tmp_path / "call.ulaw"
    path.write_bytes(mu_law_bytes(tone(loud.hertz, 3, -12) + placed(tone(soft.hertz, 0.1, -45), 1.4, 3)))
    [trace] = heard_anywhere(path, soft)
    assert abs(trace.seconds - 1.4) < 0.1


def test_the_search_looks_into_hidden_temporary_nested_and_raw_files(tmp_path: Path) -> None:
    remnant = placed(tone(KILO.hertz, 0.2, -30), 0.5, 1.0)
    linear = np.round(remnant * 32767).astype("<i2").tobytes()
    (tmp_path / "a" / ".b").mkdir(parents=True)
    hidden = write_wav(tmp_path / "a" / ".b" / ".hidden.wav", remnant)
    files = {
        hidden,
        write_wav(tmp_path / "a" / "no-extension", remnant),
        write_wav(tmp_path / "a" / "call.wav.partial", remnant),
        stereo(tmp_path / "stereo.wav", quiet(1), remnant),
    }
    for name in ("x.sln", "y.raw", "z.tmp", "unnamed"):
        (tmp_path / name).write_bytes(linear)
        files.add(tmp_path / name)
    for name in ("u.ulaw", "v.pcm", "w.part"):
        (tmp_path / name).write_bytes(mu_law_bytes(remnant))
        files.add(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not audio")
    (tmp_path / "empty.wav").touch()
    found = heard_anywhere([tmp_path], KILO)
    assert {trace.file for trace in found} == files
    assert [t.channel for t in found if t.file.name == "stereo.wav"] == [1]
    assert isinstance(found[0], Trace)
    assert heard_anywhere(tmp_path, ALFA) == []


def test_a_search_that_could_not_listen_to_everything_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        heard_anywhere(tmp_path / "nowhere", ALFA)
    (tmp_path / "call.gsm").write_bytes(b"\xd0" * 330)
    with pytest.raises(UnreadableAudioError, match=r"call\.gsm"):
        heard_anywhere(tmp_path, ALFA)


def test_a_header_left_at_zero_hides_nothing(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "crashed.wav", tone(ALFA.hertz, 1))
    whole = path.read_bytes()
    sizes_at_zero = whole[:4] + bytes(4) + whole[8:40] + bytes(4) + whole[44:]
    for header in (sizes_at_zero, bytes(44) + whole[44:], whole[:40] + struct.pack("<I", 1 << 31) + whole[44:]):
        path.write_bytes(header)
        assert [w.voices for w in tones(path)] == [{ALFA}] * 4
    path.write_bytes(sizes_at_zero[:-1])
    assert read_audio(path).samples.shape == (1, RATE - 1)


@pytest.mark.parametrize(("width", "rate"), [(1, 8000), (2, 16000), (3, 44100), (4, 48000)])
def test_any_pcm_wav_is_read(width: int, rate: int, tmp_path: Path) -> None:
    sine = 0.25 * np.sin(2 * np.pi * KILO.hertz * np.arange(rate) / rate)
    whole = np.round(sine * (1 << (8 * width - 1))).astype(np.int64) + (128 if width == 1 else 0)
    path = tmp_path / "any.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(b"".join(int(v).to_bytes(width, "little", signed=width > 1) for v in whole))
    assert [w.voices for w in tones(path)] == [{KILO}] * 4
    assert tones(path)[0].dbfs == pytest.approx(-12, abs=0.2)


def test_a_law_and_mu_law_are_decoded_as_g711_says(tmp_path: Path) -> None:
    (tmp_path / "a.alaw").write_bytes(bytes([0xD5, 0x55, 0xAA, 0x2A, 0x80]))
    assert (read_audio(tmp_path / "a.alaw").samples[0] * 32768).tolist() == [8, -8, 32256, -32256, 5504]
    (tmp_path / "u.ulaw").write_bytes(bytes([0xFF, 0x7F, 0x80, 0x00, 0xE7]))
    assert (read_audio(tmp_path / "u.ulaw").samples[0] * 32768).tolist() == [0, 0, 32124, -32124, 260]


def test_offset_is_measured_second_by_second(tmp_path: Path) -> None:
    sound = bursts(11, 6, under=ALFA)
    late = np.concatenate([quiet(0.02), sound])[: sound.size]
    late[4 * RATE :] = np.concatenate([quiet(0.06), sound])[4 * RATE : sound.size]
    late += tone(BRAVO.hertz, 6, -21)
    path = stereo(tmp_path / "call.wav", sound, late)
    offsets = offset_ms((path, 0), (path, 1))
    assert [round(o.ms) for o in offsets] == [20, 20, 20, 20, 60, 60]
    assert [round(o.ms) for o in offset_ms((path, 1), (path, 0), at_s=[1, 5])] == [-20, -60]
    other = write_wav(tmp_path / "other.wav", bursts(12, 6, under=ALFA))
    with pytest.raises(ValueError, match="no common bursts"):
        offset_ms((path, 0), (other, 0))


def test_silence_is_measured_to_ten_milliseconds(tmp_path: Path) -> None:
    sound = tone(ALFA.hertz, 3)
    sound[RATE : RATE + RATE // 4] = 0
    path = stereo(tmp_path / "call.wav", sound, quiet(3))
    assert silence(path, 0) == [(1.0, 1.25)]
    assert silence(path, 1) == [(0.0, 3.0)]
    with pytest.raises(IndexError, match="no channel 2"):
        silence(path, 2)


def test_assert_side_names_the_missing_the_stranger_and_draws_who_was_heard(tmp_path: Path) -> None:
    sound = tone(ALFA.hertz, 4)
    sound[2 * RATE : 3 * RATE] = tone(KILO.hertz, 1)
    path = write_wav(tmp_path / "call.wav", sound)
    assert_side(path, 0, ALFA, 0, 2)
    assert_side(path, 0, None, 2, 3, allow=[KILO])
    with pytest.raises(AssertionError) as wrong:
        assert_side(path, 0, ALFA, 0, 4)
    text = str(wrong.value)
    assert "alfa (593 Hz) is missing at 2.00, 2.25, 2.50, 2.75 s" in text
    assert "kilo (1576 Hz) is heard at 2.00" in text
    rows = [[cell.strip() for cell in line.split("|")] for line in text.split("\n")[1:]]
    drawn = {label: cells[:-1] for label, *cells in rows}
    assert drawn["alfa (593 Hz)"] == ["####", "####", "....", "####"]
    assert drawn["kilo (1576 Hz)"] == ["....", "....", "####", "...."]
    with pytest.raises(AssertionError, match="ends at 4 s"):
        assert_side(path, 0, ALFA, 3, 6)
    with pytest.raises(AssertionError, match="expected nobody"):
        assert_side(path, 0, None, 0, 1)
    assert picture([]) == "(no sound)"


def test_one_slipped_quarter_is_forgiven_two_in_a_row_are_not(tmp_path: Path) -> None:
    sound = tone(ALFA.hertz, 10)
    sound[2 * RATE : 2 * RATE + RATE // 4] = 0
    assert_side(write_wav(tmp_path / "slip.wav", sound), 0, ALFA, 0, 10)
    sound[2 * RATE : 2 * RATE + RATE // 2] = 0
    with pytest.raises(AssertionError, match="missing at"):
        assert_side(write_wav(tmp_path / "gap.wav", sound), 0, ALFA, 0, 10)


# What phones play


def test_signals_loop_without_a_click_and_bursts_differ_each_second() -> None:
    twice = np.concatenate([tone(XRAY.hertz, 1), tone(XRAY.hertz, 1)])
    assert np.allclose(twice, tone(XRAY.hertz, 2), atol=1e-9)
    sound = bursts(1, 3)
    first, second = sound[:480], sound[RATE : RATE + 480]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3
    assert np.array_equal(sound, bursts(1, 3))
    assert not np.any(sound[480:RATE])


def test_written_signals_are_8_khz_mono_private_and_at_their_level(tmp_path: Path) -> None:
    path = signals.write_voice(tmp_path / "v.wav", ALFA, dbfs=-20)
    with wave.open(str(path)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, RATE)
    assert path.stat().st_mode & 0o007 == 0
    assert np.max(np.abs(read_audio(path).samples)) == pytest.approx(amplitude(-20), rel=0.01)


def test_the_two_melodies_are_different_tunes_that_loop() -> None:
    assert hertz("A4") == pytest.approx(440)
    assert hertz("C4") == pytest.approx(261.63, abs=0.01)
    assert hertz("Bb3") == pytest.approx(hertz("A#3"))
    high = [pitch for pitch, _ in parsed(MORNING) if pitch]
    low = [pitch for pitch, _ in parsed(EVENING) if pitch]
    assert min(high) > max(low), "a person tells them apart by height"
    for melody in (MORNING, EVENING):
        sound = render(melody, RATE)
        assert sound.size == round(melody.seconds * RATE)
        assert np.max(np.abs(sound)) < 0.5
        assert abs(sound[-1] - sound[0]) < 0.05
