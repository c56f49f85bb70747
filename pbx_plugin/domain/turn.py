"""One turn of :func:`pbx_plugin.domain.lifecycle.advance`: the call as it changes, and what is said and asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

from pbx_plugin.domain.book import Book
from pbx_plugin.domain.callstate import CallState, Capture, Leg, Phase, effective_marks, stick
from pbx_plugin.domain.commands import Command, Remember, Write
from pbx_plugin.domain.entries import Entry, Gap, LegMoved, Marked
from pbx_plugin.domain.policy import Announce


class Turn:
    """Collects the changes that one happening makes. Lives for one call of ``advance`` and is never shared."""

    def __init__(self, call: CallState, book: Book, at: datetime) -> None:
        self.before = call
        self.call = call
        self.book = book
        self.at = at
        self._deeds: list[Command] = []
        self._said: list[Entry] = []

    @classmethod
    def opened(cls, call: CallState, book: Book, at: datetime, *first: Entry) -> Turn:
        """Return a turn that has already something to say."""
        turn = cls(call, book, at)
        turn.say(*first)
        return turn

    def say(self, *entries: Entry) -> None:
        """Add journal entries; all of a turn's entries are written before any of its deeds is done."""
        self._said.extend(entries)

    def ask(self, *commands: Command) -> None:
        """Add deeds, in order."""
        self._deeds.extend(commands)

    def done(self) -> tuple[CallState, list[Command]]:
        """Return the new call and the commands: what was said, the state to keep, then the deeds."""
        told: list[Command] = [Write(tuple(self._said))] if self._said else []
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
        """Forget a capture; one that failed leaves its gap behind."""
        rest = {media: other for media, other in self.call.captures.items() if media != capture.media}
        self.call = replace(self.call, captures=rest)
        if capture.phase is Phase.FAILED:
            for user_id in capture.user_ids:
                self.gap(capture, user_id)

    def gap(self, capture: Capture, user_id: str) -> None:
        """Report that a user's conversation should have been recorded from the capture's failure until now."""
        call = self.call
        gap_id = str(uuid5(UUID(capture.media), f"gap {user_id}"))
        self.say(Gap(gap_id, call.call_id, call.tenant_id, user_id, capture.since, self.at, capture.failure))

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

    def announcement_over(self, capture: Capture, ok: bool, reason: str) -> None:
        """Let a capture go on after its announcement, or fail where telling was a must."""
        if ok or self.call.policy.announce is not Announce.OR_DO_NOT_RECORD:
            self.set(replace(capture, phase=Phase.STARTING))
        else:
            why = f"the announcement could not be played: {reason}"
            self.set(replace(capture, phase=Phase.FAILED, failure=why, since=self.at))
