"""Decides where each side lies on the recording's time line, what of it may be kept, and what to remark."""

from __future__ import annotations

from datetime import datetime, timedelta

from pbx_plugin.domain.entries import Side as Channel
from pbx_plugin.domain.losses import STARVED
from pbx_plugin.domain.pacing import TOLD_MS, Hole, Pace, behind, holes, holes_until
from pbx_plugin.storage.errors import NothingRecordedError, TooShortError
from pbx_plugin.storage.job import FinaliseJob
from pbx_plugin.storage.join import Side, frames_between
from pbx_plugin.storage.patched import patched
from pbx_plugin.storage.wav import Pcm

_MILLISECOND = timedelta(milliseconds=1)

BELIEVABLE_OFFSET = timedelta(seconds=2)
"""Both sides are started in one breath (5 ms apart as measured); a larger difference is a wrong clock, not sound."""

UNEVEN_MS = 200
"""Sides may end this far apart, or be cut by this much, without a remark: frames of 20 ms, a slow stop of one of two.

It says only what is worth telling; it loosens no cut.
"""


def lay_out(job: FinaliseJob, sound_in: Pcm | None, sound_out: Pcm | None) -> tuple[Side, Side, int, list[str]]:
    """Return left side, right side, common rate and remarks.

    1. What lies after ``closed_at`` is cut from each side, by that side's own start. Of a file that fell behind while
       it was written only that is kept which was written by then: nobody can know better that it was not said later.
    2. Where Asterisk threw sound away, silence takes its place.
    3. The later side gets silence at its head, as long as the difference between both starts.
    4. The common rate is the higher one.

    Raises NothingRecordedError and TooShortError.
    """
    names = ("left", "right") if job.in_side == Channel.LEFT else ("right", "left")
    sides = tuple(zip(names, (sound_in, sound_out), (job.in_at, job.out_at), job.paces, strict=True))
    rate = max((pcm.rate for pcm in (sound_in, sound_out) if pcm), default=0)
    remarks: list[str] = []
    laid: dict[str, Side] = {}
    heads = _heads(job, rate, remarks)
    for (name, pcm, began, pace), head in zip(sides, heads, strict=True):
        if pcm is None:
            remarks.append(f"side missing: {name}")
            laid[name] = Side(None, 0, 0, rate)
            continue
        if pcm.claimed != pcm.frames:
            remarks.append(f"header wrong: {name} said {pcm.claimed} frames and holds {pcm.frames}")
        if pcm.rate != rate:
            remarks.append(f"rate raised: {name} from {pcm.rate} Hz")
        laid[name] = _laid(job, name, pcm, began, pace, remarks, head, rate)
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


def _laid(
    job: FinaliseJob,
    name: str,
    pcm: Pcm,
    began: datetime | None,
    pace: Pace,
    remarks: list[str],
    head: int,
    rate: int,
) -> Side:
    if job.closed_at is None:
        whole = patched(pcm, holes(pace))
        return Side(whole, whole.frames, head, rate)
    if began is None:
        # The file's last writing less its length is never before its first sample: that errs towards cutting.
        began = pcm.modified_at - timedelta(seconds=pcm.frames / pcm.rate)
        pace = ()
        remarks.append(f"start guessed: {name}, from the file's last writing")
    elapsed_ms = max(0, (job.closed_at - began) // _MILLISECOND)
    late_ms = behind(pace, elapsed_ms)
    allowed = frames_between(began, job.closed_at - late_ms * _MILLISECOND, pcm.rate)
    cut_ms = max(0, pcm.frames - allowed) * 1000 // pcm.rate
    if cut_ms > UNEVEN_MS:
        remarks.append(f"cut at close: {name}, {cut_ms} ms")
    found, rest_ms = holes_until(pace, elapsed_ms)
    sound = patched(pcm, found)
    missing_ms = (allowed - pcm.frames) * 1000 // pcm.rate
    if missing_ms >= TOLD_MS:
        remarks.append(f"short: {name}, {missing_ms} ms less than the time it covers")
    if pace:
        remarks += _starved(name, found, rest_ms, sum(hole.ms for hole in holes(pace) if not hole.known))
    kept = min(pcm.frames, allowed)
    return Side(sound, kept + sound.frames - pcm.frames if kept else 0, head, rate)


def _starved(name: str, found: tuple[Hole, ...], rest_ms: int, unknown_ms: int) -> list[str]:
    """Say how much of a side Asterisk threw away, and in how many places; its end is one, too."""
    lost = [hole.ms for hole in found] + ([rest_ms] if rest_ms >= TOLD_MS else [])
    if not lost:
        return []
    places = f"{len(lost)} place{'s' if len(lost) > 1 else ''}"
    told = f"{STARVED}: {sum(lost) / 1000:.1f} s of the {name} side are missing in {places}"
    return [told + (f", nobody saw where {unknown_ms / 1000:.1f} s of them" if unknown_ms else "")]


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
