"""Saved searches and chosen columns in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine, delete, or_, select
from sqlalchemy.orm import Session

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import AccountChoiceRow, SavedSearchRow
from pbx_plugin.domain.access import Viewer
from pbx_plugin.services.saved_searches import COLUMNS, USUAL_COLUMNS, Saved

_COLUMNS: Final = "recordings columns"


class SqlSavedSearches:
    """One open transaction; see :class:`pbx_plugin.services.saved_searches.SavedStore`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def saved(self, tenant_id: str, account_id: str) -> Sequence[Saved]:
        """Return an account's own and the company's shared ones, by name."""
        seen = or_(SavedSearchRow.account_id == account_id, SavedSearchRow.shared.is_(True))
        query = select(SavedSearchRow).where(SavedSearchRow.tenant_id == tenant_id, seen)
        rows = self._session.scalars(query.order_by(SavedSearchRow.name, SavedSearchRow.id))
        return [
            Saved(row.id, row.tenant_id, row.account_id, row.name, row.query, row.shared, row.author, row.at)
            for row in rows
        ]

    def write(self, saved: Saved) -> None:
        """Write one, in the place of what has its id."""
        values = {name: getattr(saved, name) for name in Saved.__slots__}
        self._session.merge(SavedSearchRow(**values))

    def remove(self, saved_id: str) -> None:
        """Remove one."""
        self._session.execute(delete(SavedSearchRow).where(SavedSearchRow.id == saved_id))

    def columns(self, viewer: Viewer) -> tuple[str, ...]:
        """Return the columns of somebody's list, the usual ones where they chose none."""
        row = self._session.get(AccountChoiceRow, (viewer.account_id, _COLUMNS))
        chosen = row.value if row is not None and row.tenant_id == viewer.tenant_id else None
        kept = tuple(name for name in COLUMNS if isinstance(chosen, list) and name in chosen)
        return kept or USUAL_COLUMNS

    def choose_columns(self, viewer: Viewer, columns: Sequence[str]) -> None:
        """Keep the columns of somebody's list."""
        self._session.merge(
            AccountChoiceRow(
                account_id=viewer.account_id, name=_COLUMNS, tenant_id=viewer.tenant_id, value=list(columns)
            )
        )


@contextmanager
def saved_searches(engine: Engine, *, change: bool = False) -> Iterator[SqlSavedSearches]:
    """Open them: for looking, unless ``change``; a change is in force at the end, or not at all."""
    with writing(engine) if change else reading(engine) as session:
        yield SqlSavedSearches(session)
