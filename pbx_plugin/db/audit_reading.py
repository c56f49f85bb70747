"""Reading the audit: one thing's history, how far the chains go, and whether they are whole.

All raise StoreUnavailableError while the database is locked or away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import AuditHeadRow, AuditRow
from pbx_plugin.domain.audit import Break, Head, Link, first_break

_AT_ONCE = 2000
_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'",
}
_OTHER_TRIGGERS = "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()"
_REFUSING = frozenset({"audit_no_update", "audit_no_delete"})


class AuditChains:
    """The companies' chains of audit entries."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def heads(self) -> Mapping[str, Head]:
        """Return how far each company's chain goes, by the company's id."""
        with reading(self._engine) as session:
            return _heads(session)

    def history(self, tenant_id: str, subject: str, limit: int = 200) -> Sequence[Link]:
        """Return what was done to one thing, a recording most often, the latest first."""
        query = select(AuditRow).where(AuditRow.tenant_id == tenant_id, AuditRow.subject == subject)
        with reading(self._engine) as session:
            return [_link(row) for row in session.scalars(query.order_by(AuditRow.number.desc()).limit(limit))]

    def verify(
        self,
        tenant_id: str | None = None,
        known: Mapping[str, Head] | None = None,
        tell: Callable[[int], None] = lambda _: None,
    ) -> tuple[Mapping[str, Head], Sequence[Break]]:
        """Go through the chains of all companies, or of one, in one consistent state of the database.

        ``known`` are heads that were written down elsewhere; ``tell`` is called with how many more entries were seen.
        Returns how far each chain goes, and the first break of each that is broken.
        """
        known = known or {}
        broken: list[Break] = []
        with reading(self._engine) as session:
            heads = _heads(session)
            companies = set(session.scalars(select(AuditRow.tenant_id).distinct())) | set(heads) | set(known)
            for company in sorted(companies if tenant_id is None else {tenant_id}):
                links = _links(session, company, tell)
                found = first_break(company, links, heads.get(company, Head()), known.get(company))
                if found is not None:
                    broken.append(found)
        shown = heads if tenant_id is None else {tenant_id: heads.get(tenant_id, Head())}
        return shown, broken

    def entries(self) -> int:
        """Return how many entries the chains say that there are."""
        return sum(head.number for head in self.heads().values())

    def refuses_changes(self) -> bool:
        """Whether the database itself refuses to change or delete an entry."""
        query = _TRIGGERS.get(self._engine.dialect.name, _OTHER_TRIGGERS)
        with reading(self._engine) as session:
            return set(session.scalars(text(query))) >= _REFUSING


def _heads(session: Session) -> dict[str, Head]:
    return {row.tenant_id: Head(row.number, row.digest) for row in session.scalars(select(AuditHeadRow))}


def _links(session: Session, tenant_id: str, tell: Callable[[int], None]) -> Iterator[Link]:
    columns = [getattr(AuditRow, name) for name in Link.__dataclass_fields__]
    query = select(*columns).where(AuditRow.tenant_id == tenant_id).order_by(AuditRow.number).limit(_AT_ONCE)
    last: int | None = None
    while True:
        rows = session.execute(query if last is None else query.where(AuditRow.number > last)).mappings().all()
        yield from (Link(**row) for row in rows)
        tell(len(rows))
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1]["number"]


def _link(row: AuditRow) -> Link:
    return Link(**{name: getattr(row, name) for name in Link.__dataclass_fields__})
