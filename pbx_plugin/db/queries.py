"""Reads calls and recordings for people: lists, and everything about one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Engine, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.selectable import GenerativeSelect

from pbx_plugin.db import read_rows
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import (
    CallAliasRow,
    CallMarkRow,
    CallRow,
    ConsentRow,
    DecisionRow,
    GapRow,
    LegRow,
    MediaRow,
    PartyEventRow,
    PersonRow,
    RecordingRow,
)
from pbx_plugin.db.views import CallDetail, CallView, ConsentView, DecisionView, RecordingDetail, RecordingView

_SHORTEST_PREFIX = 4


_MOST = 2**31 - 1
"""Rows that every database can be asked for."""

_Asked = TypeVar("_Asked", bound=GenerativeSelect)


class NotFoundError(LookupError):
    """There is nothing by that name."""


class AmbiguousError(LookupError):
    """Several have that name: ``ids`` says which."""

    def __init__(self, asked: str, ids: Iterable[str]) -> None:
        self.ids = tuple(ids)
        super().__init__(f"{asked!r} may be any of: {', '.join(self.ids)}")


def at_most(query: _Asked, limit: int) -> _Asked:
    """Return the query for the first ``limit`` rows, however large that is; 0 is no limit."""
    return query.limit(min(limit, _MOST)) if limit else query


class DatabaseQueries:
    """Reads of one consistent moment each. All raise StoreUnavailableError while the database is locked or away.

    ``tenant_id`` None means every tenant, for the machine's own admin; a person's view always names theirs.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list_calls(
        self, tenant_id: str | None = None, *, limit: int = 50, since: datetime | None = None
    ) -> tuple[CallView, ...]:
        """Return calls that began at or after ``since``, newest first; ``limit`` 0 is no limit."""
        query = select(CallRow).order_by(CallRow.began_at.desc(), CallRow.id.desc())
        query = query.where(*_is(CallRow.tenant_id, tenant_id))
        if since is not None:
            query = query.where(CallRow.began_at >= since)
        query = at_most(query, limit)
        with reading(self._engine) as session:
            return _call_views(session, session.scalars(query).all())

    def call_detail(self, name: str, tenant_id: str | None = None) -> CallDetail:
        """Return everything about a call, by its id, a linkedid, or the first characters (4 or more) of its id.

        Raises NotFoundError or AmbiguousError.
        """
        with reading(self._engine) as session:
            row = _find_call(session, name, tenant_id)
            return _call_detail(session, row)

    def list_recordings(
        self,
        tenant_id: str | None = None,
        *,
        limit: int = 50,
        since: datetime | None = None,
        call_id: str | None = None,
    ) -> tuple[RecordingView, ...]:
        """Return recordings that began at or after ``since``, newest first; ``limit`` 0 is no limit."""
        query = _recordings().order_by(RecordingRow.at.desc(), RecordingRow.id.desc())
        query = query.where(*_is(RecordingRow.tenant_id, tenant_id), *_is(RecordingRow.call_id, call_id))
        if since is not None:
            query = query.where(RecordingRow.at >= since)
        query = at_most(query, limit)
        with reading(self._engine) as session:
            return tuple(read_rows.recording(row, media) for row, media in session.execute(query))

    def recording_detail(self, name: str, tenant_id: str | None = None) -> RecordingDetail:
        """Return everything about a recording, by its id or the first characters (4 or more) of it.

        Raises NotFoundError or AmbiguousError.
        """
        with reading(self._engine) as session:
            found = _by_id(session, RecordingRow.id, name, _is(RecordingRow.tenant_id, tenant_id))
            if found is None:
                raise NotFoundError(f"no recording {name!r}")
            row, media = session.execute(_recordings().where(RecordingRow.id == found)).one()
            call = session.get(CallRow, row.call_id)
            decision = session.get(DecisionRow, row.decision_id)
            consent = session.get(ConsentRow, row.evidence_id)
            return RecordingDetail(
                recording=read_rows.recording(row, media),
                call=_call_views(session, [call])[0] if call else None,
                decision=_decisions(session, [decision])[0] if decision else None,
                consent=read_rows.consent(consent) if consent else None,
            )


def _is(column: InstrumentedAttribute[str], value: str | None) -> list[ColumnElement[bool]]:
    return [] if value is None else [column == value]


def _by_id(
    session: Session, column: InstrumentedAttribute[str], name: str, where: list[ColumnElement[bool]]
) -> str | None:
    exact = session.scalar(select(column).where(column == name, *where))
    if exact is not None or len(name) < _SHORTEST_PREFIX:
        return exact
    like = column.startswith(name, autoescape=True)
    found = session.scalars(select(column).where(like, *where).order_by(column).limit(10)).all()
    if len(found) > 1:
        raise AmbiguousError(name, found)
    return found[0] if found else None


def _find_call(session: Session, name: str, tenant_id: str | None) -> CallRow:
    own = _is(CallRow.tenant_id, tenant_id)
    by_linkedid = select(CallRow.id).join(CallAliasRow, CallAliasRow.call_id == CallRow.id)
    found = session.scalars(
        by_linkedid.where(CallAliasRow.linkedid == name, *own).order_by(CallRow.began_at, CallRow.id)
    ).all()
    if len(found) > 1:
        raise AmbiguousError(name, found)
    call_id = found[0] if found else _by_id(session, CallRow.id, name, own)
    if call_id is None:
        raise NotFoundError(f"no call {name!r}")
    return session.get_one(CallRow, call_id)


def _call_detail(session: Session, row: CallRow) -> CallDetail:
    merged = _merged_from(session, row.id)
    ids = [row.id, *(call.id for call in merged)]
    aliases = session.scalars(select(CallAliasRow.linkedid).where(CallAliasRow.call_id.in_(ids))).all()
    legs = session.scalars(select(LegRow).where(LegRow.call_id.in_(ids)).order_by(LegRow.joined_at, LegRow.channel_id))
    steps = session.scalars(
        select(PartyEventRow).where(PartyEventRow.call_id.in_(ids)).order_by(PartyEventRow.at, PartyEventRow.seq)
    )
    marks = session.scalars(
        select(CallMarkRow).where(CallMarkRow.call_id.in_(ids)).order_by(CallMarkRow.at, CallMarkRow.seq)
    ).all()
    decisions = session.scalars(
        select(DecisionRow).where(DecisionRow.call_id.in_(ids)).order_by(DecisionRow.at, DecisionRow.id)
    ).all()
    recordings = session.execute(
        _recordings().where(RecordingRow.call_id.in_(ids)).order_by(RecordingRow.at, RecordingRow.segment)
    )
    gaps = session.scalars(select(GapRow).where(GapRow.call_id.in_(ids)).order_by(GapRow.since, GapRow.id)).all()
    leg_rows = legs.all()
    names = _names(session, [*(leg.person_id for leg in leg_rows), *(gap.person_id for gap in gaps)])
    return CallDetail(
        call=_call_views(session, [row])[0],
        linkedids=tuple(sorted(set(aliases))),
        merged_from=_call_views(session, merged),
        legs=tuple(read_rows.leg(leg, names) for leg in leg_rows),
        timeline=tuple(read_rows.step(step) for step in steps),
        marks=tuple(read_rows.mark(mark) for mark in marks),
        decisions=_decisions(session, decisions),
        consents=_consents(session, row.tenant_id, aliases, {mark.evidence_id for mark in marks}),
        recordings=tuple(read_rows.recording(recording, media) for recording, media in recordings),
        gaps=tuple(read_rows.gap(gap, names) for gap in gaps),
    )


def _merged_from(session: Session, call_id: str) -> list[CallRow]:
    """Return the calls that ended in this one, and those that ended in them; each once, whatever the links say."""
    found: dict[str, CallRow] = {}
    asked = {call_id}
    while asked:
        rows = session.scalars(select(CallRow).where(CallRow.merged_into.in_(asked))).all()
        asked = {row.id for row in rows} - found.keys() - {call_id}
        found |= {row.id: row for row in rows if row.id in asked}
    return sorted(found.values(), key=lambda row: (row.began_at, row.id))


def _call_views(session: Session, rows: Sequence[CallRow]) -> tuple[CallView, ...]:
    verdicts: dict[str, list[str]] = defaultdict(list)
    recordings: dict[str, int] = {}
    for ids in _batched([row.id for row in rows]):
        taken = select(DecisionRow.call_id, DecisionRow.verdict).where(DecisionRow.call_id.in_(ids))
        for call_id, verdict in session.execute(taken.order_by(DecisionRow.at, DecisionRow.id)):
            verdicts[call_id].append(verdict)
        made = select(RecordingRow.call_id, func.count()).where(RecordingRow.call_id.in_(ids))
        recordings |= dict(session.execute(made.group_by(RecordingRow.call_id)).all())
    return tuple(read_rows.call(row, tuple(verdicts[row.id]), recordings.get(row.id, 0)) for row in rows)


def _decisions(session: Session, rows: Sequence[DecisionRow]) -> tuple[DecisionView, ...]:
    names = _names(session, [row.person_id for row in rows])
    return tuple(read_rows.decision(row, names) for row in rows)


def _consents(
    session: Session, tenant_id: str, linkedids: Sequence[str], evidence_ids: Collection[str]
) -> tuple[ConsentView, ...]:
    # The tenant keeps out another machine's equal linkedid, and what another company's caller said to that company.
    mine = or_(ConsentRow.linkedid.in_(linkedids), ConsentRow.id.in_(evidence_ids))
    query = select(ConsentRow).where(ConsentRow.tenant_id == tenant_id, mine)
    return tuple(read_rows.consent(row) for row in session.scalars(query.order_by(ConsentRow.asked_at, ConsentRow.id)))


def _names(session: Session, person_ids: Iterable[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for ids in _batched(sorted(set(person_ids) - {""})):
        query = select(PersonRow.id, PersonRow.name).where(PersonRow.id.in_(ids))
        names |= dict(session.execute(query).all())
    return names


def _recordings() -> Select[RecordingRow, MediaRow]:
    return select(RecordingRow, MediaRow).join(MediaRow, MediaRow.id == RecordingRow.media_id)


def _batched(ids: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    # A database takes only so many values in one statement.
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
