"""What people and programs leave on calls and recordings: tags and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.models import CallAliasRow, CallRow, CallTagRow
from pbx_plugin.db.working import change_work, look_at_work
from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.working import Note
from pbx_plugin.services import working
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError

TAGS = 3
WAITS = timedelta(days=1)
"""How long a tag waits for a call that nobody has seen yet."""
MOST_WAITING = 10_000
"""Tags of one company that may wait so."""


class DatabaseRemarks:
    """Tags and notes. All raise StoreUnavailableError while the database is locked or away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def tags(self, tenant_id: str, names: Sequence[str]) -> tuple[str, str, str]:
        """Return a call's three tags, empty where none is set. ``names`` are its id and all its linkedids."""
        with reading(self._engine) as session:
            query = select(CallTagRow).where(CallTagRow.tenant_id == tenant_id, CallTagRow.name.in_(names))
            found = {row.slot: row.text for row in session.scalars(query.order_by(CallTagRow.at))}
        return found.get(1, ""), found.get(2, ""), found.get(3, "")

    def set_tags(self, desk: Desk, name: str, call_id: str | None, tags: Sequence[str | None]) -> None:
        """Set a call's tags: ``None`` leaves one as it is, an empty text takes it away.

        ``call_id`` is None where no call of that linkedid was seen yet; the tags then wait for it for a day.
        """
        with writing(self._engine) as session:
            names = [name, *_names(session, desk.tenant.id, call_id)] if call_id else [name]
            if call_id is None:
                _make_room(session, desk)
            own = CallTagRow.tenant_id == desk.tenant.id
            for slot, text in enumerate(tags, start=1):
                if text is None:
                    continue
                session.execute(delete(CallTagRow).where(own, CallTagRow.name.in_(names), CallTagRow.slot == slot))
                if text:
                    session.add(
                        CallTagRow(
                            tenant_id=desk.tenant.id,
                            name=call_id or name,
                            slot=slot,
                            text=text,
                            author=desk.actor,
                            at=desk.at,
                        )
                    )
            _note(session, desk, "call tagged", call_id or name, tags=list(tags))

    def notes(self, tenant_id: str, recording_id: str) -> Sequence[Note]:
        """Return a recording's notes, oldest first."""
        with look_at_work(self._engine) as work:
            return work.notes(tenant_id, recording_id)

    def add_note(self, desk: Desk, recording_id: str, text: str, at_ms: int | None) -> Note:
        """Add a note to one of the company's recordings. Raises NotFoundError and RefusedError."""
        with change_work(self._engine) as work:
            return working.add_note(work, replace(desk, directory=work.directory), None, recording_id, text, at_ms)

    def remove_note(self, desk: Desk, recording_id: str, note_id: str) -> bool:
        """Remove a note; False when there is none."""
        with change_work(self._engine) as work:
            there = any(note.id == note_id for note in work.notes(desk.tenant.id, recording_id))
            if there:
                working.remove_note(work, replace(desk, directory=work.directory), None, recording_id, note_id)
        return there


def _names(session: Session, tenant_id: str, call_id: str) -> list[str]:
    own = select(CallRow.id).where(CallRow.tenant_id == tenant_id, CallRow.id == call_id)
    aliases = select(CallAliasRow.linkedid).where(CallAliasRow.call_id.in_(own))
    return [call_id, *session.scalars(aliases)]


def _make_room(session: Session, desk: Desk) -> None:
    """Forget what waited in vain. Raises RefusedError when too many wait all the same."""
    # A name with a dot is a linkedid, a call's own id has none: only the former waits for a call.
    known = select(CallAliasRow.linkedid).where(CallAliasRow.linkedid == CallTagRow.name)
    waiting = (CallTagRow.tenant_id == desk.tenant.id, CallTagRow.name.contains("."), ~known.exists())
    session.execute(
        delete(CallTagRow).where(*waiting, CallTagRow.at < desk.at - WAITS),
        execution_options={"synchronize_session": False},
    )
    count = session.scalar(select(func.count()).select_from(CallTagRow).where(*waiting))
    if count is not None and count >= MOST_WAITING:
        raise RefusedError(f"{count} tags wait for calls that nobody has seen: tag calls that there are")


def _note(session: Session, desk: Desk, action: str, subject: str, **detail: object) -> None:
    entry = Audited(desk.new_id(), desk.tenant.id, desk.at, desk.actor, action, subject, detail)
    SqlDirectory(session).audit(entry)
