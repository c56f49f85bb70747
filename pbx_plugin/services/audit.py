"""Who changes what: every change of the directory is noted in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.directory import Directory


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody at work on one company's directory: who they are, and when it is (UTC). ``new_id`` makes row ids."""

    directory: Directory
    tenant: Tenant
    actor: str
    at: datetime
    new_id: Callable[[], str]

    def note(self, action: str, subject: str, **detail: Any) -> None:
        """Audit a change that was just written. ``detail`` must be JSON-able."""
        self.directory.audit(self._entry(action, subject, detail))

    def note_all(self, notes: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Audit many changes at once: action, subject and detail of each."""
        self.directory.audit_all(self._entry(action, subject, detail) for action, subject, detail in notes)

    def _entry(self, action: str, subject: str, detail: dict[str, Any]) -> Audited:
        return Audited(
            audit_id=self.new_id(),
            tenant_id=self.tenant.id,
            at=self.at,
            actor=self.actor,
            action=action,
            subject=subject,
            detail=detail,
        )


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what differs, as ``{field: [before, after]}``: the detail of a change's audit entry."""
    return {key: [before.get(key), value] for key, value in after.items() if before.get(key) != value}
