"""Finds recordings for a viewer: one page at a time by the key of the last row, restricted to what they may see.

A page costs the same wherever it lies, as its beginning is looked up and not counted to. What comes in meanwhile is in
front of the first page and disturbs none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from pbx_plugin.clock import time_zone
from pbx_plugin.db import access, read_rows, search_plan
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import (
    CallTagRow,
    ChoiceRow,
    HuntGroupRow,
    MediaRow,
    PolicyVersionRow,
    RecordingRow,
    TenantRow,
)
from pbx_plugin.db.rulebook import policy_from_body
from pbx_plugin.db.search_plan import Plan
from pbx_plugin.db.search_terms import Company, Term, sealed, terms, veiled
from pbx_plugin.db.views import RecordingView
from pbx_plugin.domain.access import Scope
from pbx_plugin.services.search_cursor import Cursor
from pbx_plugin.services.search_times import Span, company_zone, times
from pbx_plugin.services.searching import Search, Sort

MOST_COUNTED: Final = 10_000
PAGE: Final = 50
LARGEST_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A recording with what is marked on it. ``outcome`` and ``response`` are their lists' words, empty for none."""

    recording: RecordingView
    flag: str
    tag: str
    outcome: str
    response: str
    evaluated: bool
    group_name: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Journey:
    """A call's segments that were found, as one row: in the list's order, the first is where the list has the call."""

    segments: tuple[Found, ...]

    @property
    def lead(self) -> Found:
        """Return the segment that stands for the call."""
        return self.segments[0]


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``after`` is where the next one begins, None where there is none."""

    journeys: tuple[Journey, ...]
    after: Cursor | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many recordings there are; ``more`` says that there are more than that, and nobody counted on."""

    number: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """A search as it is put to the database."""

    search: Search
    tenant_id: str
    terms: tuple[Term, ...]
    span: Span
    plan: Plan
    reach: tuple[ColumnElement[bool], ...]

    def conditions(self) -> list[ColumnElement[bool]]:
        asked = search_plan.asked(self.plan, self.tenant_id, self.terms, self.span, self.search.sort)
        return [*asked, *self.reach]


class DatabaseSearch:
    """Searches of one consistent moment each. All raise StoreUnavailableError while the database is locked or away,
    and SearchError for a search that this company cannot make (office hours without a schedule)."""

    def __init__(self, engine: Engine, zone: tzinfo | None = None) -> None:
        """``zone`` is the wall clock of companies without a schedule; without it their country's main one."""
        self._engine = engine
        self._zone = zone
        self._dialect = engine.dialect.name

    def page(
        self, scope: Scope, search: Search, now: datetime, *, after: Cursor | None = None, size: int = PAGE
    ) -> Page:
        """Return a page of what the search finds within the scope, ``size`` recordings at most.

        Segments of one call are one journey, on the page that has the first of them; so a page may have fewer rows.
        """
        size = max(1, min(size, LARGEST_PAGE))
        shown = after.shown if after else 0
        left = search.limit - shown if search.limit else size + 1
        if left <= 0:
            return Page((), None)
        with _looking(self._engine) as session:
            question = self._question(session, scope, search, now)
            query = self._listed(question, after).limit(min(size, left) + 1)
            rows = session.scalars(search_plan.hinted(query, question.plan)).all()
            some, more = rows[: min(size, left)], len(rows) > min(size, left) and left > size
            journeys = self._journeys(session, question, some)
        if not more:
            return Page(journeys, None)
        last, key = some[-1], search_plan.key_of(search.sort)
        value = getattr(last, key.key) if key is not None else None
        return Page(journeys, Cursor(search.sort, value, last.at, last.id, shown + len(some)))

    def count(self, scope: Scope, search: Search, now: datetime, *, most: int = MOST_COUNTED) -> Counted:
        """Return how many recordings the search finds, whatever its limit; of more than ``most`` only that."""
        with _looking(self._engine) as session:
            question = self._question(session, scope, search, now, counting=True)
            query = select(RecordingRow.id).where(*question.conditions()).limit(most + 1)
            inner = search_plan.hinted(query, question.plan).subquery()
            found = session.scalar(select(func.count()).select_from(inner)) or 0
        return Counted(min(found, most), found > most)

    def ids(self, scope: Scope, search: Search, now: datetime, *, most: int) -> Sequence[str]:
        """Return the ids of what the search finds, in its order: within its limit, and ``most`` at most."""
        wanted = min(most, search.limit) if search.limit else most
        with _looking(self._engine) as session:
            question = self._question(session, scope, search, now)
            query = self._listed(question, None).with_only_columns(RecordingRow.id).limit(wanted)
            return session.scalars(search_plan.hinted(query, question.plan)).all()

    def company(self, tenant_id: str) -> Company:
        """Return what a company's searches are read by: country, time zone, schedule."""
        with _looking(self._engine) as session:
            return self._company(session, tenant_id)

    def api_tags(self, tenant_id: str, call_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the tags that programs left on these calls, by call."""
        query = select(CallTagRow).where(CallTagRow.tenant_id == tenant_id, CallTagRow.name.in_(call_ids))
        found: dict[str, tuple[str, ...]] = {}
        with _looking(self._engine) as session:
            for row in session.scalars(query.order_by(CallTagRow.name, CallTagRow.slot)):
                found[row.name] = (*found.get(row.name, ()), row.text)
        return found

    def _company(self, session: Session, tenant_id: str) -> Company:
        country = session.scalar(select(TenantRow.country).where(TenantRow.id == tenant_id)) or ""
        newest = select(PolicyVersionRow.body).where(PolicyVersionRow.tenant_id == tenant_id)
        body = session.scalar(newest.order_by(PolicyVersionRow.number.desc()).limit(1))
        schedule = policy_from_body(body).schedule if body is not None else None
        zone = self._zone if schedule is None else None
        return Company(tenant_id, country, zone or time_zone(company_zone(schedule, country)) or UTC, schedule)

    def _question(
        self, session: Session, scope: Scope, search: Search, now: datetime, *, counting: bool = False
    ) -> _Question:
        company = self._company(session, scope.tenant_id)
        oldest = None
        if search.time is not None or search.hours:
            first = select(RecordingRow.at).where(RecordingRow.tenant_id == scope.tenant_id)
            oldest = session.scalar(first.order_by(RecordingRow.at, RecordingRow.id).limit(1))
        when = times(search, now, company.zone, company.schedule, oldest)
        asked = terms(search, company, when, self._dialect)
        asked += _reach(session, scope)
        plan = search_plan.choose(session, scope.tenant_id, asked, when.span, search.sort, counting=counting)
        # Said once more in the words of the one place that decides on access, whatever leads.
        return _Question(
            search, scope.tenant_id, tuple(asked), when.span, plan, (sealed(and_(*access.conditions(scope))),)
        )

    def _listed(self, question: _Question, after: Cursor | None) -> Select[Any]:
        query = select(RecordingRow).where(*question.conditions())
        return _by_key(query, question.search.sort, after, veil=question.plan.sorts)

    def _journeys(self, session: Session, question: _Question, rows: Sequence[RecordingRow]) -> tuple[Journey, ...]:
        """Put segments of one call together; those whose call stands on an earlier page are there already."""
        calls = {row.call_id for row in rows}
        if not calls:
            return ()
        leader = Term("call", RecordingRow.call_id.in_(sorted(calls)), RecordingRow.call_id.in_(sorted(calls)))
        plan = Plan("ix_recording_call_id", leader, sorts=True)
        by_call = [*search_plan.asked(plan, question.tenant_id, question.terms, question.span, question.search.sort)]
        query = select(RecordingRow).where(leader.plain, *by_call, *question.reach)
        ordered = _by_key(query, question.search.sort, None, veil=True)
        together: dict[str, list[RecordingRow]] = {}
        for row in session.scalars(search_plan.hinted(ordered, plan)):
            together.setdefault(row.call_id, []).append(row)
        leading = [row for row in rows if together[row.call_id][0].id == row.id]
        found = _found(session, question.tenant_id, [part for row in leading for part in together[row.call_id]])
        return tuple(Journey(tuple(found[part.id] for part in together[row.call_id])) for row in leading)


@contextmanager
def _looking(engine: Engine) -> Iterator[Session]:
    """Open a session for searching: which index leads is chosen by us.

    PostgreSQL would rather read the whole table with several processes than look up a thousand rows, and compile for
    longer than the answer takes. It is told so for this transaction only.
    """
    with reading(engine) as session:
        if engine.dialect.name == "postgresql":
            session.execute(select(*(func.set_config(name, value, True) for name, value in _FOR_LOOKING.items())))
        yield session


_FOR_LOOKING: Final = {"jit": "off", "enable_seqscan": "off", "max_parallel_workers_per_gather": "0"}


def _reach(session: Session, scope: Scope) -> list[Term]:
    """Return how far somebody sees as a term that may lead: most see few people's recordings."""
    people = access.people_in_scope(session, scope)
    if people is None:
        return []
    ids = sorted(people)
    return [
        Term(
            "scope",
            RecordingRow.person_id.in_(ids),
            veiled(RecordingRow.person_id).in_(ids),
            "ix_recording_person_id_at",
        )
    ]


def _by_key(query: Select[Any], sort: Sort, after: Cursor | None, *, veil: bool) -> Select[Any]:
    """Order by the sort's key, time and id, all in one direction, and begin behind the cursor.

    The comparison is written out: MariaDB reads the whole table for (at, id) < (?, ?).
    """
    columns: list[Any] = [RecordingRow.at, RecordingRow.id]
    values: list[Any] = [after.at, after.id] if after else []
    key = search_plan.key_of(sort)
    if key is not None:
        columns.insert(0, key)
        values.insert(0, after.key if after else None)
    if veil:
        columns = [veiled(column) for column in columns]
    if after:
        query = query.where(_behind(columns, values, down=sort.down))
    return query.order_by(*(column.desc() if sort.down else column.asc() for column in columns))


def _behind(columns: Sequence[Any], values: Sequence[Any], *, down: bool) -> ColumnElement[bool]:
    column, value = columns[0], values[0]
    beyond: ColumnElement[bool] = column < value if down else column > value
    if len(columns) == 1:
        return beyond
    not_before: ColumnElement[bool] = column <= value if down else column >= value
    return and_(not_before, or_(beyond, _behind(columns[1:], values[1:], down=down)))


def _found(session: Session, tenant_id: str, rows: Sequence[RecordingRow]) -> dict[str, Found]:
    media = {
        row.id: row for row in session.scalars(select(MediaRow).where(MediaRow.id.in_({row.media_id for row in rows})))
    }
    words = _named(session, ChoiceRow, ChoiceRow.text, tenant_id, _chosen(rows))
    groups = {row.group_id for row in rows if row.group_id}
    names = _named(session, HuntGroupRow, HuntGroupRow.name, tenant_id, groups)
    return {
        row.id: Found(
            recording=read_rows.recording(row, media[row.media_id]),
            flag=row.flag or "none",
            tag=row.tag or "",
            outcome=words.get(row.outcome or "", ""),
            response=words.get(row.response or "", ""),
            evaluated=bool(row.evaluated),
            group_name=names.get(row.group_id, ""),
            expires_at=row.expires_at,
        )
        for row in rows
    }


def _chosen(rows: Sequence[RecordingRow]) -> set[str]:
    return {choice for row in rows for choice in (row.outcome, row.response) if choice}


def _named(session: Session, kind: Any, name: Any, tenant_id: str, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    query = select(kind.id, name).where(kind.tenant_id == tenant_id, kind.id.in_(sorted(ids)))
    return {found[0]: found[1] for found in session.execute(query)}
