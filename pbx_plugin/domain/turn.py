"""One turn of :func:`pbx_plugin.domain.lifecycle.advance`: the call as it changes, and what is said and asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from pbx_plugin.domain.book import Book
from pbx_plugin.domain.callstate import CallState, Capture, Leg, Phase, effective_marks, stick
from pbx_plugin.domain.capacity import AWAY, UNLIMITED, Capacity
from pbx_plugin.domain.commands import Command, Complain, Remember, Write
from pbx_plugin.domain.entries import Entry, Gap, LegMoved, Marked
from pbx_plugin.domain.losses import Loss

UNHEARD = AWAY
"""Reason of the gap of a conversation that was found when the recorder came back."""


class Turn:
    """Collects the changes that one happening makes. Lives for one call of ``advance`` and is never shared."""

    def __init__(self, call: CallState, book: Book, at: datetime, capacity: Capacity = UNLIMITED) -> None:
        self.before = call
        self.call = call
        self.book = book
        self.at = at
        self.capacity = capacity
        self.by_asterisk = False
        self._deeds: list[Command] = []
        self._said: list[Entry] = []

    @classmethod
    def opened(cls, call: CallState, book: Book, at: datetime, capacity: Capacity, *first: Entry) -> Turn:
        """Return a turn that has already something to say."""
        turn = cls(call, book, at, capacity)
        turn.say(*first)
        return turn

    def say(self, *entries: Entry) -> None:
        """Add journal entries; all of a turn's entries are written before any of its deeds is done."""
        self._said.extend(entries)

    @property
    def said(self) -> tuple[Entry, ...]:
        """What was said so far, in order."""
        return tuple(self._said)

    def ask(self, *commands: Command) -> None:
        """Add deeds, in order."""
        self._deeds.extend(commands)

    def done(self) -> tuple[CallState, list[Command]]:
        """Return the new call and the commands: what was said, the state to keep, then the deeds."""
        told: list[Command] = [Write(tuple(self._said))] if self._said else []
        if self.by_asterisk and (self.call != self.before or told):
            self.call = replace(self.call, told_at=max(self.at, self.call.told_at or self.at))
        if self.call != self.before or told:
            told.append(Remember(self.call.call_id))
        return self.call, told + self._deeds

    def put(self, leg: Leg) -> None:
        """Set a leg."""
        self.call = stick(replace(self.call, legs={**self.call.legs, leg.channel: leg}), leg)

    def note(self, leg: Leg, what: str, detail: str = "") -> None:
        """Add a step to the time line."""
        self.say(LegMoved(self.call.call_id, leg.channel, self.at, what, detail))

    def set(self, capture: Capture) -> None:
        """Set a capture."""
        self.call = replace(self.call, captures={**self.call.captures, capture.media: capture})

    def drop(self, capture: Capture) -> None:
        """Forget a capture. One that stood for a missing recording leaves its gap behind, which ends now."""
        rest = {media: other for media, other in self.call.captures.items() if media != capture.media}
        self.call = replace(self.call, captures=rest)
        if capture.missing:
            self._gaps(capture, capture.doubtful_since or self.at)
        elif capture.in_at is None and capture.unheard_since is not None:
            # What takes its place in the same look back has the whole gap.
            self.heard_again(capture, self.at if self.call.unheard_since is None else capture.unheard_since)

    def heard_again(self, capture: Capture, until: datetime) -> None:
        """End the gap of a conversation that went on while the recorder was away."""
        if capture.unheard_since is not None:
            for user_id in capture.user_ids:
                self.gap(capture, user_id, capture.unheard_since, until, UNHEARD)

    def miss(self, capture: Capture, phase: Phase, since: datetime, why: str) -> None:
        """Let a capture stand for a recording that should be and is not, from ``since`` on."""
        self.heard_again(capture, since)
        capture = replace(capture, phase=phase, failure=why, since=since, unheard_since=None)
        self.set(capture)
        self._gaps(capture, None)
        if phase is not Phase.PAUSED:
            self.ask(Complain(self.call.call_id, capture.user_ids, why))

    def lose(self, capture: Capture, losses: tuple[Loss, ...]) -> None:
        """Report what was recorded and is in no file: each stretch of it, and each reason once."""
        for loss in losses:
            for user_id in capture.user_ids:
                self.gap(capture, user_id, loss.since, loss.until, loss.reason)
        for reason in dict.fromkeys(loss.reason for loss in losses):
            self.ask(Complain(self.call.call_id, capture.user_ids, reason))

    def _gaps(self, capture: Capture, until: datetime | None) -> None:
        for user_id in capture.user_ids:
            self.gap(capture, user_id, capture.since, until, capture.failure)

    def gap(self, capture: Capture, user_id: str, since: datetime, until: datetime | None, why: str) -> None:
        """Report that a user's conversation should have been recorded from ``since`` on; None: it goes on so."""
        call = self.call
        gap_id = str(uuid5(UUID(capture.media), f"gap {user_id} {since.isoformat()}"))
        self.say(Gap(gap_id, call.call_id, call.tenant_id, user_id, since, until, why))

    def next_id(self, what: str) -> str:
        """Return a new id of this call: the same again when the same call is replayed.

        A call that is seen anew (its memory could not be read) began anew, so that no id of its first life comes again.
        """
        number = self.call.counter + 1
        self.call = replace(self.call, counter=number)
        return str(uuid5(UUID(self.call.call_id), f"{what} {self.call.began_at.isoformat()} {number}"))

    def refresh_marks(self, cause: str) -> None:
        """Work the marks out anew, and say so when they changed."""
        marks = effective_marks(self.call)
        if marks == self.call.marks:
            return
        self.call = replace(self.call, marks=marks)
        self.say(
            Marked(
                self.call.call_id,
                self.at,
                marks.consent.value,
                marks.consent_by.value,
                marks.evidence_id,
                marks.presented_to,
                cause,
            )
        )
