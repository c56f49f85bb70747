"""Deeds on Asterisk: a stop is never late, never lost, and never overtaken by the start that it is meant for."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from pbx_double import AT, MEDIA, START, STOP, Works, found_sound, until

from pbx_plugin.ari_app import performer
from pbx_plugin.asterisk.ari import AriUnreachableError
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.services.ports import JournalError

INTENT = c.Write((e.LegMoved("call", "T1", AT, "joined"),))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performer, "FIRST_PAUSE", 0.01, raising=False)


async def test_a_refusal_while_the_snoops_are_set_up_records_nothing_at_all() -> None:
    works = Works()
    works.asterisk.slow["variable"] = asyncio.Event()
    works.do(INTENT, START)
    await until(lambda: "variable" in works.asterisk.asked)
    works.do(STOP)
    works.asterisk.slow["variable"].set()
    await works.done()
    assert works.asterisk.recorded == []
    assert works.asterisk.snoops == set()
    assert "CaptureFailed" in works.kinds()
    assert "CaptureStarted" not in works.kinds()


async def test_a_stop_does_not_wait_for_another_capture_that_is_slow_to_start() -> None:
    works = Works()
    works.do(INTENT, START)
    await until(lambda: "CaptureStarted" in works.kinds())
    works.asterisk.slow["snoop"] = asyncio.Event()
    other = "1b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11"
    works.do(
        INTENT, c.StartCapture(other, "T1", START.spool_in.replace(MEDIA, other), START.spool_out.replace(MEDIA, other))
    )
    works.do(STOP)
    await until(lambda: "CaptureEnded" in works.kinds())
    assert works.asterisk.live == set()
    works.asterisk.slow["snoop"].set()
    await works.done()


async def test_a_stop_does_not_wait_for_a_slow_disk() -> None:
    works = Works()
    works.do(INTENT, START)
    await until(lambda: "CaptureStarted" in works.kinds())
    held = asyncio.Event()

    async def slow(*_: object) -> int:
        await held.wait()
        return 1

    works.performer._write = slow  # type: ignore[method-assign,assignment]
    works.do(INTENT, STOP)
    await until(lambda: "CaptureEnded" in works.kinds())
    assert works.asterisk.live == set()
    held.set()
    await works.done()


async def test_a_stop_that_asterisk_did_not_answer_is_asked_for_until_it_is_done() -> None:
    works = Works()
    works.do(INTENT, START)
    await until(lambda: "CaptureStarted" in works.kinds())
    works.asterisk.away.update(stop=2, hangup=4)
    works.do(STOP)
    await works.done()
    assert works.asterisk.live == set()
    assert works.asterisk.snoops == set()
    assert works.kinds() == ["CaptureStarted", "CaptureEnded"]


async def test_a_start_whose_answer_was_lost_leaves_neither_recording_nor_snoop() -> None:
    works = Works()
    works.asterisk.away.update(hangup=3)
    answer = works.asterisk.record_channel

    async def lost(channel: str, name: str) -> None:
        await answer(channel, name)
        raise AriUnreachableError("the answer was lost")

    works.asterisk.record_channel = lost  # type: ignore[method-assign]
    works.do(INTENT, START)
    await works.done()
    assert works.asterisk.live == set()
    assert works.asterisk.snoops == set()
    assert works.kinds() == ["CaptureFailed"]
    assert works.finaliser.discarded == [START.spool_in, START.spool_out]


async def test_nothing_is_recorded_that_the_disk_would_not_take_note_of() -> None:
    works = Works()
    works.disk.refusing = 1
    works.do(INTENT, START)
    await works.done()
    assert works.asterisk.recorded == []
    assert works.asterisk.snoops == set()
    assert works.kinds() == ["CaptureFailed"]


async def test_what_became_of_a_segment_is_told_again_until_the_disk_takes_note_of_it() -> None:
    works = Works()
    works.disk.refusing = 2
    works.do(c.FinaliseMedia(MEDIA, "t", START.spool_in, START.spool_out, "right", AT, AT, AT, AT))
    await works.done()
    assert [type(entry).__name__ for entry in works.disk.said] == ["RecordingFailed"]
    assert works.kinds() == ["MediaSettled"]
    assert works.finaliser.finalised == [MEDIA]


async def test_a_performer_that_is_done_keeps_nothing() -> None:
    works = Works()
    works.do(INTENT, START)
    await until(lambda: "CaptureStarted" in works.kinds())
    works.do(STOP)
    works.do(c.PlayTone("T1", "denied"))
    works.do(c.PlayAnnouncement("other", (c.Hearer("T1", "en"),)))
    await works.done()
    left = {name: value for name, value in vars(works.performer).items() if isinstance(value, dict | set)}
    assert not any(left.values()), left
    assert works.asterisk.signals._came == {}


async def test_each_hears_the_announcement_in_their_own_language_and_who_cannot_is_named() -> None:
    works = Works()
    works.performer._find_sound = lambda language, name: found_sound(language, name) if language != "da" else None
    works.do(c.PlayAnnouncement(MEDIA, (c.Hearer("T1", "sv"), c.Hearer("T2", "da"), c.Hearer("A1", "en"))))
    await works.done()
    (done,) = works.heard
    assert isinstance(done, h.AnnouncementDone)
    assert not done.ok
    assert list(done.unheard) == ["T2"]
    assert "prompts build" in done.reason
    assert sorted(works.asterisk.played) == ["sound:en", "sound:sv"]
    assert done.spoken == {
        "T1": h.Spoken("sv", "7", found_sound("sv", "").sha256),
        "A1": h.Spoken("en", "7", found_sound("en", "").sha256),
    }


@pytest.mark.parametrize(("builds", "played"), [(1, 2), (9, 2)])
async def test_an_announcement_that_is_built_anew_while_it_is_heard_is_played_again(builds: int, played: int) -> None:
    works, looks = Works(), count()
    works.performer._find_sound = lambda language, name: replace(
        found_sound(language, name), sha256=f"{min(next(looks), builds):064}"
    )
    works.do(c.PlayAnnouncement(MEDIA, (c.Hearer("T1", "sv"),)))
    await works.done()
    (done,) = works.heard
    assert isinstance(done, h.AnnouncementDone)
    assert len(works.asterisk.played) == played
    assert done.ok is (builds == 1)
    assert done.spoken == ({"T1": h.Spoken("sv", "7", f"{1:064}")} if builds == 1 else {})
    assert done.ok or "replaced" in done.reason


async def test_a_phone_that_cannot_be_told_keeps_no_other_from_hearing_it() -> None:
    works = Works()
    works.asterisk.away["play"] = 1
    works.do(c.PlayAnnouncement(MEDIA, (c.Hearer("T1", "sv"), c.Hearer("T2", "sv"))))
    await works.done()
    (done,) = works.heard
    assert isinstance(done, h.AnnouncementDone)
    assert done.unheard == {"T1": "play"}
    assert works.asterisk.snoops == set()


async def test_what_is_erased_is_booked_however_often_the_disk_must_be_asked() -> None:
    works = Works()
    works.disk.refusing = 2
    works.do(c.EraseMedia(MEDIA, "tenant", AT, START.spool_in, START.spool_out))
    await works.done()
    assert works.finaliser.erased == [MEDIA]
    assert [entry for entry in works.disk.said if isinstance(entry, e.RecordingErased)] != []
    assert works.kinds() == ["MediaErased"]


async def test_what_is_not_recorded_is_said_loudly(capsys: pytest.CaptureFixture[str]) -> None:
    works = Works()
    works.do(c.Complain("call", ("u101",), "no room"))
    await works.done()
    assert "not recorded" in capsys.readouterr().out


def step(what: str) -> c.Write:
    return c.Write((e.LegMoved("call", "T1", AT, what),))


async def test_what_happens_while_the_disk_is_busy_is_written_in_one_go_with_the_last_state_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = Works()
    appends: list[tuple[e.Entry, ...]] = []
    durable, busy = works.disk.append, threading.Event()

    def append(*entries: e.Entry) -> int:
        appends.append(entries)
        if len(appends) == 1:
            assert busy.wait(5)
        return durable(*entries)

    monkeypatch.setattr(works.disk, "append", append)
    works.do(step("ringing"), c.Remember("call"))
    await until(lambda: len(appends) == 1)
    works.do(step("dialled"), c.Remember("call"))
    works.do(step("joined"), START, c.Remember("call"))
    await asyncio.sleep(0.02)
    assert works.asterisk.recorded == [], "nothing is recorded before its intent is on disk"
    busy.set()
    await works.done()
    assert [[type(entry).__name__ for entry in entries] for entries in appends] == [
        ["LegMoved", "CallRemembered"],
        ["LegMoved", "LegMoved", "CallRemembered"],
    ]
    assert works.kinds() == ["CaptureStarted"]


async def test_a_step_that_cannot_be_written_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    works = Works()
    durable = works.disk.append

    def append(*entries: e.Entry) -> int:
        if any(isinstance(entry, e.LegMoved) and entry.what == "nonsense" for entry in entries):
            raise JournalError("it cannot be written as JSON")
        return durable(*entries)

    monkeypatch.setattr(works.disk, "append", append)
    for command in (step("ringing"), step("nonsense"), INTENT):
        works.do(command)
    works.do(step("answered"), START)
    await works.done()
    assert [entry.what for entry in works.disk.said if isinstance(entry, e.LegMoved)] == [
        "ringing",
        "joined",
        "answered",
    ]
    assert works.kinds() == ["CaptureStarted"]


async def test_snoops_are_set_up_while_the_disk_is_busy_and_go_again_when_it_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = Works()
    busy = threading.Event()

    def append(*_: e.Entry) -> int:
        assert busy.wait(5)
        raise JournalError("no space left on device")

    monkeypatch.setattr(works.disk, "append", append)
    works.do(INTENT, START)
    await until(lambda: len(works.asterisk.snoops) == 2)
    busy.set()
    await works.done()
    assert works.asterisk.recorded == []
    assert works.asterisk.snoops == set()
    assert works.kinds() == ["CaptureFailed"]


async def test_the_latest_state_is_the_latest_also_when_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The books keep the state with the latest time: one that seemed an hour older would be forgotten by a restart."""
    works, hour = Works(), timedelta(hours=1)
    monkeypatch.setattr(performer, "now", lambda: AT)
    works.do(c.Remember("call"))
    works.call = replace(works.call, clock_off=-hour)
    monkeypatch.setattr(performer, "now", lambda: AT + timedelta(seconds=5) - hour)
    works.do(INTENT, c.Remember("call"))
    await works.done()
    assert [entry.at for entry in works.disk.said if isinstance(entry, e.CallRemembered)][-1] > AT


async def test_a_start_that_goes_wrong_in_a_way_nobody_thought_of_is_a_failure_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = Works()

    async def wrong(*_: object) -> None:
        raise ValueError("no such JSON")

    monkeypatch.setattr(works.asterisk, "record_channel", wrong)
    works.do(INTENT, START)
    await works.done()
    assert works.kinds() == ["CaptureFailed"]
    assert works.asterisk.snoops == set()


async def test_snoops_that_go_wrong_in_a_way_nobody_thought_of_are_a_failure_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = Works()

    async def wrong(*_: object) -> None:
        raise ValueError("no such JSON")

    monkeypatch.setattr(works.asterisk, "set_variable", wrong)
    works.do(INTENT, START)
    await works.done()
    assert works.asterisk.recorded == []
    assert works.kinds() == ["CaptureFailed"]
    assert works.asterisk.snoops == set()


async def test_a_stop_that_went_wrong_in_a_way_nobody_thought_of_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = Works()
    works.do(INTENT, START)
    await until(lambda: "CaptureStarted" in works.kinds())
    hangup, wrong = works.asterisk.hangup, [ValueError("no such JSON")]

    async def once(channel: str) -> None:
        if wrong:
            raise wrong.pop()
        await hangup(channel)

    monkeypatch.setattr(works.asterisk, "hangup", once)
    works.do(STOP)
    await works.done()
    assert works.asterisk.live == set()
    assert works.asterisk.snoops == set()
    assert works.kinds()[-1] == "CaptureEnded"
