"""How many listen at once, company by company (product row R7): a lease for each, renewed by what they fetch.

Whoever serves sound to somebody calls :meth:`Listeners.listen` with every part that is fetched, before its first byte.
A person is one listener, however many windows they have; so is each mailed link, and each token of the REST interface.
Where the company sets no limit nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LEASE = timedelta(seconds=30)
"""How long somebody counts who has fetched hardly anything; who stops listening is forgotten so soon."""
LONGEST_LEASE = timedelta(minutes=5)
"""How long somebody counts at most for what they have fetched ahead."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Somebody who listens (UTC): since when, and until when they count unless they fetch more."""

    name: str
    since: datetime
    until: datetime


class TooManyListenersError(Exception):
    """As many listen as may: ``listening`` says who and since when, ``free_at`` when there may be room."""

    def __init__(self, most: int, listening: tuple[Listening, ...]) -> None:
        self.most = most
        self.listening = listening
        who = ", ".join(f"{one.name} (since {one.since:%H:%M} UTC)" for one in listening[:5])
        more = f" and {len(listening) - 5} more" if len(listening) > 5 else ""
        super().__init__(
            f"{len(listening)} of {most} listen already: {who}{more}: try again when somebody has finished"
        )

    @property
    def free_at(self) -> datetime:
        """When the first of them may have finished."""
        return min(one.until for one in self.listening)


class Listeners(Protocol):
    """The listeners of every company."""

    def listen(
        self, tenant_id: str, listener: str, name: str, recording_id: str, at: datetime, sound: timedelta
    ) -> None:
        """Let somebody listen, or go on listening; ``sound`` is how much of it they fetch now.

        ``listener`` is ``account:ID``, ``link:ID`` or ``token:ID``, ``name`` what others are told. Raises
        TooManyListenersError.
        """
        ...

    def stop(self, tenant_id: str, listener: str) -> None:
        """Note that somebody has finished."""
        ...

    def listening(self, tenant_id: str, at: datetime) -> tuple[Listening, ...]:
        """Return who listens."""
        ...


def lease_until(at: datetime, sound: timedelta) -> datetime:
    """Return until when somebody counts who fetches so much sound now."""
    return at + min(max(LEASE, sound), LONGEST_LEASE)


def sound_of(size: int, rate: int) -> timedelta:
    """Return how long so many bytes of a stored recording (stereo, 16 bits) play."""
    return timedelta(seconds=size / (4 * rate)) if rate else timedelta()
