"""Calls as people had them: made and taken in a period, recorded or not; and a company's calls counted day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from sqlalchemy import Engine, func, or_, select

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import CallRow, DecisionRow, GapRow, LegRow, RecordingRow
from pbx_plugin.db.search_terms import within
from pbx_plugin.services.search_times import Span

PAGE: Final = 50
MOST_COUNTED: Final = 100_000
"""Calls of a period that an overview counts; of more it says so."""


@dataclass(frozen=True, slots=True)
class OwnCall:
    """One call of one user. ``made`` says that they called; ``recording_ids`` are theirs, newest last.

    ``joined_at`` is when they came into it; of a call that became part of another, the number is its own.
    """

    call_id: str
    joined_at: datetime
    ended_at: datetime | None
    made: bool
    direction: str
    other_raw: str
    other_e164: str
    outcome: str
    recording_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A company's calls of one day: how many there were, in how many something was recorded, and how many gaps."""

    day: date
    calls: int
    incoming: int
    outgoing: int
    internal: int
    recorded: int
    refused: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The days of a period, newest first; ``more`` says that older ones were left out, being too many."""

    days: tuple[Day, ...]
    more: bool


class DatabaseCalls:
    """Raises StoreUnavailableError while the database is locked or away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def own(
        self, tenant_id: str, person_id: str, span: Span, *, after: datetime | None = None, size: int = PAGE
    ) -> tuple[Sequence[OwnCall], datetime | None]:
        """Return a page of a user's calls, newest first, and where the next page begins (None: there is none)."""
        first = func.min(LegRow.joined_at)
        legs = select(LegRow.call_id, first.label("joined_at"), func.max(LegRow.originating).label("made"))
        if self._engine.dialect.name == "postgresql":
            legs = select(LegRow.call_id, first.label("joined_at"), func.bool_or(LegRow.originating).label("made"))
        legs = legs.where(LegRow.person_id == person_id, LegRow.tenant_id == tenant_id)
        legs = legs.where(*within(span, LegRow.joined_at)).group_by(LegRow.call_id)
        if after is not None:
            legs = legs.having(first < after)
        with reading(self._engine) as session:
            rows = session.execute(legs.order_by(first.desc(), LegRow.call_id).limit(size + 1)).all()
            some = rows[:size]
            ids = [row.call_id for row in some]
            query = select(CallRow).where(CallRow.tenant_id == tenant_id, CallRow.id.in_(ids))
            calls = {call.id: call for call in session.scalars(query)}
            kept = select(RecordingRow.call_id, RecordingRow.id).where(
                RecordingRow.tenant_id == tenant_id,
                RecordingRow.call_id.in_(ids),
                RecordingRow.person_id == person_id,
                RecordingRow.deleted_at.is_(None),
            )
            recordings: dict[str, list[str]] = {}
            for call_id, recording_id in session.execute(kept.order_by(RecordingRow.at)):
                recordings.setdefault(call_id, []).append(recording_id)
        found = []
        for row in some:
            call = calls.get(row.call_id)
            if call is None:
                continue
            made = bool(row.made)
            found.append(
                OwnCall(
                    call_id=call.id,
                    joined_at=row.joined_at,
                    ended_at=call.ended_at or call.merged_at,
                    made=made,
                    direction=call.direction,
                    other_raw=call.dialled_raw if made else call.caller_raw,
                    other_e164="" if made else call.caller_e164,
                    outcome=call.outcome,
                    recording_ids=tuple(recordings.get(call.id, ())),
                )
            )
        return found, some[-1].joined_at if len(rows) > size else None

    def overview(self, tenant_id: str, span: Span, zone: tzinfo) -> Overview:
        """Return the company's calls by the days of its wall clock. A call that merged counts as the one it became."""
        own = (CallRow.tenant_id == tenant_id, CallRow.merged_into.is_(None), *within(span, CallRow.began_at))
        query = select(CallRow.id, CallRow.began_at, CallRow.direction).where(*own)
        with reading(self._engine) as session:
            rows = session.execute(query.order_by(CallRow.began_at.desc()).limit(MOST_COUNTED + 1)).all()
            more = len(rows) > MOST_COUNTED
            rows = rows[:MOST_COUNTED]
            recorded = select(RecordingRow.call_id).distinct()
            recorded = recorded.where(RecordingRow.tenant_id == tenant_id, *within(span, RecordingRow.at))
            with_sound = set(session.scalars(recorded))
            no = or_(DecisionRow.verdict == "never", DecisionRow.verdict == "no")
            refused = select(DecisionRow.call_id).distinct().where(DecisionRow.tenant_id == tenant_id, no)
            against = set(session.scalars(refused.where(*within(span, DecisionRow.at)))) - with_sound
            gaps = select(GapRow.since).where(GapRow.tenant_id == tenant_id, *within(span, GapRow.since))
            missing = [since.astimezone(zone).date() for since in session.scalars(gaps)]
        days: dict[date, dict[str, int]] = {}
        for call_id, began_at, direction in rows:
            counted = days.setdefault(began_at.astimezone(zone).date(), {})
            for name, there in (
                ("calls", True),
                (direction, direction in ("incoming", "outgoing", "internal")),
                ("recorded", call_id in with_sound),
                ("refused", call_id in against),
            ):
                counted[name] = counted.get(name, 0) + there
        for day in missing:
            counted = days.setdefault(day, {})
            counted["gaps"] = counted.get("gaps", 0) + 1
        names = ("calls", "incoming", "outgoing", "internal", "recorded", "refused", "gaps")
        told = (Day(day, *(days[day].get(name, 0) for name in names)) for day in sorted(days, reverse=True))
        return Overview(tuple(told), more)
