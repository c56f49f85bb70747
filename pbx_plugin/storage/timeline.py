"""Decides where each side lies on the recording's time line, what of it may be kept, and what to remark."""

from __future__ import annotations

from datetime import datetime, timedelta

from pbx_plugin.domain.entries import Side as Channel
from pbx_plugin.storage.errors import NothingRecordedError, TooShortError
from pbx_plugin.storage.job import FinaliseJob
from pbx_plugin.storage.join import Side, frames_between
from pbx_plugin.storage.wav import Pcm

BELIEVABLE_OFFSET = timedelta(seconds=2)
"""Both sides are started in one breath (5 ms apart as measured); a larger difference is a wrong clock, not sound."""

UNEVEN_MS = 200
"""Sides may end this far apart, or be cut by this much, without a remark: frames of 20 ms, a slow stop of one of two.

It says only what is worth telling; it loosens no cut.
"""


def lay_out(job: FinaliseJob, sound_in: Pcm | None, sound_out: Pcm | None) -> tuple[Side, Side, int, list[str]]:
    """Return left side, right side, common rate and remarks.

    1. What lies after ``closed_at`` is cut from each side, by that side's own start.
    2. The later side gets silence at its head, as long as the difference between both starts.
    3. The common rate is the higher one.

    Raises NothingRecordedError and TooShortError.
    """
    names = ("left", "right") if job.in_side == Channel.LEFT else ("right", "left")
    sides = tuple(zip(names, (sound_in, sound_out), (job.in_at, job.out_at), strict=True))
    rate = max((pcm.rate for pcm in (sound_in, sound_out) if pcm), default=0)
    remarks: list[str] = []
    laid: dict[str, Side] = {}
    heads = _heads(job, rate, remarks)
    for (name, pcm, began), head in zip(sides, heads, strict=True):
        if pcm is None:
            remarks.append(f"side missing: {name}")
            laid[name] = Side(None, 0, 0, rate)
            continue
        if pcm.claimed != pcm.frames:
            remarks.append(f"header wrong: {name} said {pcm.claimed} frames and holds {pcm.frames}")
        if pcm.rate != rate:
            remarks.append(f"rate raised: {name} from {pcm.rate} Hz")
        laid[name] = Side(pcm, _kept(job, name, pcm, began, remarks), head, rate)
    left, right = laid["left"], laid["right"]
    _judge_length(job, left, right, rate, remarks)
    return left, right, rate, sorted(remarks)


def _heads(job: FinaliseJob, rate: int, remarks: list[str]) -> tuple[int, int]:
    """Return the silence before the sound in and before the sound out, in frames."""
    if job.in_at is None or job.out_at is None:
        remarks.append("start unknown: sides not aligned")
        return 0, 0
    apart = abs(job.in_at - job.out_at)
    if apart > BELIEVABLE_OFFSET:
        remarks.append(f"starts apart: {apart / timedelta(milliseconds=1):.0f} ms, not believed, sides not aligned")
        return 0, 0
    first = min(job.in_at, job.out_at)
    return frames_between(first, job.in_at, rate), frames_between(first, job.out_at, rate)


def _kept(job: FinaliseJob, name: str, pcm: Pcm, began: datetime | None, remarks: list[str]) -> int:
    if job.closed_at is None:
        return pcm.frames
    if began is None:
        # The file's last writing less its length is never before its first sample: that errs towards cutting.
        began = pcm.modified_at - timedelta(seconds=pcm.frames / pcm.rate)
        remarks.append(f"start guessed: {name}, from the file's last writing")
    allowed = frames_between(began, job.closed_at, pcm.rate)
    cut_ms = max(0, pcm.frames - allowed) * 1000 // pcm.rate
    if cut_ms > UNEVEN_MS:
        remarks.append(f"cut at close: {name}, {cut_ms} ms")
    return min(pcm.frames, allowed)


def _judge_length(job: FinaliseJob, left: Side, right: Side, rate: int, remarks: list[str]) -> None:
    total = max(left.end, right.end)
    if not total:
        raise NothingRecordedError(f"segment {job.media_id}: neither side holds any sound")
    length_ms = total * 1000 // rate
    if length_ms < job.shortest_ms:
        raise TooShortError(f"segment {job.media_id}: {length_ms} ms, less than {job.shortest_ms} ms")
    uneven_ms = abs(left.end - right.end) * 1000 // rate
    if left.end and right.end and uneven_ms > UNEVEN_MS:
        remarks.append(f"ends uneven: {'left' if left.end < right.end else 'right'} {uneven_ms} ms earlier")
