"""Calls and parts of calls that were not recorded, and why: decisions against it, and gaps where it was due.

Each decision is one user's part in a call. It is listed when it was the last one of that part and nothing of the part
was recorded. A gap is listed for itself: there should have been a recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import CallRow, DecisionRow, GapRow, PersonRow, RecordingRow
from pbx_plugin.db.search_terms import within
from pbx_plugin.domain.access import Scope
from pbx_plugin.domain.decision import Verdict
from pbx_plugin.services.search_times import Span

PAGE: Final = 50
VERDICTS: Final = (Verdict.NO, Verdict.NEVER, Verdict.ARMED)


class Why(StrEnum):
    """Why nothing was recorded: the three verdicts against it, or a gap."""

    NO = "no"
    NEVER = "never"
    ARMED = "armed"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A part of a call that was not recorded. ``reason`` is the rule's name, or the gap's own words.

    ``until`` is a gap's end, None while it goes on and for what is no gap.
    """

    id: str
    call_id: str
    why: Why
    at: datetime
    user_id: str
    user_name: str
    extension: str
    direction: str
    other_raw: str
    other_e164: str
    ddi: str
    rule: int
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnrecordedPage:
    """One page, newest first; ``after`` is time and id of its last row, None where nothing follows."""

    rows: tuple[Unrecorded, ...]
    after: tuple[datetime, str] | None


class DatabaseUnrecorded:
    """Raises StoreUnavailableError while the database is locked or away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self,
        scope: Scope,
        span: Span,
        *,
        kinds: Sequence[Why] = tuple(Why),
        user: str = "",
        after: tuple[datetime, str] | None = None,
        size: int = PAGE,
    ) -> UnrecordedPage:
        """Return a page of what was not recorded within the span. ``user`` is an extension or a part of a name.

        It is for those who see the whole company: a scope that does not finds nothing.
        """
        if not scope.everything:
            return UnrecordedPage((), None)
        wanted = [kind for kind in Why if kind in kinds]
        with reading(self._engine) as session:
            found: list[tuple[Why, Any]] = []
            for kind in wanted:
                people = _people(user, scope.tenant_id)
                rows = _gaps if kind is Why.GAP else _decided
                found += [(kind, row) for row in rows(session, scope, span, kind, people, after, size + 1)]
            found.sort(key=lambda pair: _key(pair[1]), reverse=True)
            some = found[:size]
            shown = tuple(_told(session, scope, some))
        return UnrecordedPage(shown, _key(some[-1][1]) if len(found) > size else None)


def _key(row: DecisionRow | GapRow) -> tuple[datetime, str]:
    return (row.since if isinstance(row, GapRow) else row.at, row.id)


def _people(user: str, tenant_id: str) -> Any:
    if not user:
        return None
    called = or_(PersonRow.extension == user, PersonRow.id == user, PersonRow.name.icontains(user, autoescape=True))
    return select(PersonRow.id).where(PersonRow.tenant_id == tenant_id, called)


def _behind(at: Any, row_id: Any, after: tuple[datetime, str] | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    return [at <= after[0], or_(at < after[0], row_id < after[1])]


def _decided(
    session: Session, scope: Scope, span: Span, kind: Why, people: Any, after: tuple[datetime, str] | None, limit: int
) -> Iterable[DecisionRow]:
    row, later = DecisionRow, aliased(DecisionRow)
    came_later = or_(later.at > row.at, and_(later.at == row.at, later.id > row.id))
    superseded = exists().where(later.call_id == row.call_id, later.person_id == row.person_id, came_later)
    recorded = exists().where(RecordingRow.call_id == row.call_id, RecordingRow.person_id == row.person_id)
    query = select(row).where(row.tenant_id == scope.tenant_id, row.verdict == kind.value, *within(span, row.at))
    query = query.where(~superseded, ~recorded, *_behind(row.at, row.id, after))
    if people is not None:
        query = query.where(row.person_id.in_(people))
    return session.scalars(query.order_by(row.at.desc(), row.id.desc()).limit(limit))


def _gaps(
    session: Session, scope: Scope, span: Span, kind: Why, people: Any, after: tuple[datetime, str] | None, limit: int
) -> Iterable[GapRow]:
    del kind
    row = GapRow
    query = select(row).where(row.tenant_id == scope.tenant_id, *within(span, row.since))
    query = query.where(*_behind(row.since, row.id, after))
    if people is not None:
        query = query.where(row.person_id.in_(people))
    return session.scalars(query.order_by(row.since.desc(), row.id.desc()).limit(limit))


def _told(session: Session, scope: Scope, found: Sequence[tuple[Why, Any]]) -> Iterable[Unrecorded]:
    own = PersonRow.tenant_id == scope.tenant_id
    people_ids, call_ids = {row.person_id for _, row in found}, {row.call_id for _, row in found}
    people = {row.id: row for row in session.scalars(select(PersonRow).where(own, PersonRow.id.in_(people_ids)))}
    of_company = CallRow.tenant_id == scope.tenant_id
    calls = {row.id: row for row in session.scalars(select(CallRow).where(of_company, CallRow.id.in_(call_ids)))}
    for kind, row in found:
        person, call = people.get(row.person_id), calls.get(row.call_id)
        outgoing = call is not None and call.direction == "outgoing"
        gap = isinstance(row, GapRow)
        yield Unrecorded(
            id=row.id,
            call_id=row.call_id,
            why=kind,
            at=row.since if gap else row.at,
            user_id=row.person_id,
            user_name=person.name if person else "",
            extension=(person.extension or "") if person else "",
            direction=call.direction if call else "",
            other_raw="" if call is None else call.dialled_raw if outgoing else call.caller_raw,
            other_e164="" if call is None or outgoing else call.caller_e164,
            ddi="" if call is None else call.ddi_e164 or call.ddi_raw,
            rule=0 if gap else row.rule,
            reason=row.reason if gap else row.rule_name,
            until=row.until if gap else None,
        )
