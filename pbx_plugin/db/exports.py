"""Exports in the database: what was asked for, how far it is, and the audit of each recording that is handed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.handing import note
from pbx_plugin.db.models import ExportRow
from pbx_plugin.domain.handing import ExportState
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.exporting import MOST_RECORDINGS, Export
from pbx_plugin.services.handing import Recorded

_NAMES = tuple(Export.__dataclass_fields__)


class DatabaseExports:
    """:class:`~pbx_plugin.services.exporting.ExportStore`. Raises StoreUnavailableError while the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def downloaded(self, desk: Desk, recorded: Recorded, form: str) -> None:
        """Audit that one recording is downloaded, before its first byte."""
        with writing(self._engine) as session:
            told = {"call": recorded.call_id, "sha256": recorded.sha256, "size": recorded.size}
            note(session, desk, "downloaded", recorded.recording_id, **told, form=form)

    def ask(self, desk: Desk, account_id: str, recording_ids: Sequence[str]) -> Export:
        """Keep a selection. Raises RefusedError when it is empty or too large."""
        ids = list(dict.fromkeys(recording_ids))
        if not ids:
            raise RefusedError("nothing is selected: choose at least one recording")
        if len(ids) > MOST_RECORDINGS:
            raise RefusedError(f"{len(ids)} recordings are selected: at most {MOST_RECORDINGS} go into one zip file")
        export = Export(
            desk.new_id(), desk.tenant.id, account_id, desk.at, desk.actor, ids, ExportState.ASKED, len(ids)
        )
        with writing(self._engine) as session:
            session.execute(insert(ExportRow), [{name: getattr(export, name) for name in _NAMES}])
        return export

    def find(self, tenant_id: str, account_id: str, export_id: str) -> Export | None:
        """Return one of the account's own exports."""
        query = select(ExportRow).where(
            ExportRow.id == export_id, ExportRow.tenant_id == tenant_id, ExportRow.account_id == account_id
        )
        with reading(self._engine) as session:
            row = session.scalar(query)
            return Export(**{name: getattr(row, name) for name in _NAMES}) if row else None

    def start(self, export: Export) -> bool:
        """Let it begin; False when it has begun before."""
        with writing(self._engine) as session:
            change = update(ExportRow).where(ExportRow.id == export.id, ExportRow.state == ExportState.ASKED)
            return _count(session, change.values(state=ExportState.RUNNING)) == 1

    def hand_over(self, desk: Desk, export: Export, recorded: Recorded) -> None:
        """Audit that a recording is handed over, before its first byte."""
        with writing(self._engine) as session:
            told = {"call": recorded.call_id, "sha256": recorded.sha256, "size": recorded.size}
            note(session, desk, "downloaded", recorded.recording_id, **told, form="zip", export=export.id)

    def progress(self, export: Export, *, done: int, left_out: int, sent: int) -> None:
        """Note how far it is."""
        with writing(self._engine) as session:
            change = update(ExportRow).where(ExportRow.id == export.id)
            _count(session, change.values(done=done, left_out=left_out, sent=sent))

    def end(self, desk: Desk, export: Export, state: ExportState, manifest_sha256: str) -> None:
        """Note how it ended. Audited."""
        with writing(self._engine) as session:
            change = update(ExportRow).where(ExportRow.id == export.id, ExportRow.state == ExportState.RUNNING)
            ended = change.values(state=state, ended_at=desk.at, manifest_sha256=manifest_sha256)
            if _count(session, ended) == 1:
                row = session.get_one(ExportRow, export.id)
                told = {"recordings": row.total - row.left_out, "left_out": row.left_out, "bytes": row.sent}
                note(session, desk, "exported", export.id, **told, state=state.value, manifest_sha256=manifest_sha256)


def _count(session: Session, statement: Any) -> int:
    session.flush()
    result: Any = session.connection().execute(statement)
    return int(result.rowcount)
