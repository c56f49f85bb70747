"""How the recorder hears: marks that Asterisk does not show are asked for, and nothing it cannot read makes it deaf."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from call_story import rules
from pbx_double import AT, STAMP, Asterisk, Disk, Finaliser, found_sound, until

from pbx_plugin.ari_app.clock_watch import ClockWatch
from pbx_plugin.ari_app.finalising import Finalising
from pbx_plugin.ari_app.recorder import RecorderApp
from pbx_plugin.ari_app.resync import ON_HOLD
from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriClient, AriError, AriUnreachableError
from pbx_plugin.clock import now
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.callstate import CallState, Phase
from pbx_plugin.domain.losses import UNWATCHED
from pbx_plugin.services.ports import Journal, Recall, RulebookSource
from pbx_plugin.settings import Settings


class Pbx(Asterisk):
    """An Asterisk whose ari.conf names no channel variables."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[str, str] = {variables.LINKEDID: "1.1", variables.DDI: "+4570100101"}
        self.trouble: Exception | None = None
        self.talking: dict[str, str] = {}
        self.started_at = STAMP

    async def list_channels(self) -> list[dict[str, Any]]:
        snoops = [{"id": snoop, "name": f"Snoop/{snoop}"} for snoop in self.snoops]
        return [{"id": found, "name": name, "state": "Up"} for found, name in self.talking.items()] + snoops

    async def list_bridges(self) -> list[dict[str, Any]]:
        return [{"id": "B1", "technology": "simple_bridge", "channels": list(self.talking)}]

    async def info(self) -> dict[str, Any]:
        return {"status": {"startup_time": self.started_at}}

    async def live_recording(self, name: str) -> str | None:
        return name if name in self.live else None

    async def get_variable(self, channel: str, variable: str) -> str:
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        return self.variables.get(variable, "")


class Books:
    """A database that holds one rulebook; ``broken`` is raised instead."""

    def __init__(self) -> None:
        self.broken: Exception | None = None
        self.asked = 0

    def revision(self) -> int:
        self.asked += 1
        if self.broken:
            raise self.broken
        return self.asked

    def load(self) -> Any:
        return rules()


class NothingOpen:
    """Books in which every segment is settled."""

    def media_states(self, media_ids: object) -> dict[str, str]:
        return {}

    def open_media(self) -> tuple[()]:
        return ()


class Recorder:
    """A recorder that is connected to nothing and hears what it is told."""

    def __init__(self) -> None:
        self.pbx, self.books, self.disk = Pbx(), Books(), Disk()
        settings = Settings(recorder={"rulebook_refresh": 0.001}, paths={"state": "/nowhere"})
        self.app = RecorderApp(
            settings,
            cast(AriClient, self.pbx),
            cast(Journal, self.disk),
            cast(RulebookSource, self.books),
            cast(Recall, NothingOpen()),
            cast(Finalising, Finaliser()),
            found_sound,
        )
        self.app._signals = self.pbx.signals
        self.app._capturing._signals = self.pbx.signals

    async def started(self) -> Recorder:
        book = await self.app._rules.first()
        self.app._begin("pbx", book, [])
        return self

    async def hears(self, kind: str, name: str = "PJSIP/trunk-00000001", **what: Any) -> None:
        channel = {"id": "1.1", "name": name, "state": "Ring", "caller": {"number": "+4531200118"}}
        await self.app._on_event({"type": kind, "timestamp": STAMP, "channel": channel, **what})

    @property
    def call(self) -> CallState:
        assert self.app._switchboard is not None
        (only,) = self.app._switchboard.calls.values()
        return only

    def captures(self, phase: Phase | None = None) -> int:
        return sum(phase in (None, capture.phase) for _, _, capture in self.app._captures())

    def consent(self) -> Consent:
        return self.call.marks.consent

    async def ends(self) -> None:
        await self.app._performer.settled(5)
        self.app._performer.close()


async def test_marks_that_asterisk_does_not_show_are_asked_for() -> None:
    recorder = await Recorder().started()
    recorder.pbx.variables[variables.CONSENT] = "refused"
    await recorder.hears("ChannelCreated")
    assert recorder.call.marks.consent is Consent.REFUSED
    await recorder.ends()


async def test_marks_that_cannot_be_had_count_as_not_asked_yet() -> None:
    recorder = await Recorder().started()
    await recorder.hears("ChannelCreated")
    assert recorder.consent() is Consent.NOT_REQUIRED
    recorder.pbx.trouble = AriUnreachableError("timeout")
    await recorder.hears("ChannelHold")
    assert recorder.consent() is Consent.REQUIRED
    await recorder.ends()


async def test_a_channel_that_is_gone_when_asked_is_no_reason_to_hang_up_on_asterisk() -> None:
    recorder = await Recorder().started()
    recorder.pbx.variables[variables.CONSENT] = "required"
    await recorder.hears("ChannelCreated")
    recorder.pbx.trouble = AriError("GET", "/channels/1.1/variable", 404, "Channel not found")
    await recorder.hears("ChannelHold")
    assert recorder.call.marks.consent is Consent.REQUIRED
    await recorder.hears("ChannelDestroyed")
    assert recorder.app._switchboard is not None
    assert recorder.app._switchboard.calls == {}
    await recorder.ends()


async def test_an_event_that_nobody_can_read_is_logged_and_the_next_one_heard() -> None:
    recorder = await Recorder().started()
    await recorder.app._on_event({"type": "ChannelHold"})
    await recorder.hears("ChannelCreated")
    assert recorder.call.legs
    await recorder.ends()


async def test_rules_that_cannot_be_read_once_are_read_again() -> None:
    recorder = await Recorder().started()
    recorder.books.broken = ValueError("a row that makes no sense")
    refreshing = asyncio.create_task(recorder.app._rules.run(recorder.app._rules_changed))
    await until(lambda: recorder.books.asked > 2)
    before = recorder.app._rules._revision
    recorder.books.broken = None
    await until(lambda: recorder.app._rules._revision > before)
    refreshing.cancel()
    await recorder.ends()


async def in_a_recorded_call(recorder: Recorder, phase: Phase = Phase.RECORDING) -> None:
    """Somebody from outside talks to a user who is always recorded, until Asterisk is heard no longer."""
    await recorder.hears("ChannelCreated")
    user = {"id": "1.2", "name": "PJSIP/101-00000002", "state": "Down", "caller": {"number": "101"}}
    await recorder.app._on_event({"type": "ChannelCreated", "timestamp": STAMP, "channel": user})
    bridge = {"id": "B1", "technology": "simple_bridge"}
    await recorder.app._on_event(
        {"type": "ChannelEnteredBridge", "timestamp": STAMP, "channel": user, "bridge": bridge}
    )
    await recorder.hears("ChannelEnteredBridge", bridge=bridge)
    await until(lambda: recorder.captures(phase) == 1)
    recorder.app._heard.last = AT + timedelta(seconds=5)


async def test_parties_that_changed_unheard_end_the_recording_when_asterisk_was_last_heard() -> None:
    recorder = await Recorder().started()
    await in_a_recorded_call(recorder)
    recorder.pbx.talking = {"1.1": "PJSIP/trunk-00000001", "1.3": "PJSIP/121-00000003"}
    await recorder.app._resync()
    await until(lambda: recorder.captures() == 0)
    closed = [entry for entry in recorder.disk.said if isinstance(entry, e.RecordingClosed)]
    assert min(entry.at for entry in closed) == AT + timedelta(seconds=5)
    assert recorder.pbx.snoops == set()
    await recorder.ends()


async def test_of_a_call_that_ended_unheard_and_unwatched_nothing_is_kept_after_the_moment_last_heard() -> None:
    recorder = await Recorder().started()
    await in_a_recorded_call(recorder)
    await recorder.app._resync()
    await recorder.ends()
    last_heard = AT + timedelta(seconds=5)
    closed = [entry for entry in recorder.disk.said if isinstance(entry, e.RecordingClosed)]
    assert min(entry.at for entry in closed) == last_heard
    (gap, *_) = [entry for entry in recorder.disk.said if isinstance(entry, e.Gap)]
    assert (gap.since, gap.reason) == (last_heard, UNWATCHED)
    assert gap.until is not None


@pytest.mark.parametrize(
    ("started", "ended"),
    [(9, 7), (-60, None), (10**10, None)],
    ids=["anew", "long ago", "by a clock that was set back"],
)
async def test_calls_that_were_gone_with_an_asterisk_that_died_ended_when_the_connection_broke(
    started: int, ended: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = await Recorder().started()
    await in_a_recorded_call(recorder)
    recorder.pbx.started_at = (AT + timedelta(seconds=started)).isoformat()
    recorder.app._heard.lost = AT + timedelta(seconds=7)

    async def all_proven(*_: Any) -> frozenset[str]:
        return frozenset({recorder.call.call_id})

    monkeypatch.setattr(recorder.app._catching_up, "tell", all_proven)
    before = now()
    await recorder.app._resync()
    await recorder.ends()
    (closed,) = [entry for entry in recorder.disk.said if isinstance(entry, e.RecordingClosed)]
    assert closed.at == AT + timedelta(seconds=ended) if ended else closed.at >= before


async def test_a_recorder_that_is_catching_up_does_not_count_as_having_heard() -> None:
    recorder = await Recorder().started()
    await in_a_recorded_call(recorder)
    recorder.app._caught_up = False
    recorder.app._on_heard({"type": "ChannelHold", "timestamp": STAMP})
    assert recorder.app._heard.last == AT + timedelta(seconds=5)
    await recorder.app._resync()
    assert recorder.app._heard.last > AT + timedelta(seconds=5)
    await recorder.ends()


async def test_a_recording_that_goes_on_unheard_is_not_touched() -> None:
    recorder = await Recorder().started()
    await in_a_recorded_call(recorder)
    recorder.pbx.talking = {"1.1": "PJSIP/trunk-00000001", "1.2": "PJSIP/101-00000002"}
    await recorder.app._resync()
    assert recorder.captures(Phase.RECORDING) == 1
    assert len(recorder.pbx.recorded) == 2
    await recorder.ends()


async def test_a_hold_that_began_unheard_ends_the_recording_and_an_asterisk_that_knows_none_changes_nothing() -> None:
    recorder = await Recorder().started()
    await in_a_recorded_call(recorder)
    recorder.pbx.talking = {"1.1": "PJSIP/trunk-00000001", "1.2": "PJSIP/101-00000002"}
    recorder.pbx.variables[ON_HOLD] = "1"
    await recorder.app._resync()
    await until(lambda: recorder.captures() == 0)
    del recorder.pbx.variables[ON_HOLD]
    await recorder.app._resync()
    assert [leg.held for leg in recorder.call.legs.values()] == [True, True]
    await recorder.ends()


async def test_a_recording_that_could_not_begin_is_tried_again_at_the_next_connection() -> None:
    recorder = await Recorder().started()
    recorder.pbx.away.update(record=2)
    await in_a_recorded_call(recorder, Phase.FAILED)
    recorder.pbx.snoops = {f"pbxrec-{next(iter(recorder.call.captures))}-in"}
    recorder.pbx.talking = {"1.1": "PJSIP/trunk-00000001", "1.2": "PJSIP/101-00000002"}
    await recorder.app._resync()
    await until(lambda: recorder.captures(Phase.RECORDING) == 1)
    await recorder.ends()


def test_what_the_recorder_tells_itself_after_the_clock_was_set_is_told_by_the_calls_own_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_back = [timedelta()]
    monkeypatch.setattr("pbx_plugin.ari_app.recorder.now", lambda: AT + set_back[0])

    async def story() -> timedelta:
        recorder = await Recorder().started()
        await recorder.hears("ChannelCreated")
        recorder.app._clock = ClockWatch(lambda: AT + set_back[0], lambda: 0.0)
        set_back[0] = timedelta(hours=-1)
        recorder.app._happen(h.CaptureEnded(AT + set_back[0], "of-no-call"))
        return recorder.call.clock_off

    assert asyncio.run(story()) == timedelta(hours=-1)


def test_a_clock_that_is_set_in_the_middle_of_hearing_leaves_the_event_at_its_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_back = [timedelta()]
    monkeypatch.setattr("pbx_plugin.ari_app.recorder.now", lambda: AT + set_back[0])

    class SetBackBetweenLooks(ClockWatch):
        def ours(self, at: datetime) -> datetime:
            set_back[0] = timedelta(hours=-1)
            return super().ours(at)

    async def story() -> datetime:
        recorder = await Recorder().started()
        await recorder.hears("ChannelCreated")
        recorder.app._clock = SetBackBetweenLooks(lambda: AT + set_back[0], lambda: 0.0)
        event = {"type": "ChannelDestroyed", "timestamp": AT.isoformat(), "channel": {"id": "1.1", "name": "PJSIP/x-1"}}
        recorder.app._on_heard(event)
        return datetime.fromisoformat(str(event["timestamp"])) - recorder.call.clock_off

    assert asyncio.run(story()) == AT
