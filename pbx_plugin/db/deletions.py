"""Deletions in the database: who asked, who confirmed, what is done; and changed expiries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pbx_plugin.db.directory_session import handfuls
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.handing import is_held, note, recorded, rules_of
from pbx_plugin.db.models import DeletionRow, MediaRow, MediaState, RecordingRow, ShareLinkRow
from pbx_plugin.domain.handing import Deletable, DeletionState, Keeping, Obstacle, obstacle, wrong_expiry
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.deleting import Asked, Doomed
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import Recorded

SETTLED = (MediaState.STORED, MediaState.FAILED, MediaState.ERASED)


class DatabaseDeletions:
    """:class:`~pbx_plugin.services.deleting.Deletions`. All raise StoreUnavailableError while the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def obstacle(self, tenant_id: str, recording_id: str) -> str:
        """Return what speaks against deleting a recording now, empty when nothing does; for a look beforehand."""
        with reading(self._engine) as session:
            found = _found(session, tenant_id, recording_id)
            return str(obstacle(rules_of(session, tenant_id), _deletable(found)) or "") if found else "it is not there"

    def intend(self, desk: Desk, recording_id: str, account_id: str) -> DeletionState:
        """Write that a recording is to go: at once, or when a second person confirms. Audited. Raises RefusedError."""
        try:
            with writing(self._engine) as session:
                return _intend(session, desk, recording_id, account_id)
        except IntegrityError as error:
            # Somebody else asked in the same moment.
            raise RefusedError(f"recording {recording_id}: {Obstacle.ASKED}") from error

    def confirm(self, desk: Desk, recording_id: str, account_id: str) -> None:
        """Confirm what somebody else asked for; from now on it is gone. Audited. Raises RefusedError."""
        with writing(self._engine) as session:
            row = _waiting_row(session, desk, recording_id)
            if _same(row, desk, account_id):
                raise RefusedError(f"recording {recording_id}: you asked for it: another superuser must confirm")
            found = _found(session, desk.tenant.id, recording_id)
            why = obstacle(rules_of(session, desk.tenant.id), _deletable(found, asked=False)) if found else "is gone"
            if found is None or why is not None:
                raise RefusedError(f"recording {recording_id}: {why}")
            change = (
                update(DeletionRow)
                .where(DeletionRow.recording_id == recording_id, DeletionRow.state == DeletionState.ASKED)
                .values(state=DeletionState.CONFIRMED, confirmed_at=desk.at, confirmed_by=desk.actor)
            )
            if _count(session, change) != 1:
                raise RefusedError(f"recording {recording_id}: somebody else was quicker: look again")
            _bury(session, desk, found, asked_by=row.asked_by)

    def take_back(self, desk: Desk, recording_id: str) -> None:
        """Take back what was asked for and not confirmed yet. Audited. Raises RefusedError."""
        with writing(self._engine) as session:
            row = _waiting_row(session, desk, recording_id)
            gone = delete(DeletionRow).where(
                DeletionRow.recording_id == recording_id, DeletionRow.state == DeletionState.ASKED
            )
            if _count(session, gone) != 1:
                raise RefusedError(f"recording {recording_id}: somebody else was quicker: look again")
            note(session, desk, "deletion refused", recording_id, asked_by=row.asked_by)

    def waiting(self, tenant_id: str) -> Sequence[Asked]:
        """Return what waits for a second person, oldest first."""
        query = select(DeletionRow).where(DeletionRow.tenant_id == tenant_id, DeletionRow.state == DeletionState.ASKED)
        with reading(self._engine) as session:
            rows = session.scalars(query.order_by(DeletionRow.asked_at, DeletionRow.recording_id))
            return [Asked(row.recording_id, row.asked_at, row.asked_by, row.asked_account) for row in rows]

    def confirmed(self, recording_ids: Iterable[str] | None = None) -> Sequence[Doomed]:
        """Return what is confirmed and not done (of these), of every company."""
        query = (
            select(DeletionRow, MediaRow)
            .join(MediaRow, MediaRow.id == DeletionRow.media_id)
            .where(DeletionRow.state == DeletionState.CONFIRMED)
            .order_by(DeletionRow.asked_at, DeletionRow.recording_id)
        )
        found: list[Doomed] = []
        with reading(self._engine) as session:
            for ids in handfuls(recording_ids) if recording_ids is not None else [None]:
                chosen = query if ids is None else query.where(DeletionRow.recording_id.in_(ids))
                found += [_doomed(row, media) for row, media in session.execute(chosen)]
        return found

    def last_on_media(self, doomed: Doomed) -> bool:
        """Whether nobody else's recording needs the sound any more. Whoever is confirmed last sees that it is so."""
        others = select(RecordingRow.id).where(
            RecordingRow.media_id == doomed.media_id, RecordingRow.deleted_at.is_(None)
        )
        with reading(self._engine) as session:
            return session.scalar(others.limit(1)) is None

    def finish(self, doomed: Doomed, at: datetime, *, erased: bool) -> bool:
        """Write that nothing is left to do; False when somebody else had written it. Hash and length stay as proof."""
        with writing(self._engine) as session:
            if erased:
                media = session.get(MediaRow, doomed.media_id, with_for_update=True)
                if media is not None and media.state is not MediaState.ERASED:
                    media.state, media.erased_at = MediaState.ERASED, at
                if media is not None:
                    media.path = media.peaks_path = ""
                session.flush()
            done = (
                update(DeletionRow)
                .where(DeletionRow.recording_id == doomed.recording_id, DeletionRow.state == DeletionState.CONFIRMED)
                .values(state=DeletionState.DONE, done_at=at)
            )
            return _count(session, done) == 1

    def change_expiry(self, desk: Desk, recording_id: str, wanted: datetime, *, dry_run: bool = False) -> Recorded:
        """Let a recording go at another time (UTC). Audited with before and after; the same again changes nothing.

        Raises RefusedError when it may not be so, see :func:`pbx_plugin.domain.handing.wrong_expiry`.
        """
        with writing(self._engine) as session:
            found = _found(session, desk.tenant.id, recording_id)
            if found is None:
                raise RefusedError(f"no recording {recording_id!r}")
            kept = Keeping(
                found.at, found.expires_at, found.told_days, found.deletable_by_hand, found.deleted_at is not None
            )
            if found.expires_at == wanted:
                return found
            wrong = wrong_expiry(kept, wanted, desk.at.date())
            if wrong:
                raise RefusedError(f"recording {recording_id}: {wrong}")
            if dry_run:
                return found
            before = (
                RecordingRow.expires_at == found.expires_at if found.expires_at else RecordingRow.expires_at.is_(None)
            )
            change = (
                update(RecordingRow)
                .where(RecordingRow.id == recording_id, RecordingRow.deleted_at.is_(None), before)
                .values(expires_at=wanted)
            )
            if _count(session, change) != 1:
                raise RefusedError(f"recording {recording_id}: somebody else has just changed it: look again")
            was = found.expires_at.isoformat() if found.expires_at else None
            note(session, desk, "expiry changed", recording_id, expires_at=[was, wanted.isoformat()])
            session.expire_all()
            return recorded(session, RecordingRow.id == recording_id)[recording_id]


def _intend(session: Session, desk: Desk, recording_id: str, account_id: str) -> DeletionState:
    found = _found(session, desk.tenant.id, recording_id)
    if found is None:
        raise RefusedError(f"no recording {recording_id!r}")
    rules = rules_of(session, desk.tenant.id)
    why = obstacle(rules, _deletable(found))
    if why is not None:
        raise RefusedError(f"recording {recording_id}: {why}")
    state = DeletionState.ASKED if rules.second_person else DeletionState.CONFIRMED
    row = {
        "recording_id": recording_id,
        "tenant_id": desk.tenant.id,
        "media_id": found.media_id,
        "state": state,
        "asked_at": desk.at,
        "asked_by": desk.actor,
        "asked_account": account_id,
        "confirmed_at": None if rules.second_person else desk.at,
        "confirmed_by": "" if rules.second_person else desk.actor,
    }
    session.execute(insert(DeletionRow), [row])
    if state is DeletionState.CONFIRMED:
        _bury(session, desk, found)
    else:
        note(session, desk, "deletion asked", recording_id, call=found.call_id)
    return state


def _bury(session: Session, desk: Desk, found: Recorded, **more: Any) -> None:
    """Make a tombstone of a recording, for everybody and in this transaction, and revoke its links."""
    change = (
        update(RecordingRow)
        .where(
            RecordingRow.id == found.recording_id,
            RecordingRow.tenant_id == desk.tenant.id,
            RecordingRow.deleted_at.is_(None),
            RecordingRow.deletable_by_hand.is_(True),
            ~is_held(),
        )
        .values(deleted_at=desk.at)
    )
    if _count(session, change) != 1:
        raise RefusedError(f"recording {found.recording_id}: it was deleted or held a moment ago: look again")
    links = update(ShareLinkRow).where(
        ShareLinkRow.recording_id == found.recording_id, ShareLinkRow.revoked_at.is_(None)
    )
    _count(session, links.values(revoked_at=desk.at, revoked_by=desk.actor))
    note(
        session,
        desk,
        "deleted",
        found.recording_id,
        call=found.call_id,
        media=found.media_id,
        at=found.at.isoformat(),
        length_ms=found.length_ms,
        sha256=found.sha256,
        **more,
    )


def _found(session: Session, tenant_id: str, recording_id: str) -> Recorded | None:
    chosen = (RecordingRow.tenant_id == tenant_id, RecordingRow.id == recording_id)
    return recorded(session, *chosen).get(recording_id)


def _deletable(found: Recorded, *, asked: bool | None = None) -> Deletable:
    return Deletable(
        recording_id=found.recording_id,
        media_id=found.media_id,
        settled=found.state in {state.value for state in SETTLED},
        deletable_by_hand=found.deletable_by_hand,
        held=found.held,
        deleted=found.deleted_at is not None,
        asked=bool(found.deletion) if asked is None else asked,
    )


def _waiting_row(session: Session, desk: Desk, recording_id: str) -> DeletionRow:
    row = session.get(DeletionRow, recording_id)
    if row is None or row.tenant_id != desk.tenant.id or row.state is not DeletionState.ASKED:
        raise RefusedError(f"recording {recording_id}: nobody has asked to delete it, or it is decided already")
    return row


def _same(row: DeletionRow, desk: Desk, account_id: str) -> bool:
    """Whether the second person is the first: by account, else (command line, programs) by the audit's name."""
    return row.asked_account == account_id if row.asked_account or account_id else row.asked_by == desk.actor


def _doomed(row: DeletionRow, media: MediaRow) -> Doomed:
    return Doomed(
        recording_id=row.recording_id,
        tenant_id=media.tenant_id or row.tenant_id,
        media_id=row.media_id,
        intended_at=media.intended_at,
        spool_in=media.spool_in,
        spool_out=media.spool_out,
        path=media.path,
        peaks_path=media.peaks_path,
    )


def _count(session: Session, statement: Any) -> int:
    # Past the session's own book-keeping, which does not say how many rows a statement met.
    session.flush()
    result: Any = session.connection().execute(statement)
    return int(result.rowcount)
