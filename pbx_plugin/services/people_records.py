"""What is kept about people besides themselves: units, recording groups, notices, mail, imports; and the port to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pbx_plugin.domain.call import Mode


class UnitKind(StrEnum):
    """How a company divides its people, besides departments."""

    DISTRICT = "district"
    COST_CENTRE = "cost centre"
    OFFICE = "office"


class Role(StrEnum):
    """What a user is in a recording group."""

    MEMBER = "member"
    SUPERVISOR = "supervisor"


class MailState(StrEnum):
    """How far a mail has come. ``cancelled`` ones became untrue before they were sent."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Unit:
    """A district, cost centre or office."""

    id: str
    tenant_id: str
    kind: UnitKind
    name: str


@dataclass(frozen=True, slots=True)
class RecordingGroup:
    """Users (ids, sorted) whose recordings are supervised together, and the users who see them."""

    id: str
    tenant_id: str
    name: str
    members: frozenset[str] = frozenset()
    supervisors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Notice:
    """What a user was told about being recorded, word for word, when (UTC) and by whom; and their acknowledgement.

    ``code_sha256`` is the digest of the one-time code by which the user can acknowledge until ``code_until``; it is
    None once used. ``acknowledged_sha256`` is the digest of the text that was acknowledged.
    """

    id: str
    tenant_id: str
    person_id: str
    at: datetime
    author: str
    mode: Mode
    language: str
    text_version: str
    text: str
    text_sha256: str
    code_sha256: str | None = None
    code_until: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_how: str = ""
    acknowledged_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to a user (``about`` is their id). ``secret`` takes the place of ``{code}`` in the body as it is sent."""

    id: str
    tenant_id: str
    about: str
    at: datetime
    address: str
    subject: str
    body: str
    due_at: datetime
    secret: str | None = field(default=None, repr=False)
    state: MailState = MailState.PENDING
    attempts: int = 0
    ended_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import: from which source (its name and SHA-256), by whom, when (UTC), and every change that it made.

    A change is ``{"kind", "id", "label", "before", "after"}``; before and after are column texts, None for not there.
    """

    id: str
    tenant_id: str
    at: datetime
    author: str
    source: str
    sha256: str
    changes: Sequence[Mapping[str, Any]]
    undone_at: datetime | None = None
    undone_by: str = ""


class PeopleStore(Protocol):
    """What the directory keeps about people besides themselves, within the directory's one transaction."""

    def units(self, tenant_id: str) -> Sequence[Unit]:
        """Return districts, cost centres and offices, by kind and name."""
        ...

    def save_unit(self, unit: Unit) -> None:
        """Write a unit."""
        ...

    def delete_unit(self, unit: Unit) -> None:
        """Delete a unit; users who belonged to it belong to none of that kind."""
        ...

    def recording_groups(self, tenant_id: str) -> Sequence[RecordingGroup]:
        """Return the recording groups, by name."""
        ...

    def save_recording_group(self, group: RecordingGroup) -> None:
        """Write a recording group with its members and supervisors."""
        ...

    def delete_recording_group(self, group: RecordingGroup) -> None:
        """Delete a recording group; no recording is touched."""
        ...

    def latest_notices(self, tenant_id: str) -> Mapping[str, Notice]:
        """Return each user's last notice, by the user's id."""
        ...

    def notices(self, tenant_id: str, person_id: str) -> Sequence[Notice]:
        """Return all notices to a user, oldest first."""
        ...

    def notice_of_code(self, tenant_id: str, code_sha256: str) -> Notice | None:
        """Return the notice whose unused code has this digest."""
        ...

    def add_notices(self, notices: Iterable[Notice]) -> None:
        """Add notices."""
        ...

    def save_acknowledgement(self, notice: Notice) -> None:
        """Write a notice's acknowledgement, and that its code is used; nothing else of a notice ever changes."""
        ...

    def add_mails(self, mails: Iterable[Mail]) -> None:
        """Put mails into the outbox."""
        ...

    def cancel_mails(self, tenant_id: str, about: Iterable[str], at: datetime) -> None:
        """Take back mails about these users that were not sent yet."""
        ...

    def mails(self, tenant_id: str) -> Sequence[Mail]:
        """Return the outbox with what was sent, newest first; at most the last 1000."""
        ...

    def import_runs(self, tenant_id: str) -> Sequence[ImportRun]:
        """Return the imports, newest first; at most the last 100."""
        ...

    def add_import_run(self, run: ImportRun) -> None:
        """Add an import."""
        ...

    def mark_undone(self, run: ImportRun, *, author: str, at: datetime) -> None:
        """Note that an import was taken back."""
        ...
