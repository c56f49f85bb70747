"""Listening in the audit: one entry for each session and recording, not one for each part that a player fetches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Protocol

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import ListeningRow
from pbx_plugin.services.audit import Desk

WINDOW = timedelta(minutes=30)
"""Whoever goes on listening after this long is in the audit again."""


class Sounding(Protocol):
    """A recording, as far as the audit tells of it."""

    @property
    def recording_id(self) -> str:
        """Its id."""
        ...

    @property
    def call_id(self) -> str:
        """Its call's id."""
        ...

    @property
    def length_ms(self) -> int:
        """How long it plays."""
        ...


class DatabaseListening:
    """Notes who listens. Raises StoreUnavailableError while the database is locked or away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def heard(self, desk: Desk, found: Sounding, session_id: str) -> bool:
        """Audit that somebody listens now; False when this session's listening was audited within :data:`WINDOW`.

        ``session_id`` is a session of the portal, or ``token:ID`` for a program with a token.
        It is in the audit when this returns: only then may a byte of the sound go out.
        """
        listener = sha256(session_id.encode()).hexdigest()
        own = (
            ListeningRow.recording_id == found.recording_id,
            ListeningRow.listener == listener,
            ListeningRow.tenant_id == desk.tenant.id,
        )
        fresh = ListeningRow.at > desk.at - WINDOW
        with reading(self._engine) as session:
            # Parts come by the dozen: most find that it has been told, and take no lock.
            if session.scalar(select(ListeningRow.at).where(*own, fresh)) is not None:
                return False
        with writing(self._engine) as session:
            connection = session.connection()
            connection.execute(delete(ListeningRow).where(ListeningRow.at <= desk.at - 2 * WINDOW))
            done = connection.execute(update(ListeningRow).where(*own, ~fresh).values(at=desk.at)).rowcount
            if not done:
                row = {"recording_id": found.recording_id, "listener": listener, "tenant_id": desk.tenant.id}
                try:
                    with session.begin_nested():
                        connection.execute(insert(ListeningRow).values(**row, at=desk.at))
                except IntegrityError:
                    return False  # another request of the same session has told it since
            noting = replace(desk, directory=SqlDirectory(session))
            noting.note("listened", found.recording_id, call=found.call_id, seconds=round(found.length_ms / 1000, 1))
        return True
