"""Engines and sessions, and the one place where a database's troubles become StoreUnavailableError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, update
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from pbx_plugin.db import audit_chain
from pbx_plugin.db.models import RULEBOOK_TABLES, RevisionRow
from pbx_plugin.services.ports import StoreUnavailableError

WRITES = "pbx_plugin_writes"
"""Execution option of a connection that is going to write: takes SQLite's write lock when it begins."""

_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_UNKNOWN_TABLE_OR_COLUMN = {"42P01", "42703", "1146", "1054"}
_CHECK_FAILED = {"4025", "3819", "1644"}


def make_engine(url: str, *, busy_ms: int = 1000, migrating: bool = False) -> Engine:
    """Return an engine for ``sqlite:///…``, ``postgresql://…`` or ``mariadb://…``; nothing is opened yet.

    Whatever is done through it raises StoreUnavailableError when the database is locked (for SQLite: longer than
    ``busy_ms``), away, full, or without our tables. An SQLite file is never created here; ``upgrade`` does that.
    ``migrating`` is for migrations only: foreign keys are off, and a table that is not there is an ordinary error.
    """
    target = make_url(url)
    target = target.set(drivername=_DRIVERS.get(target.drivername, target.drivername))
    if target.get_backend_name() == "sqlite":
        engine = create_engine(_existing_file(target))
        _tune_sqlite(engine, busy_ms, foreign_keys=not migrating)
    else:
        engine = create_engine(target, pool_pre_ping=True, connect_args={"connect_timeout": 3})
        if target.get_backend_name() in ("mysql", "mariadb"):
            _tune_mariadb(engine)
    _translate_errors(engine, missing_is_away=not migrating)
    return engine


_gathered: ContextVar[tuple[Engine, Session] | None] = ContextVar("gathered", default=None)


@contextmanager
def gathering(engine: Engine) -> Iterator[None]:
    """Let everything that is read meanwhile, by whomever, be read in one session: of one moment, and opened once.

    For a page that asks many stores. What is written meanwhile has a session of its own, and is not seen here.
    """
    with reading(engine) as session:
        token = _gathered.set((engine, session))
        try:
            yield
        finally:
            _gathered.reset(token)


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Open a session that sees one consistent state of the database, and gives everything back at the end.

    Within :func:`gathering` it is that session.
    """
    gathered = _gathered.get()
    if gathered is not None and gathered[0] is engine:
        yield gathered[1]
        return
    session = Session(engine, expire_on_commit=False)
    if engine.dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    with session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Open a session whose work is committed as one transaction at the end, or not at all when something is raised.

    When it changed anything that the rulebook reads, the revision grows in the same transaction. What is audited in it
    is written last, under the lock of its company's chain.
    """
    with Session(engine, expire_on_commit=False) as session:
        _watch_rulebook(session)
        session.connection(execution_options={WRITES: True})
        audit_chain.open_for(session)
        yield session
        audit_chain.close(session)
        session.commit()


def _existing_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return url
    return url.set(database=f"file:{quote(url.database)}").update_query_dict({"mode": "rw", "uri": "true"})


def _tune_sqlite(engine: Engine, busy_ms: int, *, foreign_keys: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: object) -> None:
        # We begin transactions ourselves: the driver's own way starts them too late for a consistent read.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(busy_ms)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL, because journal segments are removed once their entries are committed here: with NORMAL a power
        # cut may take back the last commits, and nothing would be left to write them again.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader that turns writer fails at once when somebody wrote in between; so writers lock from the start.
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _tune_mariadb(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: object) -> None:
        # From 11.6 on a row that is read under a lock must not have changed since the transaction began. Ours are
        # locked to be read as they are now: the audit's head, a counter.
        cursor = dbapi_connection.cursor()
        cursor.execute("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'")
        if cursor.fetchone():
            cursor.execute("SET SESSION innodb_snapshot_isolation = OFF")
        cursor.close()


def _translate_errors(engine: Engine, *, missing_is_away: bool) -> None:
    @event.listens_for(engine, "handle_error")
    def _translate(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if not isinstance(error, DBAPIError):
            return
        if isinstance(error, OperationalError) and _codes(error) & _CHECK_FAILED:
            # MariaDB tells a broken check, or a trigger that refuses, as if the server were in trouble.
            raise IntegrityError(error.statement, error.params, error.orig or error) from error
        if _away(error) or (missing_is_away and _missing(error)):
            raise StoreUnavailableError(f"the database cannot be used now: {error.orig}") from error


def _away(error: DBAPIError) -> bool:
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError | InternalError)


def _missing(error: DBAPIError) -> bool:
    """Whether a table or column is not there: a database that waits for its upgrade (SQLite says so as *away*)."""
    return isinstance(error, ProgrammingError) and bool(_codes(error) & _UNKNOWN_TABLE_OR_COLUMN)


def _codes(error: DBAPIError) -> set[str]:
    """Return PostgreSQL's state or MariaDB's number of the error, whichever it has."""
    arguments = getattr(error.orig, "args", ())
    return {str(getattr(error.orig, "sqlstate", "")), str(arguments[0]) if arguments else ""}


def _watch_rulebook(session: Session) -> None:
    touched = False

    def after_flush(_session: Session, context: UOWTransaction) -> None:
        nonlocal touched
        del context
        rows = [*session.new, *session.deleted, *(row for row in session.dirty if session.is_modified(row))]
        touched = touched or any(row.__tablename__ in RULEBOOK_TABLES for row in rows)

    def on_execute(state: ORMExecuteState) -> None:
        nonlocal touched
        if state.is_insert or state.is_update or state.is_delete:
            table = getattr(state.statement, "table", None)
            touched = touched or (isinstance(table, Table) and table.name in RULEBOOK_TABLES)

    def before_commit(_session: Session) -> None:
        nonlocal touched
        session.flush()
        if touched:
            touched = False
            session.execute(update(RevisionRow).values(number=RevisionRow.number + 1))

    event.listen(session, "after_flush", after_flush)
    event.listen(session, "do_orm_execute", on_execute)
    event.listen(session, "before_commit", before_commit)
