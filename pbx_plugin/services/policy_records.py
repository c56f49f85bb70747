"""What is kept of a policy that somebody works on, and the port to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol

from pbx_plugin.domain.policy import PolicyVersion


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy that is not applied. ``base`` is the version that it was made from; ``version`` is what it says now."""

    name: str
    base: int
    version: PolicyVersion
    created_by: str
    created_at: datetime
    changed_by: str
    changed_at: datetime
    comment: str = ""


class PolicyStore(Protocol):
    """Drafts of one company's policy, and the time zones that its schedule may name."""

    def drafts(self, tenant_id: str) -> Sequence[Draft]:
        """Return all drafts, by name."""
        ...

    def save_draft(self, draft: Draft) -> None:
        """Write a draft; its version says whose it is."""
        ...

    def delete_draft(self, tenant_id: str, name: str) -> None:
        """Delete a draft."""
        ...

    def time_zone(self, name: str) -> tzinfo | None:
        """Return the time zone of that name, None where this machine knows none."""
        ...
