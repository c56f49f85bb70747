"""Performs captures on Asterisk: two snoops on one leg, recorded from the same moment; and what users are told.

Facts it rests on (measured on Asterisk 22): a snoop can be recorded only after its StasisStart; a second recording on
one snoop queues, so that each segment has snoops of its own; snoops write CDR rows unless told not to; a whisper on
the spied channel is not in that channel's recording; of snoops that are put on a channel while earlier ones are being
taken off it, in the moment in which a transfer changes who is heard there, the one that listens to what goes *to* the
channel may hear nothing, as long as it lives.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog

from pbx_plugin.ari_app.signals import NotHeardError, Signals
from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriClient, AriError, AriUnreachableError
from pbx_plugin.domain.commands import StartCapture, StopCapture

log = structlog.get_logger(__name__)

PATIENCE = 2.0
"""Seconds to wait for Asterisk's word about a snoop or recording of ours; it usually takes 5 to 40 ms."""

FOLDERS_ANEW = 4
"""How often a recording that "already exists" is asked for again: as deep as its folder lies, and once more. Two that
begin together in a new folder (the first call of a day) race to make it, and Asterisk refuses the loser with the same
409 as for a file that exists; one that does exist is refused every time."""

GONE_WITHIN = 0.5
"""Seconds to wait for a snoop that was hung up to be gone; it usually takes 20 to 60 ms: until its next frame."""

LONGEST_PROMPT = 60.0
"""Seconds after which an announcement that has not ended counts as not played."""


class CaptureError(Exception):
    """Nothing is being recorded, and why."""


class Capturing:
    """The deeds on Asterisk. Each is safe to repeat; after a failed start :meth:`stop` is to be asked for as well."""

    def __init__(self, ari: AriClient, app: str, signals: Signals) -> None:
        self._ari = ari
        self._app = app
        self._signals = signals
        self._listening: dict[str, str] = {}
        """The leg that each capture's snoops were put on."""
        self._leaving: dict[str, asyncio.Event] = {}
        """Captures whose snoops are being taken off."""

    async def prepare(self, wanted: StartCapture) -> None:
        """Put both snoops on the leg, when those that are being taken off it are gone. Raises CaptureError."""
        pair = snoops_of(wanted.media)
        await self._alone_on(wanted.channel)
        self._listening[wanted.media] = wanted.channel
        try:
            await asyncio.gather(
                self._ari.snoop_channel(wanted.channel, pair[0], self._app, spy="in"),
                self._ari.snoop_channel(wanted.channel, pair[1], self._app, spy="out"),
            )
            await asyncio.gather(*(self._signals.wait("StasisStart", snoop, PATIENCE) for snoop in pair))
            # Now or never: on a snoop that records, Asterisk carries this out only when the recording has ended.
            await asyncio.gather(*(self._without_cdr(snoop) for snoop in pair))
        except (AriError, AriUnreachableError, NotHeardError) as error:
            await self.release(wanted.media)
            raise CaptureError(f"the call could not be listened to: {error}") from error

    async def start(self, wanted: StartCapture) -> tuple[datetime, datetime]:
        """Record both prepared snoops; return when each side began. Raises CaptureError."""
        pair = snoops_of(wanted.media)
        names = (wanted.spool_in, wanted.spool_out)
        try:
            await asyncio.gather(*(self._record(snoop, name) for snoop, name in zip(pair, names, strict=True)))
            began = await asyncio.gather(*(self._signals.wait("RecordingStarted", name, PATIENCE) for name in names))
        except (AriError, AriUnreachableError, NotHeardError) as error:
            await self.release(wanted.media)
            raise CaptureError(f"Asterisk did not record: {error}") from error
        return began[0], began[1]

    async def stop(self, wanted: StopCapture) -> None:
        """Close both files and take the snoops away.

        Raises CaptureError when Asterisk did not confirm it: then it may be recording still, and is to be asked again.
        """
        names = (wanted.spool_in, wanted.spool_out)
        gone = self._leaving.setdefault(wanted.media, asyncio.Event())
        await asyncio.gather(*(self._close(name) for name in names))
        try:
            # Without its snoop no recording goes on, whatever became of the request to close it.
            for snoop in snoops_of(wanted.media):
                await self._ari.hangup(snoop)
        except (AriError, AriUnreachableError) as error:
            raise CaptureError(f"Asterisk did not stop recording: {error}") from error
        self._signals.forget(*names)
        await self._gone(wanted.media)
        self._leaving.pop(wanted.media, None)
        self._listening.pop(wanted.media, None)
        gone.set()

    async def release(self, media: str) -> None:
        """Take the snoops of a capture away."""
        for snoop in snoops_of(media):
            with suppress(AriError, AriUnreachableError):
                await self._ari.hangup(snoop)

    async def is_live(self, spool_name: str) -> bool:
        """Tell whether Asterisk is recording under that name now."""
        return await self._ari.live_recording(spool_name) is not None

    async def whisper(self, channel: str, snoop: str, sound: Path) -> None:
        """Let one phone hear a sound to its end, in the call, unheard by the other side.

        Raises CaptureError when it was not heard whole: not found, hung up, Asterisk away.
        """
        try:
            await self._ari.snoop_channel(channel, snoop, self._app, whisper="out")
            await self._signals.wait("StasisStart", snoop, PATIENCE)
            await self._without_cdr(snoop)
            await self._ari.play(snoop, snoop, f"sound:{sound}")
            await self._signals.wait("PlaybackFinished", snoop, LONGEST_PROMPT)
        except (AriError, AriUnreachableError, NotHeardError) as error:
            raise CaptureError(str(error)) from error
        finally:
            with suppress(AriError, AriUnreachableError):
                await self._ari.hangup(snoop)
            self._signals.forget(snoop)

    async def _gone(self, media: str) -> None:
        """Return when Asterisk has done with both snoops of a capture, or does not say so."""
        if media not in self._listening:
            return  # of an earlier run, or never there
        pair = snoops_of(media)
        with suppress(NotHeardError):
            await asyncio.gather(*(self._signals.wait("ChannelDestroyed", snoop, GONE_WITHIN) for snoop in pair))
        self._signals.forget(*pair)

    async def _alone_on(self, channel: str) -> None:
        """Return when no snoops of an ended capture are on a channel any more."""
        leaving = [gone for media, gone in self._leaving.items() if self._listening.get(media) == channel]
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                for gone in leaving:
                    await gone.wait()

    async def _record(self, snoop: str, name: str) -> None:
        """Begin one side, in a folder that another recording may be making at this moment."""
        for _ in range(FOLDERS_ANEW):
            try:
                return await self._ari.record_channel(snoop, name)
            except AriError as error:
                if error.status != 409:
                    raise
        return await self._ari.record_channel(snoop, name)

    async def _close(self, name: str) -> None:
        if self._signals.has("RecordingFinished", name):
            return
        try:
            if await self._ari.stop_recording(name):
                await self._signals.wait("RecordingFinished", name, PATIENCE)
        except (AriError, AriUnreachableError, NotHeardError) as error:
            log.warning("a recording did not say that it ended", recording=name, error=str(error))

    async def _without_cdr(self, snoop: str) -> None:
        """Keep a snoop out of the company's call records: a row of its own would count as a call."""
        with suppress(AriError, AriUnreachableError):
            await self._ari.set_variable(snoop, "CDR_PROP(disable)", "1")


def snoops_of(media: str) -> tuple[str, str]:
    """Return the ids of a capture's two snoops: what comes from the leg's party, and what goes to it."""
    return f"{variables.SNOOP_PREFIX}{media}-in", f"{variables.SNOOP_PREFIX}{media}-out"


def media_of_snoop(channel: str) -> str:
    """Return the capture that a snoop of ours belongs to, empty for a tone's or a stranger's."""
    name = channel.removeprefix(variables.SNOOP_PREFIX)
    return name.rpartition("-")[0] if channel.startswith(variables.SNOOP_PREFIX) and name[-3:] in ("-in", "out") else ""
