"""WAV files as Asterisk leaves them: whole, killed, torn, foreign."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest
from segment_builder import killed, tone, wav

from pbx_plugin.storage.wav import NotPcmError, header, open_pcm, repair_header

SOUND = tone(440, 1.5)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "x.wav"
    path.write_bytes(content)
    return path


def heard(path: Path) -> list[int] | None:
    with open_pcm(path) as pcm:
        return None if pcm is None else pcm.read(0, pcm.frames).tolist()


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_proper_file_is_read_with_its_rate(tmp_path: Path, rate: int) -> None:
    path = written(tmp_path, wav(SOUND, rate))
    with open_pcm(path) as pcm:
        assert pcm is not None
        assert (pcm.rate, pcm.channels, pcm.frames, pcm.claimed) == (rate, 1, 12000, 12000)
        assert np.array_equal(pcm.read(0, 12000), SOUND)
        assert np.array_equal(pcm.read(4000, 4010), SOUND[4000:4010])


def test_our_header_is_what_the_standard_library_writes(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "w.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(4 * 77))
    assert (tmp_path / "w.wav").read_bytes() == header(16000, 2, 77) + bytes(4 * 77)


def test_a_header_for_more_than_four_gigabytes_does_not_overflow() -> None:
    assert header(8000, 2, 2**31)[40:44] == b"\xff\xff\xff\xff"


def test_a_killed_asterisk_loses_the_header_but_not_the_sound(tmp_path: Path) -> None:
    path = written(tmp_path, killed(wav(SOUND)))
    with pytest.raises((wave.Error, EOFError)), wave.open(str(path)) as file:
        assert file.getnframes() == 12000
    assert heard(path) == SOUND.tolist()
    with open_pcm(path) as pcm:
        assert pcm is not None
        assert (pcm.claimed, pcm.frames) == (0, 12000)


@pytest.mark.parametrize("claimed", [1, 23998, 24002, 0xFFFFFFFF])
def test_the_file_size_counts_whatever_the_header_claims(tmp_path: Path, claimed: int) -> None:
    whole = wav(SOUND)
    path = written(tmp_path, whole[:40] + claimed.to_bytes(4, "little") + whole[44:])
    assert heard(path) == SOUND.tolist()


def test_a_file_cut_inside_a_sample_loses_only_that_sample(tmp_path: Path) -> None:
    path = written(tmp_path, killed(wav(SOUND))[:-1])
    assert heard(path) == SOUND[:-1].tolist()


@pytest.mark.parametrize("length", [0, 1, 43, 44, 45])
def test_a_bare_or_torn_header_is_no_sound(tmp_path: Path, length: int) -> None:
    assert heard(written(tmp_path, wav(SOUND)[:length])) is None


def test_a_missing_file_is_no_sound(tmp_path: Path) -> None:
    assert heard(tmp_path / "gone.wav") is None


def test_other_chunks_before_the_sound_are_stepped_over(tmp_path: Path) -> None:
    whole = wav(SOUND)
    path = written(tmp_path, whole[:36] + b"LIST\x03\0\0\0abc\0" + whole[36:])
    assert heard(path) == SOUND.tolist()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"ID3" + bytes(100), "not a WAV"),
        (b"RIFF\0\0\0\0AVI " + bytes(100), "not a WAV"),
        (wav(SOUND, 11025), "not 16-bit PCM"),
        (wav(SOUND)[:20] + b"\x07\0" + wav(SOUND)[22:], "not 16-bit PCM"),
        (wav(SOUND)[:34] + b"\x08\0" + wav(SOUND)[36:], "not 16-bit PCM"),
        (wav(SOUND)[:22] + b"\x00\0" + wav(SOUND)[24:], "not 16-bit PCM"),
        (wav(SOUND)[:36] + b"junk" + b"\xff" * 4 + bytes(50), "no sound chunk"),
        (b"RIFF\0\0\0\0WAVEdata" + bytes(100), "no sound chunk"),
        (b"RIFF\0\0\0\0WAVE" + b"fmt \xff\xff\xff\xff" + bytes(10) + bytes(20), "16-bit|no sound"),
    ],
)
def test_something_else_than_telephone_pcm_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(NotPcmError, match=says):
        heard(path)


def test_links_pipes_and_folders_are_not_followed(tmp_path: Path) -> None:
    real = written(tmp_path, wav(SOUND))
    (tmp_path / "link.wav").symlink_to(real)
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    for name, says in (("link", "a link"), ("pipe", "ordinary"), ("folder", "ordinary")):
        with pytest.raises(NotPcmError, match=says):
            heard(tmp_path / f"{name}.wav")


def test_a_file_that_shrinks_under_the_reader_is_an_error_not_silence(tmp_path: Path) -> None:
    path = written(tmp_path, wav(SOUND))
    with open_pcm(path) as pcm:
        assert pcm is not None
        os.truncate(path, 1000)
        with pytest.raises(OSError, match="shorter"):
            pcm.read(0, pcm.frames)


@pytest.mark.parametrize("odd", [b"", b"\x7f"])
def test_a_repaired_file_plays_everywhere_and_keeps_its_date(tmp_path: Path, odd: bytes) -> None:
    path = written(tmp_path, killed(wav(SOUND)) + odd)
    os.utime(path, ns=(1_000_000_000, 1_700_000_000_123_456_789))
    assert repair_header(path) is True
    assert path.read_bytes() == wav(SOUND)
    assert path.stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert repair_header(path) is False
    with wave.open(str(path)) as file:
        assert file.getnframes() == 12000


def test_a_torn_header_cannot_be_repaired_and_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, wav(SOUND)[:43])
    assert repair_header(path) is False
    assert path.stat().st_size == 43
    with pytest.raises(FileNotFoundError):
        repair_header(tmp_path / "gone.wav")
