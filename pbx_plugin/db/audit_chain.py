"""The one place where audit entries are written, each chained to the one before it of its company.

A company's chain has one head row. Who writes entries holds that row until the transaction ends, so that writers stand
in line, whichever process they are in; on SQLite the writer's lock does the same. Should that ever fail, two entries
with one number are refused by the database: a chain is never forked. Entries of a session are written at the very
end of its transaction (:func:`pbx_plugin.db.engine.writing`), so that the line moves on at once, and nobody who
holds a head waits for anything that another holder of it could have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from pbx_plugin.db.base import clean_json, clean_text
from pbx_plugin.db.models_audit import AuditHeadRow, AuditRow
from pbx_plugin.domain.audit import BEGINNING, Head, Link, chained
from pbx_plugin.domain.entries import Audited

_WAITING = "pbx_plugin_audit"
_AT_ONCE = 500

_LOCKS_WHAT_IS_NOT_THERE = frozenset({"mysql", "mariadb"})
"""Databases where two that look for a row with a lock, and find none, then wait for each other to make it."""

_AUDIT = AuditRow.__table__
_HEADS = AuditHeadRow.__table__
_HEAD = select(_HEADS.c.number, _HEADS.c.digest).where(_HEADS.c.tenant_id == bindparam("company")).with_for_update()
_KNOWN = select(_AUDIT.c.id).where(_AUDIT.c.id.in_(bindparam("ids", expanding=True)))
_INSERT = insert(AuditRow)
_MOVE = (
    update(AuditHeadRow)
    .where(_HEADS.c.tenant_id == bindparam("company"))
    .values(number=bindparam("to_number"), digest=bindparam("to_digest"))
)


def open_for(session: Session) -> None:
    """Let the session take audit entries; whoever opens it has to :func:`close` it before committing."""
    session.info[_WAITING] = []


def add(session: Session, entries: Iterable[Audited]) -> None:
    """Have entries written at the end of the session's transaction.

    Raises RuntimeError for a session that only reads: what is audited there would be lost without a word.
    """
    waiting: list[Audited] | None = session.info.get(_WAITING)
    if waiting is None:
        raise RuntimeError("something is audited in a session that only reads: open it by writing()")
    waiting.extend(entries)


def close(session: Session) -> None:
    """Write what the session has to audit, after everything else that it changed; the caller commits."""
    waiting: list[Audited] = session.info.pop(_WAITING, [])
    session.flush()
    if waiting:
        write(session.connection(), waiting)


def write(connection: Connection, entries: Sequence[Audited], *, told_again: bool = False) -> None:
    """Write entries now, in this order, and hold their companies' heads until the transaction ends.

    With ``told_again`` entries that are there already are left out, as a journal may tell them twice; without, such
    an entry raises IntegrityError.
    """
    by_company: dict[str, list[Audited]] = {}
    for entry in entries:
        by_company.setdefault(entry.tenant_id, []).append(entry)
    # In one order by all writers: two that hold one head each would wait for the other's.
    for company in sorted(by_company):
        _extend(connection, company, by_company[company], told_again=told_again)


def _extend(connection: Connection, company: str, entries: Sequence[Audited], *, told_again: bool) -> None:
    head = _hold(connection, company)
    links = [_link(entry) for entry in entries]
    if told_again:
        links = _fresh(connection, links)
    placed = list(chained(head, links))
    if not placed:
        return
    connection.execute(
        _INSERT,
        [
            {
                "id": link.id,
                "tenant_id": link.tenant_id,
                "at": link.at,
                "actor": link.actor,
                "action": link.action,
                "subject": link.subject,
                "detail": link.detail,
                "number": link.number,
                "previous": link.previous,
                "digest": link.digest,
            }
            for link in placed
        ],
    )
    last = placed[-1]
    connection.execute(_MOVE, {"company": company, "to_number": last.number, "to_digest": last.digest})


def _hold(connection: Connection, company: str) -> Head:
    """Return the company's head, locked until the transaction ends; its first writer makes the row."""
    first = {"tenant_id": company, "number": 0, "digest": BEGINNING}
    if connection.dialect.name in _LOCKS_WHAT_IS_NOT_THERE:
        connection.execute(_first(connection.dialect.name), first)
    row = connection.execute(_HEAD, {"company": company}).one_or_none()
    if row is None:
        connection.execute(_first(connection.dialect.name), first)
        row = connection.execute(_HEAD, {"company": company}).one()
    return Head(row.number, row.digest)


def _first(dialect: str) -> postgresql.Insert | sqlite.Insert | mysql.Insert:
    if dialect == "postgresql":
        return postgresql.insert(AuditHeadRow).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite.insert(AuditHeadRow).on_conflict_do_nothing()
    return mysql.insert(AuditHeadRow).on_duplicate_key_update(tenant_id=_HEADS.c.tenant_id)


def _fresh(connection: Connection, links: Sequence[Link]) -> list[Link]:
    known: set[str] = set()
    for first in range(0, len(links), _AT_ONCE):
        ids = [link.id for link in links[first : first + _AT_ONCE]]
        known.update(connection.scalars(_KNOWN, {"ids": ids}))
    fresh: dict[str, Link] = {}
    for link in links:
        if link.id not in known:
            fresh.setdefault(link.id, link)
    return list(fresh.values())


def _link(entry: Audited) -> Link:
    """Return the entry as the database will give it back: what it cleans and cuts is cleaned and cut before."""
    return Link(
        seq=0,
        number=0,
        id=entry.audit_id,
        tenant_id=entry.tenant_id,
        at=entry.at,
        actor=clean_text(entry.actor)[: AuditRow.ACTOR],
        action=clean_text(entry.action)[: AuditRow.ACTION],
        subject=clean_text(entry.subject)[: AuditRow.SUBJECT],
        detail=json.loads(json.dumps(clean_json(entry.detail))),
        previous="",
        digest="",
    )
