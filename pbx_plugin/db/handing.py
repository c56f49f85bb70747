"""Recordings as they are handed on and deleted, and each company's switches for that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, exists, select
from sqlalchemy.orm import Session

from pbx_plugin.db.access import conditions
from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.directory_session import handfuls
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.expiry import shared_keep_days
from pbx_plugin.db.models import (
    CallRow,
    ConsentRow,
    DeletionRow,
    HandingRulesRow,
    LegalHoldRow,
    MediaRow,
    PersonRow,
    RecordingGroupMemberRow,
    RecordingRow,
)
from pbx_plugin.domain.access import UNDEFINED_DEPARTMENT, Scope
from pbx_plugin.domain.consent_ivr import Outcome
from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.handing import Rules
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.handing import Recorded, differences
from pbx_plugin.services.people_records import Role


class DatabaseHanding:
    """:class:`~pbx_plugin.services.handing.RecordedSource` and :class:`~pbx_plugin.services.handing.RulesStore`.

    All raise StoreUnavailableError while the database is locked or away.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def one(self, scope: Scope, recording_id: str) -> Recorded | None:
        """Return a recording, None where there is none within the scope. A deleted one is there as a tombstone."""
        return self.some(scope, [recording_id]).get(recording_id)

    def some(self, scope: Scope, recording_ids: Sequence[str]) -> Mapping[str, Recorded]:
        """Return those of the recordings that are within the scope, by id."""
        with reading(self._engine) as session:
            found: dict[str, Recorded] = {}
            for ids in handfuls(dict.fromkeys(recording_ids)):
                found |= recorded(session, *conditions(scope), RecordingRow.id.in_(ids))
            return found

    def rules(self, tenant_id: str) -> Rules:
        """Return a company's switches in force."""
        with reading(self._engine) as session:
            return rules_of(session, tenant_id)

    def save_rules(self, desk: Desk, rules: Rules) -> None:
        """Write a company's switches, audited with what changed; nothing is written when nothing does."""
        with writing(self._engine) as session:
            before = rules_of(session, desk.tenant.id)
            if before == rules:
                return
            values = {name: getattr(rules, name) for name in Rules.__dataclass_fields__}
            session.merge(HandingRulesRow(tenant_id=desk.tenant.id, **values))
            note(session, desk, "handing rules changed", desk.tenant.id, **differences(before, rules))


def rules_of(session: Session, tenant_id: str) -> Rules:
    """Return a company's switches in force."""
    row = session.get(HandingRulesRow, tenant_id)
    return Rules(**{name: getattr(row, name) for name in Rules.__dataclass_fields__}) if row else Rules()


def is_held() -> ColumnElement[bool]:
    """Return the condition that a recording is under a legal hold."""
    return exists().where(LegalHoldRow.recording_id == RecordingRow.id, LegalHoldRow.released_at.is_(None))


def recorded(session: Session, *chosen: ColumnElement[bool]) -> dict[str, Recorded]:
    """Return the chosen recordings by id, newest first."""
    told = and_(
        ConsentRow.id == RecordingRow.evidence_id,
        ConsentRow.tenant_id == RecordingRow.tenant_id,
        ConsentRow.outcome == Outcome.GIVEN.value,
    )
    person = and_(PersonRow.id == RecordingRow.person_id, PersonRow.tenant_id == RecordingRow.tenant_id)
    query = (
        select(
            RecordingRow,
            MediaRow,
            CallRow.dialled_raw,
            ConsentRow.keep_days,
            PersonRow.department_id,
            DeletionRow.state,
            is_held(),
        )
        .join(MediaRow, MediaRow.id == RecordingRow.media_id)
        .outerjoin(CallRow, CallRow.id == RecordingRow.call_id)
        .outerjoin(ConsentRow, told)
        .outerjoin(PersonRow, person)
        .outerjoin(DeletionRow, DeletionRow.recording_id == RecordingRow.id)
        .where(*chosen)
        .order_by(RecordingRow.at.desc(), RecordingRow.id.desc())
    )
    rows = session.execute(query).all()
    groups = _groups(session, {row.person_id for row, *_ in rows})
    shared = shared_keep_days(session, (row.media_id for row, *_ in rows))
    return {
        row.id: _recorded(
            row,
            media,
            groups.get(row.person_id, frozenset()),
            dialled,
            min(filter(None, (keep_days, shared.get(row.media_id))), default=None),
            department_id,
            state,
            held,
        )
        for row, media, dialled, keep_days, department_id, state, held in rows
    }


def note(session: Session, desk: Desk, action: str, subject: str, **detail: Any) -> None:
    """Audit something in the session's transaction."""
    entry = Audited(desk.new_id(), desk.tenant.id, desk.at, desk.actor, action, subject, detail)
    SqlDirectory(session).audit(entry)


def _recorded(
    row: RecordingRow,
    media: MediaRow,
    groups: frozenset[str],
    dialled: str | None,
    keep_days: int | None,
    department_id: str | None,
    deletion: str | None,
    held: bool,
) -> Recorded:
    gone = row.deleted_at is not None
    return Recorded(
        recording_id=row.id,
        media_id=row.media_id,
        call_id=row.call_id,
        tenant_id=row.tenant_id,
        person_id=row.person_id,
        department_id=department_id or UNDEFINED_DEPARTMENT,
        recording_group_ids=groups,
        at=row.at,
        user_name=row.user_name,
        extension=row.extension,
        direction=row.direction,
        other=row.other_e164 or row.other_raw,
        dialled=row.ddi or dialled or "",
        evidence_id=row.evidence_id,
        state="deleted" if gone else media.state.value,
        path="" if gone else media.path,
        peaks_path="" if gone else media.peaks_path,
        sha256=media.sha256,
        size=media.size,
        rate=media.rate,
        length_ms=media.length_ms,
        user_side=row.user_side,
        expires_at=row.expires_at,
        told_days=keep_days or None,
        deletable_by_hand=row.deletable_by_hand,
        held=bool(held),
        deleted_at=row.deleted_at,
        deletion=deletion or "",
    )


def _groups(session: Session, people: set[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for ids in handfuls(sorted(people)):
        query = select(RecordingGroupMemberRow.person_id, RecordingGroupMemberRow.group_id).where(
            RecordingGroupMemberRow.person_id.in_(ids), RecordingGroupMemberRow.role == Role.MEMBER
        )
        for person_id, group_id in session.execute(query):
            found[person_id].add(group_id)
    return {person_id: frozenset(groups) for person_id, groups in found.items()}
