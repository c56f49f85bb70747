"""Which index leads a search: chosen by looking, for no database knows how many rows a filter lets through.

Every filter that has an index is asked how many rows it has within the period, up to :data:`MANY`. The fewest lead and
are sorted. Where every filter has more, the list is walked in its own order, and a row of it soon fits: what has many
rows among a million is never far. Of several that each come in the list's order, the one whose rows lie farthest apart
leads. All others are asked of each row in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.orm import Session

from pbx_plugin.db.models import RecordingRow
from pbx_plugin.db.search_terms import Term, sealed, within
from pbx_plugin.services.search_times import Span
from pbx_plugin.services.searching import Sort

MANY: Final = 10_000
_KEYS: Final[dict[str, Any]] = {
    "length": RecordingRow.length_ms,
    "user": RecordingRow.user_name,
    "number": RecordingRow.other_number,
}
_WALKS: Final = {
    "date": "ix_recording_tenant_id_at",
    "length": "ix_recording_length",
    "user": "ix_recording_user",
    "number": "ix_recording_number",
}

_WITHOUT_COMPANY: Final = ("ix_recording_person_id_at", "ix_recording_call_id", "PRIMARY")
"""Indices that do not begin with the company."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The index that leads, empty where the database chooses; the term that it serves, None for the list's own order.

    ``by_period`` says that the index of time leads to a short period, whatever the list is sorted by. ``sorts`` says
    that rows do not come in the list's order.
    """

    index: str
    leads: Term | None = None
    by_period: bool = False
    sorts: bool = False


def choose(
    session: Session, tenant_id: str, terms: Sequence[Term], span: Span, sort: Sort, *, counting: bool = False
) -> Plan:
    """Look which index leads. Costs a millisecond or two for each filter that has one.

    For ``counting`` the list's order is nothing: one filter that has many rows is better than all rows there are.
    """
    walk = Plan(_WALKS[sort.by])
    candidates = [term for term in terms if term.index]
    if sort.by == "date" and (not candidates or (len(candidates) == 1 and candidates[0].ordered)):
        # Either comes in the list's order, with the period as a stretch of it.
        return Plan(candidates[0].index, candidates[0]) if candidates else walk
    few, leader = MANY, walk
    if span.since is not None or span.until is not None:
        own = select(literal(1)).where(RecordingRow.tenant_id == tenant_id, *within(span, RecordingRow.at))
        found = _rows(session, own, few)
        if found < few:
            few, leader = found, Plan(_WALKS["date"], by_period=True, sorts=sort.by != "date")
    for term in candidates:
        found = _rows(session, _of_term(term, tenant_id, span), few)
        if found < few:
            few, leader = found, Plan(term.index, term, sorts=not (term.ordered and sort.by == "date"))
    if few < MANY or (sort.by != "date" and not counting):
        return leader
    sparsest = _sparsest(session, tenant_id, [term for term in candidates if term.ordered], span, sort)
    if sparsest is None and counting and candidates:
        return Plan(candidates[0].index, candidates[0], sorts=True)
    return sparsest or leader


def _of_term(term: Term, tenant_id: str, span: Span) -> Select[Any]:
    if term.count is not None:
        return term.count
    counted = select(literal(1)).select_from(RecordingRow).where(term.plain, *within(span, RecordingRow.at))
    # Its users and calls are the company's own: their index alone says how many there are.
    return counted if term.index in _WITHOUT_COMPANY else counted.where(RecordingRow.tenant_id == tenant_id)


def _rows(session: Session, query: Select[Any], most: int) -> int:
    return session.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0


def _sparsest(session: Session, tenant_id: str, terms: Sequence[Term], span: Span, sort: Sort) -> Plan | None:
    """Return the ordered term whose rows lie farthest apart where the list begins, None where none is sparser."""
    if not terms:
        return None
    own = (RecordingRow.tenant_id == tenant_id, *within(span, RecordingRow.at))
    found: list[tuple[datetime, Term]] = []
    for term in terms:
        reach = select(RecordingRow.at).where(*own, term.plain)
        at = session.scalar(_ordered(reach, sort).offset(MANY - 1).limit(1))
        if at is not None:
            found.append((at, term))
    if not found:
        return None
    _, term = (min if sort.down else max)(found, key=lambda pair: pair[0])
    return Plan(term.index, term)


def _ordered(query: Select[Any], sort: Sort) -> Select[Any]:
    columns = (RecordingRow.at, RecordingRow.id)
    return query.order_by(*(column.desc() if sort.down else column.asc() for column in columns))


def asked(plan: Plan, tenant_id: str, terms: Sequence[Term], span: Span, sort: Sort) -> list[ColumnElement[bool]]:
    """Return company, period and terms as conditions, so that the plan's index leads."""
    walks_time = plan.by_period or (sort.by == "date" and (plan.leads is None or plan.leads.ordered))
    by_person = plan.leads is not None and plan.index in _WITHOUT_COMPANY
    tenant, period = RecordingRow.tenant_id == tenant_id, within(span, RecordingRow.at)
    if by_person:
        tenant = sealed(tenant)
    if not walks_time and plan.index != "ix_recording_person_id_at":
        period = [sealed(part) for part in period]
    return [tenant, *period, *(term.plain if term is plan.leads else sealed(term.probe) for term in terms)]


def key_of(sort: Sort) -> Any:
    """Return the column that a list is sorted by before time, None where time is all."""
    return _KEYS.get(sort.by)


def hinted(query: Select[Any], plan: Plan) -> Select[Any]:
    """Return the query with what MariaDB must be told so that it takes the plan's index."""
    if plan.index and plan.index != "PRIMARY":
        for dialect in ("mysql", "mariadb"):
            query = query.with_hint(RecordingRow, f"FORCE INDEX ({plan.index})", dialect)
    return query
