"""Makes any WAV fit for a telephone line: one channel, no silence around it, one loudness, 8 and 16 kHz.

Only WAV is read and written, so that pydub never looks for ffmpeg.
"""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

AUDIO_VERSION = "1"
"""Raised whenever the same input would sound different."""

RATES = {"wav": 8000, "wav16": 16000}
"""Asterisk's file extensions and their rates in Hz."""

LEVEL_DBFS = -20.0
PEAK_DBFS = -3.0
LONGEST_S = 90.0
SHORTEST_S = 0.1
LARGEST_BYTES = 40_000_000

_SILENCE_BELOW_PEAK_DB = 40.0
_LEAD_MS = 60
_STEP_MS = 5
_FADE_MS = 5
_PCM = 1
_EXTENSIBLE = 0xFFFE
_FULL_SCALE = 32768.0
_TAPS = 127


class PromptAudioError(Exception):
    """A sound cannot be used as a prompt; says why, in words for an admin."""


def fit_for_line(content: bytes) -> dict[str, bytes]:
    """Return WAV files by extension (:data:`RATES`) made from one WAV: 16 bit, one channel, trimmed and levelled.

    Raises PromptAudioError when it is not PCM, is silent, or is shorter or longer than a prompt can be.
    """
    if len(content) > LARGEST_BYTES:
        raise PromptAudioError("the file is too large for a prompt")
    _check_pcm(content)
    sound = _read(content)
    if sound.frame_rate < RATES["wav"]:
        raise PromptAudioError(f"its rate is {sound.frame_rate} Hz: at least 8000 Hz is needed")
    if sound.duration_seconds > LONGEST_S:
        raise PromptAudioError(f"it is {sound.duration_seconds:.0f} s long: a prompt has at most {LONGEST_S:.0f} s")
    sound = _trimmed(sound.set_channels(1).set_sample_width(2))
    if sound.duration_seconds < SHORTEST_S:
        raise PromptAudioError("there is nothing to hear in it")
    return {extension: _at_rate(sound, rate) for extension, rate in RATES.items()}


def wav_file(samples: NDArray[np.int16], rate: int) -> bytes:
    """Return mono samples as a WAV file."""
    return _written(_segment(samples.tobytes(), rate))


def _segment_class() -> Any:
    # At its import pydub looks for ffmpeg, which WAV does not need, and audioop speaks of its end; both only warn.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pydub import AudioSegment  # noqa: PLC0415  (see above)
    return AudioSegment


def _segment(data: bytes, rate: int) -> Any:
    return _segment_class()(data=data, sample_width=2, frame_rate=rate, channels=1)


def _read(content: bytes) -> Any:
    try:
        return _segment_class()(data=content)
    except Exception as error:  # pydub raises whatever a broken header leads it into
        raise PromptAudioError(f"the WAV file is broken ({error})") from error


def _check_pcm(content: bytes) -> None:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise PromptAudioError("it is not a WAV file")
    at = 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        if name == b"fmt ":
            body = content[at + 8 : at + 8 + size]
            if len(body) < 16:
                break
            code = struct.unpack_from("<H", body)[0]
            if code == _EXTENSIBLE and len(body) >= 26:
                code = struct.unpack_from("<H", body, 24)[0]
            bits = struct.unpack_from("<H", body, 14)[0]
            if code != _PCM or bits not in {8, 16, 24, 32}:
                raise PromptAudioError("it is not plain PCM: save it as a 16-bit WAV")
            return
        at += 8 + size + size % 2
    raise PromptAudioError("the WAV file has no usable header")


def _trimmed(sound: Any) -> Any:
    threshold = sound.max_dBFS - _SILENCE_BELOW_PEAK_DB
    if not np.isfinite(threshold) or sound.max_dBFS < -60:
        raise PromptAudioError("there is nothing to hear in it")
    from pydub.silence import detect_leading_silence  # noqa: PLC0415  (pydub is loaded by now, quietly)

    begin = detect_leading_silence(sound, silence_threshold=threshold, chunk_size=_STEP_MS)
    end = len(sound) - detect_leading_silence(sound.reverse(), silence_threshold=threshold, chunk_size=_STEP_MS)
    return sound[max(0, begin - _LEAD_MS) : end + _LEAD_MS].fade_in(_FADE_MS).fade_out(_FADE_MS)


def _at_rate(sound: Any, rate: int) -> bytes:
    samples = _samples(sound)
    if sound.frame_rate > rate:
        # pydub only interpolates: what lies above half the rate would come back as whistling.
        samples = _low_pass(samples, 0.45 * rate / sound.frame_rate)
    narrowed = _segment(_to_16_bit(samples), sound.frame_rate).set_frame_rate(rate)
    return _written(_segment(_to_16_bit(_levelled(_samples(narrowed))), rate))


def _low_pass(samples: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
    """Filter with a windowed sinc; ``cutoff`` is a part of the sampling rate."""
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * cutoff * at) * np.blackman(_TAPS)
    return np.convolve(samples, taps / taps.sum(), mode="same")


def _levelled(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring the loudness to LEVEL_DBFS with no peak above PEAK_DBFS; limiting costs loudness, so a few rounds."""
    ceiling = 10 ** (PEAK_DBFS / 20)
    knee = 0.6 * ceiling
    for _ in range(4):
        samples = samples * (10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(samples**2)))
        over = np.abs(samples) > knee
        bent = knee + (ceiling - knee) * np.tanh((np.abs(samples) - knee) / (ceiling - knee))
        samples = np.where(over, np.sign(samples) * bent, samples)
    return samples


def _samples(sound: Any) -> NDArray[np.float64]:
    return np.frombuffer(sound.raw_data, dtype="<i2").astype(np.float64) / _FULL_SCALE


def _to_16_bit(samples: NDArray[np.float64]) -> bytes:
    return np.clip(np.round(samples * _FULL_SCALE), -32768, 32767).astype("<i2").tobytes()


def _written(sound: Any) -> bytes:
    content = io.BytesIO()
    sound.export(content, format="wav")
    return content.getvalue()
