"""Each filter of a search as a condition on recordings, and as the index that may lead to what it lets through.

A term has two forms that mean the same: ``plain``, which an index can serve, and ``probe``, which is asked of one row
after the other while another index leads. Which term leads is chosen in :mod:`pbx_plugin.db.search_plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Boolean

from pbx_plugin.db.models import (
    CallAliasRow,
    CallTagRow,
    ChoiceRow,
    DepartmentRow,
    PersonRow,
    PersonUnitRow,
    RecordingRow,
    RecordingTextRow,
    UnitRow,
)
from pbx_plugin.domain.schedule import Schedule
from pbx_plugin.domain.working import ChoiceKind, Flag
from pbx_plugin.services.directory import UNDEFINED
from pbx_plugin.services.people_records import UnitKind
from pbx_plugin.services.search_times import Span, Stretch, Times, Weekly
from pbx_plugin.services.search_words import NumberAsked, Word, number_asked, words_asked
from pbx_plugin.services.searching import Condition as State
from pbx_plugin.services.searching import Search

Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Company:
    """What a company's searches are read by."""

    tenant_id: str
    country: str
    zone: tzinfo
    schedule: Schedule | None


@dataclass(frozen=True, slots=True)
class Term:
    """One filter. ``index`` is what leads to its rows, empty where none does; ``ordered`` says that they come by time.

    ``count`` selects something for each row that it lets through, where that is cheaper than asking recordings.
    """

    name: str
    plain: Condition
    probe: Condition
    index: str = ""
    ordered: bool = False
    count: Select[Any] | None = None


class _Veiled(GenericFunction[Any]):
    """A column that no index is taken for, by whose order neither."""

    name = "veiled"
    inherit_cache = True


class _Sealed(GenericFunction[bool]):
    """A condition that is asked of one row after the other, and never turned into a join."""

    name = "sealed"
    inherit_cache = True


def _inner(element: Any, compiler: SQLCompiler, options: Any) -> str:
    return compiler.process(next(iter(element.clauses)), **options)


@compiles(_Veiled)
def _as_it_is(element: _Veiled, compiler: SQLCompiler, **options: Any) -> str:
    # MariaDB is told which index leads.
    return f"({_inner(element, compiler, options)})"


@compiles(_Veiled, "sqlite")
@compiles(_Sealed, "sqlite")
def _with_plus(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"+({_inner(element, compiler, options)})"


@compiles(_Veiled, "postgresql")
@compiles(_Sealed, "postgresql")
def _greatest(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    # The greatest of one value is that value. PostgreSQL takes half of the rows to fit such a condition, so that it
    # does not think better of walking the list in its order.
    return f"GREATEST({_inner(element, compiler, options)})"


@compiles(_Sealed)
def _is_true(element: _Sealed, compiler: SQLCompiler, **options: Any) -> str:
    return f"(({_inner(element, compiler, options)}) IS TRUE)"


def veiled(column: Any) -> Any:
    """Return the column so that no index is taken for it; nothing else changes, NULL neither."""
    return _Veiled(column, type_=column.type)


def sealed(condition: Condition) -> Condition:
    """Return the condition so that it leads to nothing, but is asked of the rows that something else leads to."""
    return _Sealed(condition, type_=Boolean())


def within(span: Span, column: Any) -> list[Condition]:
    """Return the instants of a span as conditions."""
    asked: list[Condition] = []
    if span.since is not None:
        asked.append(column >= bindparam(None, span.since, type_=RecordingRow.at.type))
    if span.until is not None:
        asked.append(column < bindparam(None, span.until, type_=RecordingRow.at.type))
    return asked


def terms(search: Search, company: Company, times: Times, dialect: str) -> list[Term]:
    """Return the terms of everything that is asked for but the period itself."""
    found = [*_marks(search, company), *_numbers(search, company, dialect), *_people(search, company)]
    found += _length(search)
    if search.direction:
        found.append(_any("direction", RecordingRow.direction, [item.value for item in search.direction]))
    found.append(_state(search.state))
    if search.api_tag:
        found.append(_api_tag(search.api_tag, company))
    if search.text:
        found.append(_words(words_asked(search.text), company, dialect))
    for name, stretches, turned in (("time", times.daily, False), ("hours", times.hours, times.outside)):
        if stretches is not None:
            asked = or_(false(), *(_stretch(stretch) for stretch in stretches))
            condition = not_(asked) if turned else asked
            found.append(Term(name, condition, condition))
    return found


def _both(make: Callable[[Any], Condition], column: Any) -> tuple[Condition, Condition]:
    return make(column), make(veiled(column))


def _any(name: str, column: Any, values: Sequence[Any]) -> Term:
    plain, probe = _both(lambda c: c == values[0] if len(values) == 1 else c.in_(values), column)
    return Term(name, plain, probe, f"ix_recording_{name}", len(values) == 1)


def _state(states: Sequence[State]) -> Term:
    """What was deleted is a tombstone: it is listed only for those who ask for what was erased."""
    there = RecordingRow.deleted_at.is_(None)
    if not states:
        return Term("deleted", there, there)
    asked = _any("state", RecordingRow.state, [state.value for state in states])
    if State.ERASED not in states:
        return replace(asked, plain=and_(asked.plain, there), probe=and_(asked.probe, there))
    probe = or_(asked.probe, RecordingRow.deleted_at.is_not(None))
    return Term("state", probe, probe)


def _marks(search: Search, company: Company) -> Iterator[Term]:
    if search.flag:
        yield _flag(search.flag)
    if search.tag:
        yield _any("tag", RecordingRow.tag, [search.tag])
    for name, kind, values, column in (
        ("outcome", ChoiceKind.OUTCOME, search.outcome, RecordingRow.outcome),
        ("response", ChoiceKind.RESPONSE, search.response, RecordingRow.response),
    ):
        if values:
            # Closed: two entries of a list cannot have the same text, and an id that is typed is as good.
            named = select(ChoiceRow.id).where(
                ChoiceRow.tenant_id == company.tenant_id,
                ChoiceRow.kind == kind,
                or_(ChoiceRow.text.in_(values), ChoiceRow.id.in_(values)),
            )
            single = len(values) == 1
            # As an equality its index gives the list's order.
            one = named.order_by(ChoiceRow.id).limit(1).scalar_subquery()
            plain, probe = (c == one if single else c.in_(named) for c in (column, veiled(column)))
            yield Term(name, plain, probe, f"ix_recording_{name}", single)
    if search.evaluated is True:
        plain, probe = _both(lambda c: c == true(), RecordingRow.evaluated)
        yield Term("evaluated", plain, probe, "ix_recording_evaluated", True)
    elif search.evaluated is False:
        probe = veiled(RecordingRow.evaluated).is_(None)
        yield Term("evaluated", probe, probe)


def _flag(flags: Sequence[Flag]) -> Term:
    colours = [flag.value for flag in flags if flag is not Flag.NONE]
    if Flag.NONE not in flags:
        return _any("flag", RecordingRow.flag, colours)
    column = veiled(RecordingRow.flag)
    probe = or_(column.is_(None), column.in_(colours)) if colours else column.is_(None)
    return Term("flag", probe, probe)


def _numbers(search: Search, company: Company, dialect: str) -> Iterator[Term]:
    for name, value, column in (
        ("number", search.number, RecordingRow.other_number),
        ("ddi", search.ddi, RecordingRow.ddi),
    ):
        if value:
            asked = number_asked(value, company.country)
            plain, probe = _both(lambda c, asked=asked: _is_number(c, asked, dialect), column)  # type: ignore[misc]
            yield Term(name, plain, probe, f"ix_recording_{name}", len(asked.keys) == 1)
    if search.own:
        asked = number_asked(search.own, company.country)
        people = select(PersonRow.id).where(
            PersonRow.tenant_id == company.tenant_id,
            or_(_is_number(PersonRow.ddi, asked, dialect), _is_number(PersonRow.extension, asked, dialect)),
        )
        probe = or_(
            _is_number(veiled(RecordingRow.extension), asked, dialect),
            _is_number(veiled(RecordingRow.ddi), asked, dialect),
            veiled(RecordingRow.person_id).in_(people),
        )
        # Each way has an index of its own: looked up one by one, and put together.
        row = aliased(RecordingRow)
        ways = [
            select(row.id).where(row.tenant_id == company.tenant_id, _is_number(row.extension, asked, dialect)),
            select(row.id).where(row.tenant_id == company.tenant_id, _is_number(row.ddi, asked, dialect)),
            select(row.id).where(row.person_id.in_(people)),
        ]
        # As a table of its own: MariaDB asks a union anew for every recording that there is.
        together = union_all(*ways).subquery()
        count = select(together)
        yield Term("own", RecordingRow.id.in_(select(together.c.id)), probe, "PRIMARY", count=count)


def _shown(column: Any) -> Any:
    return column


def _is_number(column: Any, asked: NumberAsked, dialect: str) -> Condition:
    if asked.keys:
        found: Condition = column == asked.keys[0] if len(asked.keys) == 1 else column.in_(asked.keys)
        return found
    ways = [_begins(column, beginning, dialect) for beginning in asked.beginnings]
    return or_(false(), *ways)


def _begins(column: Any, beginning: str, dialect: str) -> Condition:
    if dialect == "postgresql":
        # Its order of texts is a language's, in which a plus may weigh nothing.
        return func.starts_with(column, beginning, type_=Boolean())
    # No number has a sign greater than the last one there is.
    return and_(column >= beginning, column < beginning + "\U0010ffff")


def _people(search: Search, company: Company) -> Iterator[Term]:
    own = PersonRow.tenant_id == company.tenant_id
    if search.user:
        extensions = [value for value in search.user if value.isdigit()]
        names = [value for value in search.user if not value.isdigit()]
        if not names:
            yield _any("extension", RecordingRow.extension, extensions)
        else:
            called = [
                or_(PersonRow.id == name, PersonRow.extension == name, PersonRow.name.icontains(name, autoescape=True))
                for name in names
            ]
            people = select(PersonRow.id).where(own, or_(*called))
            yield _of_people("user", people, extensions)
    if search.department:
        named = select(DepartmentRow.id).where(
            DepartmentRow.tenant_id == company.tenant_id,
            or_(DepartmentRow.name.in_(search.department), DepartmentRow.id.in_(search.department)),
        )
        ways: list[Condition] = [PersonRow.department_id.in_(named)]
        if UNDEFINED in search.department:
            ways.append(PersonRow.department_id.is_(None))
        yield _of_people("department", select(PersonRow.id).where(own, or_(*ways)))
    for kind, values in (
        (UnitKind.DISTRICT, search.district),
        (UnitKind.COST_CENTRE, search.cost_centre),
        (UnitKind.OFFICE, search.office),
    ):
        if values:
            units = select(UnitRow.id).where(
                UnitRow.tenant_id == company.tenant_id,
                UnitRow.kind == kind,
                or_(UnitRow.name.in_(values), UnitRow.id.in_(values)),
            )
            people = select(PersonUnitRow.person_id).where(
                PersonUnitRow.tenant_id == company.tenant_id, PersonUnitRow.unit_id.in_(units)
            )
            yield _of_people(kind.value, people)


def _of_people(name: str, people: Select[Any], extensions: Sequence[str] = ()) -> Term:
    def make(shown: Callable[[Any], Any]) -> Condition:
        of_people: Condition = shown(RecordingRow.person_id).in_(people)
        return or_(of_people, shown(RecordingRow.extension).in_(extensions)) if extensions else of_people

    return Term(name, make(_shown), make(veiled), "" if extensions else "ix_recording_person_id_at")


def _length(search: Search) -> Iterator[Term]:
    def make(column: Any) -> Condition:
        asked = [true()]
        if search.longer is not None:
            asked.append(column >= search.longer * 1000)
        if search.shorter is not None:
            # A length of 60.4 seconds is shown as 1:00, and is as short as that.
            asked.append(column < (search.shorter + 1) * 1000)
        return and_(*asked)

    if search.longer is not None or search.shorter is not None:
        plain, probe = _both(make, RecordingRow.length_ms)
        yield Term("length", plain, probe, "ix_recording_length")


def _api_tag(value: str, company: Company) -> Term:
    tagged = (CallTagRow.tenant_id == company.tenant_id, CallTagRow.text == value)
    by_alias = select(CallAliasRow.call_id).join(CallTagRow, CallTagRow.name == CallAliasRow.linkedid).where(*tagged)
    calls = select(CallTagRow.name).where(*tagged).union(by_alias)
    plain = RecordingRow.call_id.in_(select(calls.subquery().c.name))
    own = select(literal(1)).where(*tagged, CallTagRow.name == RecordingRow.call_id).limit(1).correlate(RecordingRow)
    of_alias = (
        select(literal(1))
        .where(*tagged, CallTagRow.name == CallAliasRow.linkedid, CallAliasRow.call_id == RecordingRow.call_id)
        .limit(1)
        .correlate(RecordingRow)
    )
    probe = func.coalesce(own.scalar_subquery(), of_alias.scalar_subquery(), 0) == 1
    count = select(CallTagRow.name).where(*tagged)
    return Term("api_tag", plain, probe, "ix_recording_call_id", count=count)


def _words(words: Sequence[Word], company: Company, dialect: str) -> Term:
    if not words:
        return Term("text", false(), false())
    row = RecordingTextRow
    like = [row.text.contains(f" {word.text}" if word.open else f" {word.text} ", autoescape=True) for word in words]
    matched = select(row.recording_id).where(row.tenant_id == company.tenant_id, *_matching(words, like, dialect))
    own = select(literal(1)).where(row.recording_id == RecordingRow.id, *like).limit(1).correlate(RecordingRow)
    plain = RecordingRow.id.in_(matched)
    return Term("text", plain, func.coalesce(own.scalar_subquery(), 0) == 1, "PRIMARY", count=matched)


_STOPWORDS = frozenset(
    {"about", "are", "com", "for", "from", "how", "that", "the", "this", "und", "was", "what", "when", "where", "who"}
    | {"will", "with", "www"}
)
"""Words that MariaDB's full text leaves out, as it leaves out all that are shorter than three letters."""


def _matching(words: Sequence[Word], like: Sequence[Condition], dialect: str) -> list[Any]:
    """Return the words as the database's own full text finds them; words are letters and digits, nothing to quote."""
    if dialect == "sqlite":
        match = " ".join(f'"{word.text}"{" *" if word.open else ""}' for word in words)
        index: ColumnClause[Any] = ColumnClause("recording_text_words")
        rows = select(text("rowid")).select_from(text("recording_text_words")).where(index.op("MATCH")(match))
        return [RecordingTextRow.seq.in_(rows)]
    if dialect == "postgresql":
        query = " & ".join(f"'{word.text}'{':*' if word.open else ''}" for word in words)
        found = text("to_tsvector('simple', recording_text.text) @@ CAST(:words AS tsquery)")
        return [found.bindparams(words=query)]
    known = [word for word in words if len(word.text) >= 3 and word.text not in _STOPWORDS]
    match = " ".join(f"+{word.text}{'*' if word.open else ''}" for word in known)
    found = text("MATCH (recording_text.text) AGAINST (:words IN BOOLEAN MODE)").bindparams(words=match)
    # What full text leaves out is looked for in what it found.
    return [found, *like] if known else [*like]


def _stretch(stretch: Stretch) -> Condition:
    at = veiled(RecordingRow.at)
    return and_(*within(stretch.span, at), or_(false(), *(_weekly(part, stretch.ahead, at) for part in stretch.weekly)))


def _weekly(part: Weekly, ahead: int, at: Any) -> Condition:
    # The cycle is added so that nothing is negative west of Greenwich, where databases differ in what is left over.
    minute = (RecordingRow.week_minute + (ahead + 2 * part.cycle)) % part.cycle
    if part.ends <= part.cycle:
        inside = and_(minute >= part.begins, minute < part.ends)
    else:
        inside = or_(minute >= part.begins, minute < part.ends - part.cycle)
    gone = [and_(*within(span, at)) for span in part.except_in]
    return and_(inside, not_(or_(*gone))) if gone else inside
