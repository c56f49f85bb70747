"""An Asterisk, a disk and a finaliser for the performer's tests: they answer as told, and remember what was asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from call_story import Story

from pbx_plugin.ari_app.capturing import Capturing
from pbx_plugin.ari_app.finalising import Finalising
from pbx_plugin.ari_app.performer import Performer
from pbx_plugin.ari_app.signals import Signals
from pbx_plugin.asterisk.ari import AriClient, AriUnreachableError
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import CallState
from pbx_plugin.prompts.library import PromptFile
from pbx_plugin.services.ports import Journal, JournalError

AT = datetime(2020, 11, 22, 12, 0, tzinfo=UTC)
STAMP = "2020-11-22T12:00:00.000+0000"
DAY = "pbxrec/2020/11/22"
MEDIA = "0b9c8f3e-6d1a-4c58-9a53-2f1f6f0f9a11"
START = c.StartCapture(MEDIA, "T1", f"{DAY}/{MEDIA}-in", f"{DAY}/{MEDIA}-out")
STOP = c.StopCapture(MEDIA, START.spool_in, START.spool_out)


class Asterisk:
    """Snoops, recordings and prompts of a PBX. Whatever is named in ``slow`` waits until its event is set."""

    def __init__(self) -> None:
        self.signals = Signals()
        self.snoops: set[str] = set()
        self.live: set[str] = set()
        self.recorded: list[str] = []
        self.told: list[str] = []
        self.played: list[str] = []
        self.slow: dict[str, asyncio.Event] = {}
        self.away: Counter[str] = Counter()
        self.asked: list[str] = []
        self.lingering: set[str] = set()
        """Snoops that were hung up and are not gone until somebody says so."""

    async def _answer(self, what: str) -> None:
        self.asked.append(what)
        if what in self.slow:
            await self.slow[what].wait()
        await asyncio.sleep(0)
        if self.away[what] > 0:
            self.away[what] -= 1
            raise AriUnreachableError(what)

    def tell(self, kind: str, **what: Any) -> None:
        event = {"type": kind, "timestamp": STAMP, **what}
        asyncio.get_running_loop().call_soon(self.signals.feed, event)

    async def snoop_channel(self, channel: str, snoop: str, app: str, *, spy: str = "", whisper: str = "") -> None:
        await self._answer("snoop")
        self.snoops.add(snoop)
        if whisper:
            self.told.append(channel)
        self.tell("StasisStart", channel={"id": snoop})

    async def set_variable(self, channel: str, variable: str, value: str) -> None:
        await self._answer("variable")

    async def record_channel(self, channel: str, name: str) -> None:
        await self._answer("record")
        self.live.add(name)
        self.recorded.append(name)
        self.tell("RecordingStarted", recording={"name": name})

    async def stop_recording(self, name: str) -> bool:
        await self._answer("stop")
        if name not in self.live:
            return False
        self._end(name)
        return True

    async def play(self, channel: str, playback: str, media: str) -> None:
        await self._answer("play")
        self.played.append(media)
        self.tell("PlaybackFinished", playback={"id": playback, "state": "done"})

    async def hangup(self, channel: str) -> None:
        await self._answer("hangup")
        if channel in self.snoops:
            self.snoops.remove(channel)
            for name in [name for name in self.live if name.endswith(channel.removeprefix("pbxrec-"))]:
                self._end(name)
            self.tell("StasisEnd", channel={"id": channel})
            if channel not in self.lingering:
                self.tell("ChannelDestroyed", channel={"id": channel})

    def _end(self, name: str) -> None:
        self.live.remove(name)
        self.tell("RecordingFinished", recording={"name": name})


class Disk:
    """A journal. While ``refusing`` is more than nought, that many appends fail."""

    def __init__(self) -> None:
        self.said: list[e.Entry] = []
        self.refusing = 0

    def append(self, *entries: e.Entry) -> int:
        if self.refusing > 0:
            self.refusing -= 1
            raise JournalError("no space left on device")
        self.said.extend(entries)
        return len(self.said)

    def wait_applied(self, position: int, timeout: float) -> bool:
        return True


class Finaliser:
    """Stores whatever it is given."""

    def __init__(self) -> None:
        self.finalised: list[str] = []
        self.erased: list[str] = []
        self.discarded: list[str] = []

    async def finalise(self, wanted: c.FinaliseMedia) -> e.RecordingFailed:
        self.finalised.append(wanted.media)
        return e.RecordingFailed(wanted.media, AT, "too short")

    async def erase(self, wanted: c.EraseMedia) -> None:
        self.erased.append(wanted.media)

    async def discard(self, spool_in: str, spool_out: str) -> None:
        self.discarded += [spool_in, spool_out]


def found_sound(language: str, name: str) -> PromptFile:
    """Return a prompt that lies where it is named after its language."""
    return PromptFile(language or "sound", language, name, language.encode().hex().ljust(64, "0"), "7", 0, "espeak-ng")


class Works:
    """A performer between these, and what it reported."""

    def __init__(self) -> None:
        self.asterisk, self.disk, self.finaliser = Asterisk(), Disk(), Finaliser()
        self.heard: list[h.Happening] = []
        self.call: CallState = Story().tell("0.0 ring T1 trunk +4531200118 > +4570100101").call
        capturing = Capturing(cast(AriClient, self.asterisk), "pbxrec", self.asterisk.signals)
        finalising, journal = cast(Finalising, self.finaliser), cast(Journal, self.disk)
        self.performer = Performer(capturing, finalising, journal, found_sound, self.heard.append)

    def do(self, *commands: c.Command) -> None:
        self.performer.perform(self.call, list(commands))

    def kinds(self) -> list[str]:
        return [type(happening).__name__ for happening in self.heard]

    async def done(self) -> None:
        async with asyncio.timeout(5):
            await self.performer.settled()
        self.performer.close()


async def until(look: Callable[[], bool]) -> None:
    """Wait until this is so. Raises AssertionError when it does not come to pass."""
    for _ in range(5000):
        if look():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come to pass")
