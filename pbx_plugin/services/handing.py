"""Handing recordings on: what is known of one that is to be handed on, and whether it may be.

Role, switches and company decide together: a role that may download does so only where the company allows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol

from pbx_plugin.domain.access import Action, Scope, Subject, Viewer, may
from pbx_plugin.domain.handing import Rules
from pbx_plugin.domain.naming import download_name
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError


class ForbiddenError(Exception):
    """Somebody may not do this: role, switch or company says no. One line for them."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording as it is handed on: who, when, with whom, and its file. ``other`` is empty for a hidden number.

    ``path`` is relative to the archive and empty while, or since, there is no sound. ``told_days`` is the keeping time
    that the caller accepted, None where none was told. Times are UTC.
    """

    recording_id: str
    media_id: str
    call_id: str
    tenant_id: str
    person_id: str
    department_id: str
    recording_group_ids: frozenset[str]
    at: datetime
    user_name: str
    extension: str
    direction: str
    other: str
    dialled: str
    evidence_id: str
    state: str
    path: str
    sha256: str
    size: int
    rate: int
    length_ms: int
    user_side: str
    expires_at: datetime | None
    told_days: int | None
    deletable_by_hand: bool
    held: bool
    deleted_at: datetime | None
    deletion: str = ""
    peaks_path: str = ""

    @property
    def playable(self) -> bool:
        """Whether there is sound that may be heard."""
        return bool(self.path) and self.state == "stored" and self.deleted_at is None

    @property
    def subject(self) -> Subject:
        """The recording as access asks for it."""
        return Subject(self.tenant_id, self.person_id, self.department_id, self.recording_group_ids)

    def file_name(self, zone: tzinfo, suffix: str) -> str:
        """Return the name for people (product row R5), with the time in ``zone``."""
        user = f"{self.user_name} {self.extension}" if self.extension else self.user_name
        return download_name(self.at.astimezone(zone), user, self.other, self.dialled, suffix)

    def seconds(self) -> timedelta:
        """Return how long it is, in whole seconds."""
        return timedelta(seconds=round(self.length_ms / 1000))


class RecordedSource(Protocol):
    """Reads recordings as they are handed on. What is outside the scope is not there."""

    def one(self, scope: Scope, recording_id: str) -> Recorded | None:
        """Return a recording, None where there is none within the scope."""
        ...

    def some(self, scope: Scope, recording_ids: Sequence[str]) -> Mapping[str, Recorded]:
        """Return those of the recordings that are within the scope, by id."""
        ...


class RulesStore(Protocol):
    """A company's switches for handing on and deleting."""

    def rules(self, tenant_id: str) -> Rules:
        """Return the switches in force."""
        ...

    def save_rules(self, desk: Desk, rules: Rules) -> None:
        """Write and audit them."""
        ...


def set_rules(store: RulesStore, desk: Desk, rules: Rules, *, dry_run: bool = False) -> None:
    """Let these switches be in force from now on. Raises RefusedError for values that cannot be used."""
    faults = rules.faults()
    if faults:
        raise RefusedError("; ".join(faults))
    if dry_run:
        return
    store.save_rules(desk, rules)


def differences(before: Rules, after: Rules) -> dict[str, list[Any]]:
    """Return what a change of the switches changes, for the audit."""
    names = Rules.__dataclass_fields__
    return changed({name: getattr(before, name) for name in names}, {name: getattr(after, name) for name in names})


def why_no_download(viewer: Viewer, rules: Rules, recorded: Recorded | None = None) -> str:
    """Return why somebody may not download this recording (or any), in words; empty when they may."""
    if not rules.downloads:
        return "the company does not allow downloads"
    if not may(viewer, Action.DOWNLOAD, recorded.subject if recorded else None):
        return "your account may not download"
    return ""


def why_no_link(viewer: Viewer, rules: Rules, recorded: Recorded | None = None) -> str:
    """Return why somebody may not mail a link to this recording (or any), in words; empty when they may."""
    if not rules.links:
        return "the company does not allow links by e-mail"
    if not may(viewer, Action.MAIL, recorded.subject if recorded else None):
        return "your account may not mail links"
    return ""
