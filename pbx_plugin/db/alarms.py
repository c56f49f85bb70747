"""When a company is told of a cause of alarm, so that what comes and goes all day is not told all day.

A cause is told when it comes, and no more often than every :data:`QUIET`. That it is over is told once, when it has
been over for as long. All of it follows from the entries' own times, so that a replay says nothing again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from pbx_plugin.db.apply_rows import table_of
from pbx_plugin.db.base import clean_text
from pbx_plugin.db.models import AlarmRow, GapRow
from pbx_plugin.db.models_alarms import CAUSE_LENGTH
from pbx_plugin.domain.entries import Gap, Trouble
from pbx_plugin.domain.losses import STARVED

QUIET = timedelta(minutes=5)

_LOOKED_BACK = timedelta(days=1)
"""How far back a gap may have begun that still goes on: one that never got its end must not go on for ever."""

_ROWS = table_of(AlarmRow)
_GAPS = table_of(GapRow)


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told, or taken back while it waits. ``due`` is None for at once; ``subject`` tells it from others.

    ``since`` is when the cause came, ``over_at`` when it was over, None while it goes on.
    """

    subject: str
    cause: str
    at: datetime
    since: datetime
    over_at: datetime | None = None
    due: datetime | None = None
    taken_back: bool = False


def cause_of(gap: Gap) -> str:
    """Return what gaps of the same kind have in common."""
    if gap.reason.startswith(STARVED):
        return STARVED  # whichever side
    # What the disk or Asterisk said of one file stands behind the colon.
    head, _, _ = gap.reason.partition("could be kept: ")
    reason = head + "could be kept" if head != gap.reason else gap.reason
    return clean_text(reason)[:CAUSE_LENGTH]


def of_gap(connection: Connection, gap: Gap) -> Iterator[Telling]:
    """Yield what a company is to be told of a gap whose row is written. Nothing for one that was told before."""
    cause = cause_of(gap)
    if gap.until is None:
        ended = connection.scalar(select(_GAPS.c.until).where(_GAPS.c.id == gap.gap_id))
        if ended is None:
            yield from _came(connection, gap.tenant_id, cause, gap.since)
    elif gap.until > gap.since or _row(connection, gap.tenant_id, cause) is not None:
        yield from _ended(connection, gap, cause, gap.until)


def of_trouble(connection: Connection, trouble: Trouble, tenant_id: str) -> Iterator[Telling]:
    """Yield what a company is to be told of the machine's own trouble."""
    row = _row(connection, tenant_id, trouble.cause)
    if not trouble.over:
        if row is None or row["over_at"] is None or trouble.at > row["over_at"]:
            yield from _came(connection, tenant_id, trouble.cause, trouble.at)
    elif row is not None and row["over_at"] is None and trouble.at >= row["told_at"]:
        yield _over(connection, row, trouble.at)


def _came(connection: Connection, tenant_id: str, cause: str, at: datetime) -> Iterator[Telling]:
    row = _row(connection, tenant_id, cause)
    if row is None:
        _begin(connection, tenant_id, cause, since=at, told_at=at, over_at=None)
        yield Telling(_subject(tenant_id, cause, at), cause, at, at)
        return
    values: dict[str, Any] = {}
    if row["over_at"] is not None:
        values["over_at"] = None
        if at < row["over_at"] + QUIET:
            yield Telling(_end_of(row), cause, at, row["since"], taken_back=True)
        else:
            values["since"] = at
    if at >= row["told_at"] + QUIET:
        values["told_at"] = at
        yield Telling(_subject(tenant_id, cause, at), cause, at, values.get("since", row["since"]))
    _set(connection, row, values)


def _ended(connection: Connection, gap: Gap, cause: str, until: datetime) -> Iterator[Telling]:
    row = _row(connection, gap.tenant_id, cause)
    if row is not None and row["over_at"] is None and until >= row["told_at"]:
        if not _goes_on(connection, gap.tenant_id, cause, until):
            yield _over(connection, row, until)
        return
    # It had come and gone before anybody could be told: once, with its end.
    if until <= gap.since or (row is not None and until < row["told_at"] + QUIET):
        return
    if row is None:
        _begin(connection, gap.tenant_id, cause, since=gap.since, told_at=until, over_at=until)
    else:
        _set(connection, row, {"since": gap.since, "told_at": until, "over_at": until})
    yield Telling(_subject(gap.tenant_id, cause, until), cause, until, gap.since, until)


def _over(connection: Connection, row: dict[str, Any], at: datetime) -> Telling:
    _set(connection, row, {"over_at": at})
    return Telling(_end_of({**row, "over_at": at}), row["cause"], at, row["since"], at, due=at + QUIET)


def _goes_on(connection: Connection, tenant_id: str, cause: str, at: datetime) -> bool:
    still = (_GAPS.c.tenant_id == tenant_id, _GAPS.c.since >= at - _LOOKED_BACK, _GAPS.c.until.is_(None))
    alike = _GAPS.c.reason.startswith(cause, autoescape=True)
    return connection.scalar(select(_GAPS.c.id).where(*still, alike).limit(1)) is not None


def _row(connection: Connection, tenant_id: str, cause: str) -> dict[str, Any] | None:
    found = select(_ROWS).where(_ROWS.c.tenant_id == tenant_id, _ROWS.c.cause == cause)
    row = connection.execute(found).mappings().one_or_none()
    return None if row is None else dict(row)


def _begin(connection: Connection, tenant_id: str, cause: str, **values: Any) -> None:
    connection.execute(insert(_ROWS).values(tenant_id=tenant_id, cause=cause, **values))


def _set(connection: Connection, row: dict[str, Any], values: dict[str, Any]) -> None:
    if values:
        this = (_ROWS.c.tenant_id == row["tenant_id"], _ROWS.c.cause == row["cause"])
        connection.execute(update(_ROWS).where(*this).values(**values))


def _subject(tenant_id: str, cause: str, at: datetime) -> str:
    return f"{tenant_id} {cause} {at.isoformat()}"


def _end_of(row: dict[str, Any]) -> str:
    return f"{_subject(row['tenant_id'], row['cause'], row['over_at'])} over"
