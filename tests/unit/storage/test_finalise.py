"""Two mono files of a segment become one stereo recording: who is where, when, how long, and what is remarked."""

from __future__ import annotations

import json
import os
import pickle
import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from segment_builder import MEDIA, NOON, TENANT, Segment, after, killed, loudness, segment_in, tone, wav

from pbx_plugin.domain.entries import RecordingStored, Side
from pbx_plugin.services.ports import OpenMedia
from pbx_plugin.storage.errors import (
    DamagedError,
    FinaliseError,
    NothingRecordedError,
    StorageError,
    TooShortError,
    UnreadableSoundError,
)
from pbx_plugin.storage.finalise import discard_spool, finalise
from pbx_plugin.storage.job import finalise_job

FINAL = f"{TENANT}/2026/11/22/{MEDIA}.wav"
PEAKS = f"{TENANT}/2026/11/22/{MEDIA}.peaks.json"


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    return segment_in(tmp_path)


@pytest.mark.parametrize("in_side", Side)
def test_each_voice_is_on_its_side_and_on_no_other(segment: Segment, in_side: Side) -> None:
    segment.given(tone(400, 2), tone(700, 2)).but(in_side=in_side)
    _, left, right = segment.finalised()
    caller, agent = (left, right) if in_side is Side.LEFT else (right, left)
    assert loudness(caller, 400) > 7000
    assert loudness(caller, 700) < 10
    assert loudness(agent, 700) > 7000
    assert loudness(agent, 400) < 10


def test_the_stored_file_is_what_the_answer_says(segment: Segment) -> None:
    segment.given(tone(400, 2.5), np.zeros(20000, np.int16))
    result, left, right = segment.finalised()
    stored = (segment.job.archive / FINAL).read_bytes()
    assert (result.path, result.peaks_path) == (FINAL, PEAKS)
    assert (result.sha256, result.size) == (sha256(stored).hexdigest(), len(stored))
    assert (result.rate, result.length_ms, len(left), len(right)) == (8000, 2500, 20000, 20000)
    assert (result.left_silent, result.right_silent, result.remarks) == (True, False, ())
    entry = result.entry(NOON)
    assert isinstance(entry, RecordingStored)
    assert (entry.media_id, entry.at, entry.sha256, entry.path) == (MEDIA, NOON, result.sha256, FINAL)


@pytest.mark.parametrize("umask", [0, 0o777])
def test_nobody_outside_the_group_can_read_it_whatever_the_umask(segment: Segment, umask: int) -> None:
    segment.given(tone(400, 1), tone(700, 1))
    before = os.umask(umask)
    try:
        finalise(segment.job)
    finally:
        os.umask(before)
    modes = {str(p.relative_to(segment.job.archive)): p.stat().st_mode for p in segment.job.archive.rglob("*")}
    assert {stat.S_IMODE(mode) for mode in modes.values() if stat.S_ISREG(mode)} == {0o640}
    assert {stat.S_IMODE(mode) for mode in modes.values() if stat.S_ISDIR(mode)} == {0o750}
    assert len(modes) == 6


@pytest.mark.parametrize(("in_ms", "out_ms"), [(0, 20), (20, 0), (0, 140), (1999, 0)])
def test_the_side_that_began_later_is_shifted_so_that_both_hear_a_clap_together(
    segment: Segment, in_ms: int, out_ms: int
) -> None:
    clap_at = 2500
    sounds = []
    for began in (in_ms, out_ms):
        sound = np.zeros(8 * (4000 - began), np.int16)
        sound[8 * (clap_at - began)] = 20000
        sounds.append(sound)
    segment.given(sounds[0], sounds[1]).but(in_at=after(in_ms), out_at=after(out_ms))
    result, left, right = segment.finalised()
    assert int(left.argmax()) == int(right.argmax()) == 8 * (clap_at - min(in_ms, out_ms))
    assert result.remarks == ()
    assert result.length_ms == 4000 - min(in_ms, out_ms)


@pytest.mark.parametrize(
    ("in_at", "out_at", "remark"),
    [(NOON, after(2500), "starts apart: 2500 ms"), (None, NOON, "start unknown"), (None, None, "start unknown")],
)
def test_starts_that_cannot_be_believed_shift_nothing_and_are_remarked(
    segment: Segment, in_at: object, out_at: object, remark: str
) -> None:
    segment.given(tone(400, 1), tone(700, 1)).but(in_at=in_at, out_at=out_at)
    result, left, right = segment.finalised()
    assert len(left) == len(right) == 8000
    assert len(result.remarks) == 1
    assert result.remarks[0].startswith(remark)


def test_nothing_spoken_after_the_close_is_kept(segment: Segment) -> None:
    before, beyond = tone(400, 1), tone(1300, 2)
    sound = np.concatenate([before, beyond])
    segment.given(sound, sound).but(in_at=after(0), out_at=after(100), closed_at=after(1000))
    result, left, right = segment.finalised()
    assert np.array_equal(right, before), "in, on the right, holds exactly the second before the close"
    assert np.array_equal(left[800:], before[:7200]), "out began 100 ms later, so 900 ms of it lie before the close"
    assert not left[:800].any()
    assert result.length_ms == 1000
    assert result.remarks == ("cut at close: left, 2100 ms", "cut at close: right, 2000 ms")


def test_the_usual_lag_of_a_stop_is_cut_without_a_remark(segment: Segment) -> None:
    segment.given(tone(400, 1.04), tone(700, 1.02)).but(closed_at=after(1000))
    result, left, _ = segment.finalised()
    assert (len(left), result.remarks) == (8000, ())


def test_a_close_with_unknown_start_cuts_by_the_file_itself(segment: Segment) -> None:
    # Meant at noon, but Asterisk began half a second later: that is only to be seen from the end of the file.
    segment.given(tone(400, 3), tone(700, 3)).but(in_at=None, out_at=None, closed_at=after(1500))
    for path in segment.job.spool_files:
        os.utime(path, (after(3500).timestamp(), after(3500).timestamp()))
    result, left, right = segment.finalised()
    assert (len(left), len(right), result.length_ms) == (8000, 8000, 1000)
    assert "start guessed: left, from the file's last writing" in result.remarks


@pytest.mark.parametrize(("extra_ms", "remarks"), [(200, ()), (201, ("ends uneven: left 201 ms earlier",))])
def test_the_shorter_side_is_filled_with_silence(segment: Segment, extra_ms: int, remarks: tuple[str, ...]) -> None:
    segment.given(tone(400, 1 + extra_ms / 1000), tone(700, 1))
    result, left, right = segment.finalised()
    assert len(left) == len(right) == 8000 + 8 * extra_ms
    assert not left[8000:].any()
    assert right[8000:].any()
    assert result.remarks == remarks


@pytest.mark.parametrize("nothing", [None, b"", wav(tone(1, 0)), wav(tone(1, 0))[:20]])
def test_one_missing_side_becomes_silence_and_a_remark(segment: Segment, nothing: bytes | None) -> None:
    segment.given(tone(400, 1), nothing)
    result, left, right = segment.finalised()
    assert result.remarks == ("side missing: left",)
    assert (result.left_silent, result.right_silent) == (True, False)
    assert not left.any()
    assert np.array_equal(right, tone(400, 1))


@pytest.mark.parametrize("nothing", [None, b"", wav(tone(1, 0))])
def test_nothing_recorded_on_either_side_is_said_and_leaves_nothing(segment: Segment, nothing: bytes | None) -> None:
    segment.given(nothing, nothing)
    with pytest.raises(NothingRecordedError) as caught:
        finalise(segment.job)
    assert caught.value.error_id == "nothing recorded"
    assert segment.files("archive") == []


def test_sound_only_after_the_close_is_nothing_recorded(segment: Segment) -> None:
    segment.given(tone(400, 1), tone(400, 1)).but(closed_at=after(-1))
    with pytest.raises(NothingRecordedError):
        finalise(segment.job)
    assert segment.files("archive") == []


def test_a_segment_shorter_than_the_site_keeps_is_said_and_leaves_nothing(segment: Segment) -> None:
    segment.given(tone(400, 0.199), tone(400, 0.1))
    with pytest.raises(TooShortError) as caught:
        finalise(segment.job)
    assert caught.value.error_id == "too short"
    assert segment.files("archive") == []
    assert segment.given(tone(400, 0.2), None).finalised()[0].length_ms == 200


def test_a_recording_that_a_crash_left_without_sizes_is_kept_whole(segment: Segment) -> None:
    sounds = tone(400, 3), tone(700, 2.9)
    segment.given(killed(wav(sounds[0])) + b"\x01", killed(wav(sounds[1])))
    result, left, right = segment.finalised()
    assert np.array_equal(right, sounds[0])
    assert np.array_equal(left[:23200], sounds[1])
    assert result.remarks == (
        "header wrong: left said 0 frames and holds 23200",
        "header wrong: right said 0 frames and holds 24000",
    )


def test_one_unreadable_side_does_not_cost_the_other(segment: Segment) -> None:
    segment.given(b"OggS" + bytes(500), tone(700, 1))
    result, left, _ = segment.finalised()
    assert np.array_equal(left, tone(700, 1))
    assert result.remarks == ("side missing: right", f"side unreadable: {MEDIA}-in.wav is not a WAV file")


def test_two_unreadable_sides_are_not_called_nothing(segment: Segment) -> None:
    segment.given(b"OggS" + bytes(500), None)
    with pytest.raises(UnreadableSoundError, match="not a WAV"):
        finalise(segment.job)
    segment.given(tone(1, 0).tobytes().join([wav(tone(400, 1))[:22], b"\x02\0" + wav(tone(400, 1))[24:]]), None)
    with pytest.raises(UnreadableSoundError, match="not mono"):
        finalise(segment.job)


@pytest.mark.parametrize("in_is_wide", [True, False])
def test_sides_of_different_rate_meet_at_the_higher_one(segment: Segment, in_is_wide: bool) -> None:
    narrow, wide = wav(tone(3000, 12.3)), wav(tone(5000, 12.3, 16000), 16000)
    segment.given(wide, narrow) if in_is_wide else segment.given(narrow, wide)
    result, left, right = segment.finalised()
    raised, kept = (left, right) if in_is_wide else (right, left)
    assert (result.rate, result.length_ms) == (16000, 12300)
    assert result.remarks == (f"rate raised: {'left' if in_is_wide else 'right'} from 8000 Hz",)
    assert np.array_equal(kept, tone(5000, 12.3, 16000))
    assert np.array_equal(raised[::2], tone(3000, 12.3)), "the original samples stay"
    middle = raised[1600:-1600]
    assert abs(loudness(middle, 3000, 16000) - 8000) < 40
    assert loudness(middle, 5000, 16000) < 40, "no mirror image above 4 kHz"
    ideal = tone(3000, 12.3, 16000)[1600:-1600]
    assert int(np.abs(middle.astype(int) - ideal).max()) < 80, "no delay, no seam between pieces"


def test_raising_the_rate_hears_nothing_beyond_the_close(segment: Segment) -> None:
    quiet_then_loud = np.concatenate([np.zeros(8000, np.int16), np.full(8000, 30000, np.int16)])
    segment.given(quiet_then_loud, wav(tone(400, 2, 16000), 16000)).but(closed_at=after(1000))
    _, left, right = segment.finalised()
    assert len(left) == 16000
    assert not right.any(), "not even through the filter's reach"


@pytest.mark.parametrize(("level", "silent"), [(0, True), (8, True), (24, True), (32, True), (33, False), (300, False)])
def test_line_noise_is_silence_and_a_whisper_is_not(segment: Segment, level: int, silent: bool) -> None:
    up, down = np.zeros(16000, np.int16), np.zeros(16000, np.int16)
    up[12345], down[2345] = level, -level
    result, _, _ = segment.given(up, down).finalised()
    assert (result.right_silent, result.left_silent) == (silent, silent)


def test_the_picture_shows_who_spoke_when(segment: Segment) -> None:
    speech = np.zeros(8000 * 25 + 100, np.int16)
    speech[8000 * 11 : 8000 * 12] = 12800
    speech[8000 * 24] = -32768
    segment.given(np.zeros_like(speech), speech)
    result, _, _ = segment.finalised()
    picture = json.loads((segment.job.archive / result.peaks_path).read_bytes())
    shape = {key: picture[key] for key in ("version", "channels", "sample_rate", "samples_per_pixel", "bits", "length")}
    assert shape == {
        "version": 2,
        "channels": 2,
        "sample_rate": 8000,
        "samples_per_pixel": 400,
        "bits": 8,
        "length": 501,
    }
    buckets = np.array(picture["data"]).reshape(501, 2, 2)
    assert not buckets[:, 1].any(), "the right side said nothing"
    assert buckets[220:240, 0].tolist() == [[50, 50]] * 20
    assert buckets[480, 0].tolist() == [-128, 0]
    assert np.flatnonzero(buckets[:, 0].any(axis=1)).tolist() == [*range(220, 240), 480]


def test_repeating_gives_the_same_bytes_and_the_same_answer(segment: Segment) -> None:
    segment.given(tone(400, 25), killed(wav(tone(700, 24)))).but(out_at=after(35))
    first = finalise(segment.job)
    kept = {name: (segment.job.archive / name).read_bytes() for name in segment.files("archive")}
    assert sorted(kept) == [PEAKS, FINAL]
    assert finalise(segment.job) == first
    for name in kept:
        (segment.job.archive / name).unlink()
    assert finalise(segment.job) == first
    assert {name: (segment.job.archive / name).read_bytes() for name in segment.files("archive")} == kept


def test_once_stored_the_spool_may_go_and_the_answer_stays(segment: Segment) -> None:
    segment.given(tone(400, 2), None)
    first = finalise(segment.job)
    assert discard_spool(segment.job) == (f"{segment.job.spool_in}.wav",)
    assert segment.files("spool") == []
    assert discard_spool(segment.job) == ()
    assert finalise(segment.job) == first
    assert first.remarks == ("side missing: left",)


def test_finalising_leaves_the_spool_untouched(segment: Segment) -> None:
    segment.given(killed(wav(tone(400, 1))), tone(700, 1))
    before = [path.read_bytes() for path in segment.job.spool_files]
    finalise(segment.job)
    assert [path.read_bytes() for path in segment.job.spool_files] == before


def test_a_lost_picture_is_drawn_again_from_the_sound(segment: Segment) -> None:
    segment.given(tone(400, 12), tone(700, 12))
    first = finalise(segment.job)
    drawn = json.loads((segment.job.archive / PEAKS).read_bytes())["data"]
    discard_spool(segment.job)
    (segment.job.archive / PEAKS).write_text('{"half')
    again = finalise(segment.job)
    assert (again.sha256, again.length_ms) == (first.sha256, first.length_ms)
    assert again.remarks == ("peaks rebuilt: earlier remarks are lost",)
    assert json.loads((segment.job.archive / PEAKS).read_bytes())["data"] == drawn
    assert finalise(segment.job) == again


@pytest.mark.parametrize("harm", ["bit", "cut", "empty", "no picture and cut"])
def test_a_damaged_recording_is_made_again_or_reported_never_vouched_for(segment: Segment, harm: str) -> None:
    segment.given(tone(400, 2), tone(700, 2))
    first = finalise(segment.job)
    final = segment.job.archive / FINAL
    whole = final.read_bytes()

    def damage() -> None:
        if harm == "bit":
            final.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        else:
            final.write_bytes(b"" if harm == "empty" else whole[:-400])
        if harm.startswith("no picture"):
            (segment.job.archive / PEAKS).unlink()

    damage()
    assert finalise(segment.job) == first
    assert final.read_bytes() == whole
    discard_spool(segment.job)
    damage()
    with pytest.raises(DamagedError):
        finalise(segment.job)
    assert final.exists(), "evidence of damage is not removed"


def test_a_missing_archive_disk_is_not_replaced_by_a_folder(segment: Segment) -> None:
    segment.given(tone(400, 1), tone(700, 1)).job.archive.rmdir()
    with pytest.raises(StorageError):
        finalise(segment.job)
    assert not segment.job.archive.exists()


def test_a_picture_is_not_left_without_its_sound(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    segment.given(tone(400, 1), tone(700, 1))
    real = os.replace

    def refuse_sound(source: Path, target: Path) -> None:
        if str(target).endswith(".wav"):
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse_sound)
    with pytest.raises(StorageError, match="Input/output"):
        finalise(segment.job)
    assert segment.files("archive") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant_id": "../x"},
        {"media_id": "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a12"},
        {"spool_in": "../../etc/passwd"},
        {"spool_out": f"pbxrec/2026/11/22/{MEDIA}-out.wav/.."},
    ],
)
def test_a_job_cannot_reach_files_of_another_segment_or_outside(segment: Segment, changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a"):
        segment.but(**changes)


def test_a_job_is_made_of_an_open_segment_in_the_books(segment: Segment) -> None:
    job = segment.but(closed_at=after(5)).job
    media = OpenMedia(
        media_id=MEDIA,
        call_id="c",
        tenant_id=TENANT,
        state="closed",
        spool_in=job.spool_in,
        spool_out=job.spool_out,
        in_side="right",
        intended_at=NOON,
        in_at=NOON,
        out_at=NOON,
        closed_at=NOON + timedelta(milliseconds=5),
        anchor_channel="x",
    )
    assert finalise_job(media, job.spool, job.archive, 200) == job


def test_it_runs_in_a_worker_process_and_its_failures_come_back_whole(segment: Segment) -> None:
    segment.given(tone(400, 1), tone(700, 1))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(finalise, segment.job).result(30)
        assert result == finalise(segment.job)
        (segment.job.archive / FINAL).unlink()
        segment.given(None, None)
        error = pool.submit(finalise, segment.job).exception(30)
    assert type(error) is NothingRecordedError
    assert MEDIA in str(error)


@pytest.mark.parametrize("kind", [*FinaliseError.__subclasses__(), StorageError, *StorageError.__subclasses__()])
def test_every_failure_travels_between_processes_with_its_id(kind: type[FinaliseError | StorageError]) -> None:
    back = pickle.loads(pickle.dumps(kind("why")))
    assert (type(back), str(back), back.error_id) == (kind, "why", kind.error_id)
