"""Builds segments as Asterisk leaves them: two mono WAV files in a spool, and the job to finalise them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbx_plugin.domain.entries import Side
from pbx_plugin.domain.naming import Sense, spool_name
from pbx_plugin.storage.finalise import finalise
from pbx_plugin.storage.job import FinaliseJob, FinaliseResult
from pbx_plugin.storage.wav import header, open_pcm

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MEDIA = "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11"
TENANT = "7e57ab1e-0000-4000-8000-000000000001"

Samples = NDArray[np.int16]


def tone(hertz: float, seconds: float, rate: int = 8000, level: int = 8000) -> Samples:
    """Return a sine of this loudness."""
    moments = np.arange(round(seconds * rate)) / rate
    wave: NDArray[np.float64] = np.rint(np.sin(2 * np.pi * hertz * moments) * level)
    return wave.astype(np.int16)


def loudness(samples: Samples, hertz: float, rate: int = 8000) -> float:
    """Return how much of this one frequency is in the sound (its level, as ``tone`` was told)."""
    moments = np.arange(len(samples)) / rate
    return float(abs(np.mean(samples * np.exp(-2j * np.pi * hertz * moments))) * 2)


def wav(samples: Samples, rate: int = 8000) -> bytes:
    """Return the file Asterisk writes when it closes properly."""
    return header(rate, 1, len(samples)) + samples.astype("<i2").tobytes()


def killed(whole: bytes) -> bytes:
    """Return the same file as a killed Asterisk leaves it: no sizes in its header."""
    return whole[:4] + bytes(4) + whole[8:40] + bytes(4) + whole[44:]


@dataclass
class Segment:
    """A spool and an archive with one segment of ours."""

    folder: Path
    job: FinaliseJob

    def given(self, sound_in: Samples | bytes | None, sound_out: Samples | bytes | None, rate: int = 8000) -> Segment:
        """Put down what Asterisk wrote for the leg's party and for what it was sent; None writes no file."""
        for path, sound in zip(self.job.spool_files, (sound_in, sound_out), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if sound is not None:
                path.write_bytes(sound if isinstance(sound, bytes) else wav(sound, rate))
        return self

    def but(self, **changes: object) -> Segment:
        """Change the job."""
        self.job = replace(self.job, **changes)  # type: ignore[arg-type]
        return self

    def finalised(self) -> tuple[FinaliseResult, Samples, Samples]:
        """Finalise; return what was answered, and the left and right sound of the stored file."""
        result = finalise(self.job)
        with open_pcm(self.job.archive / result.path) as pcm:
            assert pcm is not None
            assert pcm.channels == 2
            both = pcm.read(0, pcm.frames).reshape(-1, 2)
        return result, both[:, 0].copy(), both[:, 1].copy()

    def files(self, root: str) -> list[str]:
        """Name every file under ``spool`` or ``archive``, hidden ones too."""
        top = self.folder / root
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())


def segment_in(folder: Path, media_id: str = MEDIA) -> Segment:
    """Return a segment whose two sides began together at noon and which nobody cut."""
    for name in ("spool", "archive"):
        (folder / name).mkdir(exist_ok=True)
    job = FinaliseJob(
        media_id=media_id,
        tenant_id=TENANT,
        spool=folder / "spool",
        archive=folder / "archive",
        spool_in=spool_name(media_id, NOON, Sense.IN),
        spool_out=spool_name(media_id, NOON, Sense.OUT),
        in_side=Side.RIGHT,
        intended_at=NOON,
        in_at=NOON,
        out_at=NOON,
        closed_at=None,
        shortest_ms=200,
    )
    return Segment(folder, job)


def after(milliseconds: float) -> datetime:
    """Return the moment so long after noon."""
    return NOON + timedelta(milliseconds=milliseconds)
