"""Replays a trace: its events go through the event reader into a switchboard; its Asterisk answers as it did then.

Nothing here runs by itself: no Asterisk, no event loop, no clock. Whatever the recorder asks for that Asterisk did in
the trace as well happens at the trace's own event (a recording begins, ends; an announcement is over). What it did not
do then (the recorder of a beheaded trace asks at another moment) happens at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from call_trace import Look, Recorded, Told, Trace
from structlog.testing import capture_logs

from pbx_plugin.ari_app.resync import changed_unheard, missed
from pbx_plugin.ari_app.switchboard import Switchboard
from pbx_plugin.ari_app.watch import AFTERMATH as AFTERMATH_S
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.book import Book
from pbx_plugin.domain.callstate import CallState, Capture, Phase
from pbx_plugin.domain.settling import SETTLES_WITHIN
from pbx_plugin.services.callmemory import recall, remember

NEVER = 1_000_000
SOON = timedelta(seconds=0.5)
A_PROMPT = timedelta(seconds=4)
AFTERMATH = timedelta(seconds=AFTERMATH_S)


@dataclass
class Taken:
    """What Asterisk does for one capture; ``started`` once it records, ``stopped`` once it was asked to end."""

    anchor: str
    like: Recorded | None
    started: bool = False
    stopped: bool = False


@dataclass
class Pbx:
    """The trace's Asterisk. It goes on when the recorder is restarted."""

    trace: Trace
    recordings: dict[str, Taken] = field(default_factory=dict)

    def copied(self) -> Pbx:
        """Return an Asterisk that did the same until now."""
        return Pbx(self.trace, {media: replace(taken) for media, taken in self.recordings.items()})

    def take(self, media: str, anchor: str, index: int, at: datetime) -> Taken:
        """Begin a capture, like the trace's own if that begins now."""
        used = [taken.like for taken in self.recordings.values()]
        like = (
            recorded
            for recorded in self.trace.recorded
            if recorded.anchor == anchor
            and recorded.began >= index
            and recorded.out_at - at < SOON
            and recorded not in used
        )
        taken = self.recordings[media] = Taken(anchor, next(like, None))
        return taken

    def tell(self, anchor: str, index: int, at: datetime) -> Told | None:
        """Play an announcement, which is over when the trace's own is, if that is being played now."""
        soon = (told for told in self.trace.told if told.anchor == anchor and told.over >= index)
        return next((told for told in soon if self.trace.times[told.over] - at < A_PROMPT), None)

    def is_live(self, media: str, look: Look) -> bool:
        """Tell whether that is being recorded at the moment of the look."""
        taken = self.recordings[media]
        if taken.like is not None and look.after > taken.like.ended:
            return False
        return taken.started and not taken.stopped and any(seen["id"] == taken.anchor for seen in look.channels)


@dataclass(frozen=True)
class Segment:
    """One user's recording of one stretch, ``until`` None while it goes on; ``side`` is where the user is heard."""

    extension: str
    side: str
    since: datetime
    until: datetime | None
    media: str


class Replay:
    """One run of the recorder over (a part of) a trace, and everything it said."""

    def __init__(self, trace: Trace, pbx: Pbx | None = None) -> None:
        self.trace = trace
        self.pbx = pbx or Pbx(trace)
        self.said: list[e.Entry] = []
        self.captures: dict[str, Capture] = {}
        self.memory: dict[str, CallState] = {}
        self.ended: set[str] = set()
        self.troubles: list[str] = []
        self._index = 0
        self._at = trace.looks[0].at
        self._todo: list[h.Happening] = []
        self._resyncing = False
        self._timers: list[h.Settled] = []
        self._due: dict[tuple[str, str], tuple[int, h.Happening]] = {}
        self.board = Switchboard(trace.asterisk_id, Book.of(trace.rules, self._at), self._perform)

    # What came of it

    @property
    def verdicts(self) -> list[tuple[str, str, int]]:
        """Every user's decisions in order, one that says the same again left out."""
        last: dict[str, tuple[str, str, int]] = {}
        found = []
        for entry in self.said:
            if isinstance(entry, e.Decided):
                what = self.extension(entry.user_id), entry.verdict, entry.rule
                if last.get(entry.user_id) != what:
                    found.append(what)
                last[entry.user_id] = what
        return found

    @property
    def segments(self) -> list[Segment]:
        """Who was recorded, from when to when."""
        closed = {entry.media_id: entry.at for entry in self.said if isinstance(entry, e.RecordingClosed)}
        failed = {entry.media_id for entry in self.said if isinstance(entry, e.RecordingFailed)}
        return [
            Segment(entry.extension, entry.user_side.value, entry.at, closed.get(entry.media_id), entry.media_id)
            for entry in self.said
            if isinstance(entry, e.RecordingIntended) and entry.media_id not in failed
        ]

    @property
    def filed(self) -> set[tuple[str, ...]]:
        """What recordings are filed under: extension, direction, other party, direct number, group, evidence."""
        return {
            (x.extension, x.direction, x.other_e164 or x.other_raw, x.ddi, x.group_id, x.evidence_id)
            for x in self.said
            if isinstance(x, e.RecordingIntended)
        }

    @property
    def outcomes(self) -> list[str]:
        """How the calls ended."""
        return [entry.outcome for entry in self.said if isinstance(entry, e.CallEnded)]

    @property
    def consent(self) -> str:
        """The consent that was in force at last."""
        return next((x.consent for x in reversed(self.said) if isinstance(x, e.Marked)), "not required")

    @property
    def groups(self) -> tuple[str, ...]:
        """Numbers of the hunt groups that the calls were presented to."""
        numbers = {group.id: group.number for group in self.trace.rules.groups}
        marked = [entry for entry in self.said if isinstance(entry, e.Marked)]
        return tuple(numbers[group] for group in marked[-1].presented_to) if marked else ()

    @property
    def left_over(self) -> dict[str, Any]:
        """What the switchboard still knows."""
        kept = {name: value for name, value in vars(self.board).items() if name == "calls" or name.startswith("_by_")}
        return {name: value for name, value in kept.items() if value}

    def extension(self, user_id: str) -> str:
        return next(user.extension for user in self.trace.rules.users if user.id == user_id)

    # What happens

    def resync(self, look: Look, since: int, deaf_since: datetime | None = None) -> Replay:
        """Take up work in the middle of a call, as ``RecorderApp`` does; events from ``since`` on are to come."""
        # No recorder is back sooner than a call takes to settle.
        self._index, self._at = since, look.at + SETTLES_WITHIN
        before = {media: capture.phase for call in self._calls for media, capture in call.captures.items()}
        self._resyncing = True  # what is asked for is done while the resync waits, not before
        self._happen(missed(self._calls, look.channels, look.bridges, self._at))
        self._happen(tuple(changed_unheard(self._calls, before, deaf_since)))
        self._resyncing = False
        for call in self._calls:
            for media, capture in call.captures.items():
                if before.get(media) is capture.phase:
                    self._resume(capture, look)
        todo, self._todo = self._todo, []
        self._happen(todo)
        return self

    @property
    def _calls(self) -> tuple[CallState, ...]:
        return tuple(self.board.calls.values())

    def _resume(self, capture: Capture, look: Look) -> None:
        match capture.phase:
            case Phase.RECORDING if self.pbx.is_live(capture.media, look):
                self._ends_by_itself(capture.media)
            case Phase.FAILED | Phase.ANNOUNCING:
                self._happen([h.TryAgain(self._at, capture.media)])
            case Phase.FINALISING:
                self._happen([h.FinaliserLost(self._at, capture.media)])
            case _:
                self._stop(capture.media)

    def hear(self, places: Iterable[int]) -> Replay:
        """Take the trace's events in this order; what is due at one follows it."""
        for index in places:
            at = self.trace.times[index]
            self._ring(at)
            self._index, self._at = index, max(at, self._at)
            self._happen(self.trace.happenings[index])
            self._answer(index)
        return self

    def hear_from(self, index: int) -> Replay:
        """Take all events from that one on, and let everything come to its end."""
        return self.hear(range(index, len(self.trace.events))).finish()

    def finish(self) -> Replay:
        """Let everything that is under way come to its end."""
        self._ring(self._at + SETTLES_WITHIN)
        self._answer(NEVER)
        return self

    def restarted(self, heard_from: int) -> Replay:
        """Return the next run, as if this one were killed now: that one hears events again from there.

        This one may still go on, with an Asterisk of its own.
        """
        after = Replay(self.trace, self.pbx.copied())
        after.said, after.captures, after.troubles = list(self.said), dict(self.captures), list(self.troubles)
        for call_id, state in self.memory.items():
            if call_id not in self.ended:
                after.memory[call_id] = state
                after.board.adopt(recall(remember(state)))
        return after.resync(self.trace.look_from(heard_from), heard_from, self.trace.times[self._index])

    def _ring(self, until: datetime) -> None:
        """Say that calls have settled which should have by then."""
        while self._timers and self._timers[0].at <= until:
            settled = self._timers.pop(0)
            self._at = settled.at
            self._happen([settled])

    def _answer(self, index: int) -> None:
        for key, (when, happening) in sorted(self._due.items(), key=lambda item: item[1][0]):
            if when <= index and key in self._due:
                del self._due[key]
                if key[0] == "started":
                    self.pbx.recordings[key[1]].started = True
                self._happen([replace(happening, at=self._at)])

    def _happen(self, happenings: Iterable[h.Happening]) -> None:
        with capture_logs() as logs:
            for happening in happenings:
                self.board.happen(happening)
                while self._todo and not self._resyncing:
                    self.board.happen(self._todo.pop(0))
        self.troubles += [str(line) for line in logs if line["log_level"] in ("error", "critical")]

    # What is asked for

    def _perform(self, call: CallState, commands: list[c.Command]) -> None:
        self.captures |= call.captures
        for command in commands:
            match command:
                case c.Write():
                    self._write(command.entries)
                case c.Remember():
                    self.memory[call.call_id] = call
                case c.StartCapture():
                    self._start(command)
                case c.StopCapture():
                    self._stop(command.media)
                case c.FinaliseMedia():
                    self._todo.append(h.MediaSettled(self._at, command.media))
                case c.LookAgain():
                    self._timers.append(h.Settled(self._at + SETTLES_WITHIN, command.linkedid, command.since))
                case c.PlayAnnouncement():
                    self._tell(command)
                case c.StopAnnouncement():
                    self._due.pop(("told", command.media), None)

    def _write(self, entries: Iterable[e.Entry]) -> None:
        for entry in entries:
            self.said.append(entry)
            if isinstance(entry, e.CallEnded):
                self.ended.add(entry.call_id)
            elif isinstance(entry, e.CallMerged):
                self.ended.add(entry.from_call_id)

    def _start(self, wanted: c.StartCapture) -> None:
        taken = self.pbx.take(wanted.media, wanted.channel, self._index, self._at)
        if taken.like is None:
            taken.started = True
            self._todo.append(h.CaptureStarted(self._at, wanted.media, self._at, self._at))
            return
        began = h.CaptureStarted(taken.like.out_at, wanted.media, taken.like.in_at, taken.like.out_at)
        self._due["started", wanted.media] = taken.like.began, began
        self._ends_by_itself(wanted.media)

    def _ends_by_itself(self, media: str) -> None:
        """Note when the trace's recording is over, and when the recorder's watch says so if nobody asked for it."""
        like = self.pbx.recordings[media].like
        if like is not None:
            self._due["ended", media] = self._after(like.ended), h.CaptureEnded(self._at, media)

    def _after(self, index: int) -> int:
        late = self.trace.times[index] + AFTERMATH
        later = (place for place, at in enumerate(self.trace.times) if at >= late)
        return next(later, NEVER)

    def _stop(self, media: str) -> None:
        taken = self.pbx.recordings[media]
        taken.stopped = True
        self._due.pop(("ended", media), None)
        if self._due.pop(("started", media), None) is not None:
            self._todo.append(h.CaptureFailed(self._at, media, "it was no longer wanted"))
        if taken.started and taken.like is not None and taken.like.ended > self._index:
            self._due["ended", media] = taken.like.ended, h.CaptureEnded(self._at, media)
        else:
            self._todo.append(h.CaptureEnded(self._at, media))

    def _tell(self, wanted: c.PlayAnnouncement) -> None:
        told = self.pbx.tell(wanted.channels[0], self._index, self._at)
        if told is None:
            self._todo.append(h.AnnouncementDone(self._at, wanted.media, True))
            return
        at = self.trace.times[told.over]
        self._due["told", wanted.media] = told.over, h.AnnouncementDone(at, wanted.media, told.ok)
