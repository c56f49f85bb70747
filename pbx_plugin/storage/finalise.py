"""Makes one stored recording of the two files that Asterisk wrote for a segment: complete, measured, once.

Works on files alone, without database or journal, so that it can run in a worker process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np

from pbx_plugin.domain.naming import Holding
from pbx_plugin.storage.errors import DamagedError, NotAsWrittenError, UnreadableSoundError, storage_error
from pbx_plugin.storage.files import claimed, make_folder, remove, sync_folder, write_all, write_durably
from pbx_plugin.storage.job import FinaliseJob, FinaliseResult
from pbx_plugin.storage.join import halves, pieces
from pbx_plugin.storage.peaks import Peaks
from pbx_plugin.storage.timeline import lay_out
from pbx_plugin.storage.wav import NotPcmError, Pcm, header, open_pcm


def finalise(job: FinaliseJob) -> FinaliseResult:
    """Store the segment and say what was stored. Repeating it gives the same file, byte for byte, and the same answer.

    1. If the final file is there and is what was once stored (its hash is taken again), that is the answer; the spool
       files may be gone by then.
    2. Both sides are laid on one time line, cut at ``closed_at``, joined to 16-bit stereo; hash and peaks come of the
       same pass. All is written under hidden names, synced, and read back: the hash must be that of what was written.
    3. Peaks, then sound get their final names: where the sound's final name exists, everything is complete.

    The spool files stay; ``discard_spool`` removes them, once the journal says *stored*. Call it only when Asterisk no
    longer writes. A crash at any moment leaves at most hidden files, which the next call writes anew.

    Raises FinaliseError (its subclasses tell why) when the segment can never become a recording, StorageError when the
    disk refuses (spool untouched, nothing half-written left, a later call may succeed).
    """
    try:
        return _stored_before(job) or _store(job)
    except OSError as error:
        raise storage_error(error, f"finalising segment {job.media_id}") from error


def discard_spool(job: FinaliseJob) -> tuple[str, ...]:
    """Remove the segment's two spool files durably; return the names of those that were there. Idempotent.

    Raises StorageError when the spool does not let us.
    """
    try:
        gone = [path for path in job.spool_files if remove(path)]
        for folder in {path.parent for path in gone}:
            sync_folder(folder)
    except OSError as error:
        raise storage_error(error, f"discarding the spool files of segment {job.media_id}") from error
    return tuple(str(path.relative_to(job.spool)) for path in gone)


def _store(job: FinaliseJob) -> FinaliseResult:
    folder = make_folder(job.archive, job.final(Holding.AUDIO).rpartition("/")[0])
    audio, audio_part = job.archive / job.final(Holding.AUDIO), job.archive / job.part(Holding.AUDIO)
    peaks, peaks_part = job.archive / job.final(Holding.PEAKS), job.archive / job.part(Holding.PEAKS)
    with claimed(audio_part) as fd:
        try:
            before = _stored_before(job)  # by whoever held the claim until now
            if before:
                remove(audio_part)
                return before
            result, picture = _write(job, fd)
            os.fsync(fd)
            _prove(audio_part, fd, result)
            write_durably(peaks_part, picture)
            os.replace(peaks_part, peaks)  # noqa: PTH105
            os.replace(audio_part, audio)  # noqa: PTH105
            sync_folder(folder)
        except BaseException:
            _tidy(audio, peaks, audio_part, peaks_part)
            raise
    return result


def _prove(part: Path, fd: int, result: FinaliseResult) -> None:
    """Read back what was just written: the spool files are removed on the strength of it.

    The system is asked to forget its own copy first, so that what answers is the disk, or the other machine.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    with part.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if digest != result.sha256:
        raise NotAsWrittenError(f"segment {result.media_id}: {part.name} does not read back as it was written")


def _tidy(audio: Path, peaks: Path, *parts: Path) -> None:
    # What made us stop is being raised and must be heard, so a second refusal here is not; the next call tidies again.
    with suppress(OSError):
        for part in parts:
            remove(part)
        if not audio.exists():
            remove(peaks)


def _write(job: FinaliseJob, fd: int) -> tuple[FinaliseResult, bytes]:
    with ExitStack() as opened:
        unreadable: list[str] = []
        sound_in, sound_out = (_open_side(opened, path, unreadable) for path in job.spool_files)
        if unreadable and not (sound_in or sound_out):
            raise UnreadableSoundError(f"segment {job.media_id}: {'; '.join(unreadable)}")
        left, right, rate, remarks = lay_out(job, sound_in, sound_out)
        head = header(rate, 2, max(left.end, right.end))
        digest, picture, size = sha256(head), Peaks(rate), len(head)
        write_all(fd, head)
        for left_piece, right_piece in pieces(left, right, rate):
            both = np.empty((len(left_piece), 2), "<i2")
            both[:, 0], both[:, 1] = left_piece, right_piece
            raw = both.reshape(-1).view(np.uint8).data
            write_all(fd, raw)
            digest.update(raw)
            size += len(raw)
            picture.feed(left_piece, right_piece)
    remarks += [f"side unreadable: {reason}" for reason in unreadable]
    return _result(job, picture, size=size, digest=digest.hexdigest(), remarks=remarks)


def _open_side(opened: ExitStack, path: Path, unreadable: list[str]) -> Pcm | None:
    try:
        pcm = opened.enter_context(open_pcm(path))
    except NotPcmError as error:
        unreadable.append(str(error))
        return None
    if pcm is not None and pcm.channels != 1:
        unreadable.append(f"{path.name} is not mono")
        return None
    return pcm


def _result(
    job: FinaliseJob, picture: Peaks, *, size: int, digest: str, remarks: Iterable[str]
) -> tuple[FinaliseResult, bytes]:
    left_silent, right_silent = picture.silent()
    result = FinaliseResult(
        media_id=job.media_id,
        path=job.final(Holding.AUDIO),
        peaks_path=job.final(Holding.PEAKS),
        sha256=digest,
        size=size,
        rate=picture.rate,
        length_ms=picture.frames * 1000 // picture.rate,
        left_silent=left_silent,
        right_silent=right_silent,
        remarks=tuple(remarks),
    )
    # The peaks file keeps hash and remarks: what is needed to answer again when the spool files are gone.
    return result, picture.as_json({"sha256": digest, "remarks": result.remarks})


def _stored_before(job: FinaliseJob) -> FinaliseResult | None:
    """Return the answer for a file that is already there, None if the segment is still (or again) to be stored."""
    audio, peaks = job.archive / job.final(Holding.AUDIO), job.archive / job.final(Holding.PEAKS)
    try:
        with audio.open("rb") as file:
            digest, size = file_digest(file, "sha256").hexdigest(), file.tell()
    except FileNotFoundError:
        return None
    noted = _noted(peaks)
    picture = _measured(audio, trusted=noted is not None and noted[0] == digest)
    if picture and noted is None:
        remarks: tuple[str, ...] = ("peaks rebuilt: earlier remarks are lost",)
        result, content = _result(job, picture, size=size, digest=digest, remarks=remarks)
        _replace(peaks, job.archive / job.part(Holding.PEAKS), content)
        return result
    if picture and noted and noted[0] == digest:
        return _result(job, picture, size=size, digest=digest, remarks=noted[1])[0]
    if all(path.is_file() for path in job.spool_files):
        return None
    raise DamagedError(f"segment {job.media_id}: {job.final(Holding.AUDIO)} is not what was stored")


def _measured(audio: Path, *, trusted: bool) -> Peaks | None:
    """Take the picture of a stored file; None if it cannot be one of ours.

    Without a noted hash (``trusted``), header and length must agree for the file to pass as complete.
    """
    try:
        with open_pcm(audio) as pcm:
            if pcm is None or pcm.channels != 2 or not (trusted or pcm.claimed == pcm.frames):
                return None
            picture = Peaks(pcm.rate)
            for left, right in halves(pcm):
                picture.feed(left, right)
            return picture
    except NotPcmError:
        return None


def _replace(final: Path, part: Path, content: bytes) -> None:
    write_durably(part, content)
    os.replace(part, final)  # noqa: PTH105
    sync_folder(final.parent)


def _noted(peaks: Path) -> tuple[str, tuple[str, ...]] | None:
    try:
        recording = json.loads(peaks.read_bytes())["recording"]
        return str(recording["sha256"]), tuple(str(remark) for remark in recording["remarks"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
