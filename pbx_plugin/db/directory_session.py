"""What the parts of the directory share: one session, and how a conflict is told."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pbx_plugin.db.base import Base
from pbx_plugin.services.directory import RefusedError


class SessionTables:
    """Tables seen through one session; rows are flushed at once, so that a conflict is told where it happens."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _write(self, row: Base, what: str = "it") -> None:
        self._session.merge(row)
        self._flush(what)

    def _flush(self, what: str) -> None:
        # Use cases look before they write, within one company; what is left is one Asterisk shared by several,
        # or somebody else's change a moment ago.
        try:
            self._session.flush()
        except IntegrityError as error:
            raise RefusedError(f"{what} is taken, perhaps by another company or a moment ago: look again") from error
