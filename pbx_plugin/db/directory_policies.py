"""Drafts of policies in the directory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from sqlalchemy import delete, select

from pbx_plugin import clock
from pbx_plugin.db.directory_session import SessionTables
from pbx_plugin.db.models import PolicyDraftRow
from pbx_plugin.db.rulebook import policy_body, policy_from_body
from pbx_plugin.services.policy_records import Draft


class PolicyTables(SessionTables):
    """:class:`pbx_plugin.services.policy_records.PolicyStore` over one session."""

    def drafts(self, tenant_id: str) -> Sequence[Draft]:
        """Return all drafts, by name."""
        query = select(PolicyDraftRow).where(PolicyDraftRow.tenant_id == tenant_id).order_by(PolicyDraftRow.name)
        return [
            Draft(
                name=row.name,
                base=row.base,
                version=policy_from_body(row.body),
                created_by=row.created_by,
                created_at=row.created_at,
                changed_by=row.changed_by,
                changed_at=row.changed_at,
                comment=row.comment,
            )
            for row in self._session.scalars(query)
        ]

    def save_draft(self, draft: Draft) -> None:
        """Write a draft; its version says whose it is."""
        row = PolicyDraftRow(
            tenant_id=draft.version.tenant_id,
            name=draft.name,
            base=draft.base,
            created_by=draft.created_by,
            created_at=draft.created_at,
            changed_by=draft.changed_by,
            changed_at=draft.changed_at,
            comment=draft.comment,
            body=policy_body(draft.version),
        )
        self._write(row, f"draft {draft.name!r}")

    def delete_draft(self, tenant_id: str, name: str) -> None:
        """Delete a draft."""
        chosen = PolicyDraftRow.tenant_id == tenant_id, PolicyDraftRow.name == name
        self._session.execute(delete(PolicyDraftRow).where(*chosen))
        self._session.expire_all()

    def time_zone(self, name: str) -> tzinfo | None:
        """Return the time zone of that name, None where this machine knows none."""
        return clock.time_zone(name)
