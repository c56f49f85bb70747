"""What finalising is asked to do and what it answers: plain values that travel to a worker process and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pbx_plugin.domain.entries import RecordingStored, Side
from pbx_plugin.domain.naming import Holding, archive_file, parse_spool, part_file, spool_file
from pbx_plugin.domain.pacing import KEPT_TIME, Paces
from pbx_plugin.services.ports import OpenMedia


@dataclass(frozen=True, slots=True)
class FinaliseJob:
    """One segment. ``spool`` is Asterisk's recording folder, ``archive`` ours; both are there already.

    ``spool_in`` and ``spool_out`` are recording names without extension; the sound of the first goes to ``in_side``.
    ``in_at`` and ``out_at`` tell when each began, None when Asterisk's word was missed. Nothing after ``closed_at`` is
    kept; None means that the segment simply ended. Less than ``shortest_ms`` is not kept at all. Aware datetimes.
    ``paces`` is how far both files fell behind the clock while they were written.

    Raises ValueError when an id or a name is not ours, or a name belongs to another segment.
    """

    media_id: str
    tenant_id: str
    spool: Path
    archive: Path
    spool_in: str
    spool_out: str
    in_side: Side
    intended_at: datetime
    in_at: datetime | None
    out_at: datetime | None
    closed_at: datetime | None
    shortest_ms: int
    paces: Paces = KEPT_TIME

    def __post_init__(self) -> None:
        """Refuse a job whose files could be somebody else's."""
        archive_file(self.tenant_id, self.media_id, self.intended_at, Holding.AUDIO)
        for name in (self.spool_in, self.spool_out):
            named = parse_spool(name)
            if named is None or named.media_id != self.media_id:
                raise ValueError(f"{name!r} is not a spool name of segment {self.media_id}")

    @property
    def spool_files(self) -> tuple[Path, Path]:
        """Where Asterisk wrote the sound from the leg's party, and the sound to it."""
        return self.spool / spool_file(self.spool_in), self.spool / spool_file(self.spool_out)

    def final(self, holding: Holding) -> str:
        """Return the final name of audio or peaks, relative to the archive."""
        return archive_file(self.tenant_id, self.media_id, self.intended_at, holding)

    def part(self, holding: Holding) -> str:
        """Return the name under which it is written first, relative to the archive."""
        return part_file(self.final(holding))


def finalise_job(media: OpenMedia, spool: Path, archive: Path, shortest_ms: int) -> FinaliseJob:
    """Return the job for a segment that is open in the books. Raises ValueError as ``FinaliseJob``."""
    return FinaliseJob(
        media_id=media.media_id,
        tenant_id=media.tenant_id,
        spool=spool,
        archive=archive,
        spool_in=media.spool_in,
        spool_out=media.spool_out,
        in_side=Side(media.in_side),
        intended_at=media.intended_at,
        in_at=media.in_at,
        out_at=media.out_at,
        closed_at=media.closed_at,
        shortest_ms=shortest_ms,
    )


@dataclass(frozen=True, slots=True)
class FinaliseResult:
    """The stored recording. Paths are relative to the archive; ``length_ms`` is that of the file.

    Each remark begins with a fixed word or two and a colon, then tells the particulars.
    """

    media_id: str
    path: str
    peaks_path: str
    sha256: str
    size: int
    rate: int
    length_ms: int
    left_silent: bool
    right_silent: bool
    remarks: tuple[str, ...]

    def entry(self, at: datetime) -> RecordingStored:
        """Return the journal entry that says so."""
        return RecordingStored(
            media_id=self.media_id,
            at=at,
            path=self.path,
            peaks_path=self.peaks_path,
            sha256=self.sha256,
            size=self.size,
            rate=self.rate,
            length_ms=self.length_ms,
            left_silent=self.left_silent,
            right_silent=self.right_silent,
            remarks=self.remarks,
        )
