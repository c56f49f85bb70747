"""What the use cases need from the outside world, as protocols. Adapters live one floor up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pbx_plugin.domain.entries import Entry
from pbx_plugin.domain.rulebook import Rulebook


class Journal(Protocol):
    """The durable, ordered journal in front of the database."""

    def append(self, *entries: Entry) -> int:
        """Write the entries durably (fsync) and return the last one's position. Never waits for the database.

        Raises JournalError when the disk refuses; the caller must then not do what it announced.
        """
        ...

    def wait_applied(self, position: int, timeout: float) -> bool:
        """Wait until the database holds everything up to ``position``; False when it does not within ``timeout`` s."""
        ...


class JournalError(Exception):
    """The journal could not be written: nothing may be done that is not announced."""


class RulebookSource(Protocol):
    """Where the rulebook comes from."""

    def revision(self) -> int:
        """Return the revision in force; cheap. Raises StoreUnavailableError while the database is away."""
        ...

    def load(self) -> Rulebook:
        """Return the whole rulebook. Raises StoreUnavailableError while the database is away."""
        ...


class StoreUnavailableError(Exception):
    """The database is locked or away; what happened is safe in the journal, and a later try may succeed."""


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """A segment that the database does not yet hold as stored or failed."""

    media_id: str
    call_id: str
    tenant_id: str
    state: str
    spool_in: str
    spool_out: str
    in_side: str
    intended_at: datetime
    in_at: datetime | None
    out_at: datetime | None
    closed_at: datetime | None
    anchor_channel: str
    user_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A call without an end, with the state its recorder last remembered (JSON)."""

    call_id: str
    state: str


class Recall(Protocol):
    """What a restarted recorder reads back."""

    def open_media(self) -> Sequence[OpenMedia]:
        """Return all segments in states starting, recording or closed, oldest first."""
        ...

    def ended(self, call_ids: Collection[str]) -> frozenset[str]:
        """Return which of these calls have ended, or merged into another."""
        ...

    def media_states(self, media_ids: Collection[str]) -> Mapping[str, str]:
        """Return the states of these segments; one that nobody knows is left out."""
        ...

    def running_calls(self) -> Sequence[RunningCall]:
        """Return all calls that have not ended, oldest first."""
        ...
