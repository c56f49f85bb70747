"""Sending what lies in the outbox: at least once each, later again where it does not go now, given up in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pbx_plugin.services.people_records import Mail

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 120, 240, 480, 720, 1440))
"""How long to wait after each failed try; after the last of these a mail is given up."""


class MailTroubleError(Exception):
    """A mail could not be sent now; later it may be. ``everywhere`` says that no other mail would go either."""

    def __init__(self, why: str, *, everywhere: bool = False) -> None:
        super().__init__(why)
        self.everywhere = everywhere


class MailRefusedError(Exception):
    """A mail will never be taken: the server or the address is so."""


class Outbox(Protocol):
    """Mails that wait. Each call is a transaction of its own; several senders may be at work at a time."""

    def claim(self, at: datetime) -> Mail | None:
        """Return a mail that is due, for this sender alone for some minutes; None when there is none."""
        ...

    def sent(self, mail: Mail, at: datetime) -> None:
        """Note that a mail was sent, and forget its secret."""
        ...

    def later(self, mail: Mail, due_at: datetime, why: str, *, counts: bool) -> None:
        """Let a mail be tried again at that time; ``counts`` says whether this was a try."""
        ...

    def failed(self, mail: Mail, at: datetime, why: str) -> None:
        """Give a mail up, and forget its secret."""
        ...


class Sender(Protocol):
    """Something that sends mails."""

    def send(self, mail: Mail) -> None:
        """Send a mail. Raises MailTroubleError, MailRefusedError."""
        ...


@dataclass(slots=True)
class Delivered:
    """What became of the mails that were due."""

    sent: int = 0
    later: int = 0
    failed: int = 0
    trouble: str = ""


def deliver(outbox: Outbox, sender: Sender, now: Callable[[], datetime]) -> Delivered:
    """Send everything that is due, and return what became of it.

    When the server is away no further mail is tried, and the one that was does not count as tried. A mail may arrive
    twice when we die between sending and noting it; its Message-ID is then the same.
    """
    done = Delivered()
    while mail := outbox.claim(now()):
        try:
            sender.send(mail)
        except MailRefusedError as error:
            outbox.failed(mail, now(), str(error))
            done.failed += 1
        except MailTroubleError as error:
            done.trouble = str(error)
            if error.everywhere:
                outbox.later(mail, now() + PAUSES[0], str(error), counts=False)
                done.later += 1
                break
            if mail.attempts < len(PAUSES):
                outbox.later(mail, now() + PAUSES[mail.attempts], str(error), counts=True)
                done.later += 1
            else:
                outbox.failed(mail, now(), f"given up after {mail.attempts + 1} tries: {error}")
                done.failed += 1
        else:
            outbox.sent(mail, now())
            done.sent += 1
    return done
