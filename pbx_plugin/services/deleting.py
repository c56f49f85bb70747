"""Deleting recordings by hand: intended in the database first, then done, and mended by whoever starts next.

*asked* → *confirmed* → *done*. What is confirmed is gone for everybody in that same moment; the file follows at once,
or at the next start if we die in between: every step can be done again, and one conditional UPDATE decides who deletes.
A file is removed when the last recording on it goes. There is no undelete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pbx_plugin.domain.handing import DeletionState
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError


@dataclass(frozen=True, slots=True)
class Doomed:
    """A recording whose deletion is confirmed, with all that is needed to find what is left of its sound."""

    recording_id: str
    tenant_id: str
    media_id: str
    intended_at: datetime
    spool_in: str
    spool_out: str
    path: str
    peaks_path: str


class EraseError(Exception):
    """The disk did not let go of a file now. The recording is gone for everybody; the next start tries again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A deletion that waits for a second person."""

    recording_id: str
    asked_at: datetime
    asked_by: str
    asked_account: str


@dataclass(slots=True)
class Outcome:
    """What became of recordings that somebody wanted deleted, by id; ``refused`` says why.

    ``unfinished`` are those of ``deleted`` whose file the disk did not let go of, and what it said.
    """

    deleted: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unfinished: dict[str, str] = field(default_factory=dict)

    def as_data(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "deleted": self.deleted,
            "asked": self.asked,
            "refused": self.refused,
            "unfinished": self.unfinished,
        }


class Deletions(Protocol):
    """Deletions in the database. Each call is a transaction of its own."""

    def intend(self, desk: Desk, recording_id: str, account_id: str) -> DeletionState:
        """Write that a recording is to go: at once, or when a second person confirms. Audited. Raises RefusedError."""
        ...

    def confirm(self, desk: Desk, recording_id: str, account_id: str) -> None:
        """Confirm what somebody else asked for; from now on it is gone. Audited. Raises RefusedError."""
        ...

    def take_back(self, desk: Desk, recording_id: str) -> None:
        """Take back what was asked for and not confirmed yet. Audited. Raises RefusedError."""
        ...

    def waiting(self, tenant_id: str) -> Sequence[Asked]:
        """Return what waits for a second person, oldest first."""
        ...

    def confirmed(self, recording_ids: Iterable[str] | None = None) -> Sequence[Doomed]:
        """Return what is confirmed and not done (of these), of every company."""
        ...

    def last_on_media(self, doomed: Doomed) -> bool:
        """Whether nobody else's recording needs the sound any more."""
        ...

    def finish(self, doomed: Doomed, at: datetime, *, erased: bool) -> bool:
        """Write that nothing is left to do; False when somebody else had written it."""
        ...


Erase = Callable[[Doomed], None]
"""Removes everything of a segment's sound; done again it changes nothing. Raises EraseError."""


def delete(
    store: Deletions,
    erase: Erase,
    desk: Desk,
    recording_ids: Sequence[str],
    account_id: str = "",
    tick: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Delete recordings, or ask for it where the company wants a second person; each for itself.

    What cannot be deleted is told, and the others go. Whoever calls has made sure of role and consequences.
    """
    outcome = Outcome()
    for recording_id in dict.fromkeys(recording_ids):
        try:
            state = store.intend(desk, recording_id, account_id)
        except RefusedError as error:
            outcome.refused[recording_id] = str(error)
        else:
            if state is DeletionState.CONFIRMED:
                _finish(store, erase, desk, recording_id, outcome)
            else:
                outcome.asked.append(recording_id)
        tick(1)
    return outcome


def confirm(store: Deletions, erase: Erase, desk: Desk, recording_ids: Sequence[str], account_id: str = "") -> Outcome:
    """Confirm, as the second person, what somebody else asked for."""
    outcome = Outcome()
    for recording_id in dict.fromkeys(recording_ids):
        try:
            store.confirm(desk, recording_id, account_id)
        except RefusedError as error:
            outcome.refused[recording_id] = str(error)
        else:
            _finish(store, erase, desk, recording_id, outcome)
    return outcome


def take_back(store: Deletions, desk: Desk, recording_ids: Sequence[str]) -> Outcome:
    """Take back what was asked for; nothing is deleted. ``deleted`` stays empty, ``asked`` has what was taken back."""
    outcome = Outcome()
    for recording_id in dict.fromkeys(recording_ids):
        try:
            store.take_back(desk, recording_id)
        except RefusedError as error:
            outcome.refused[recording_id] = str(error)
        else:
            outcome.asked.append(recording_id)
    return outcome


def resume(store: Deletions, erase: Erase, at: datetime) -> int:
    """Bring to its end what was confirmed and not done, whoever died over it; return how many that were.

    Raises EraseError when the disk holds on to any file, with all the others gone.
    """
    doomed = store.confirmed()
    left: list[str] = []
    done = 0
    for one in doomed:
        try:
            done += _carry_out(store, erase, one, at)
        except EraseError as error:
            left.append(f"recording {one.recording_id}: {error}")
    if left:
        raise EraseError("; ".join(left[:5]) + (f"; and {len(left) - 5} more" if len(left) > 5 else ""))
    return done


def _finish(store: Deletions, erase: Erase, desk: Desk, recording_id: str, outcome: Outcome) -> None:
    outcome.deleted.append(recording_id)
    try:
        for one in store.confirmed([recording_id]):
            _carry_out(store, erase, one, desk.at)
    except EraseError as error:
        outcome.unfinished[recording_id] = str(error)


def _carry_out(store: Deletions, erase: Erase, doomed: Doomed, at: datetime) -> bool:
    """Remove what is confirmed, and write that it is done; False when somebody else had brought it to its end."""
    last = store.last_on_media(doomed)
    if last:
        erase(doomed)
    return store.finish(doomed, at, erased=last)
