"""Marks, notes, lists and evaluations in the database. What recordings are found by follows in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pbx_plugin.db.access import conditions, restricted
from pbx_plugin.db.directory import SqlDirectory
from pbx_plugin.db.engine import reading, writing
from pbx_plugin.db.handing import recorded
from pbx_plugin.db.models import (
    ChoiceRow,
    EvaluationFormRow,
    EvaluationRow,
    RecordingMarkRow,
    RecordingNoteRow,
    RecordingRow,
)
from pbx_plugin.db.queries import NotFoundError
from pbx_plugin.db.search_copies import follow_marks, follow_notes
from pbx_plugin.domain.access import Scope
from pbx_plugin.domain.evaluation import form_as_data, read_form
from pbx_plugin.domain.working import Choice, Mark, Note
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.evaluating import Evaluation, FormVersion, key_of
from pbx_plugin.services.handing import Recorded

_MARKED = ("outcome", "response", "flag", "tag", "evaluated", "score", "evaluated_at")
_AS_IT_IS = {"synchronize_session": False}


class SqlWork:
    """:class:`~pbx_plugin.services.evaluating.Evaluations` over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def engine(self) -> Engine:
        """The database, for reads beside this transaction."""
        return self._session.get_bind().engine

    @property
    def directory(self) -> SqlDirectory:
        """The directory in the same transaction, for a desk."""
        return SqlDirectory(self._session)

    def recorded(self, scope: Scope, recording_id: str) -> Recorded:
        """Return a recording within the scope that was not deleted. Raises NotFoundError."""
        chosen = (*conditions(scope), RecordingRow.id == recording_id, RecordingRow.deleted_at.is_(None))
        found = recorded(self._session, *chosen).get(recording_id)
        if found is None:
            raise NotFoundError(f"no recording {recording_id!r}")
        return found

    def mark(self, tenant_id: str, recording_id: str) -> Mark:
        """Return a recording's mark; one of version 0 where nothing was marked."""
        query = select(RecordingMarkRow).where(
            RecordingMarkRow.recording_id == recording_id, RecordingMarkRow.tenant_id == tenant_id
        )
        row = self._session.scalars(query.execution_options(populate_existing=True)).one_or_none()
        if row is None:
            return Mark(recording_id)
        return Mark(recording_id, **{name: getattr(row, name) for name in _MARKED}, version=row.version)

    def save_mark(self, desk: Desk, mark: Mark) -> bool:
        """Write a mark over the one of its version and count that up; False when somebody was faster."""
        values: dict[str, Any] = {name: getattr(mark, name) for name in _MARKED}
        values |= {"version": mark.version + 1, "changed_by": desk.actor, "changed_at": desk.at}
        if mark.version:
            own = (RecordingMarkRow.recording_id == mark.recording_id, RecordingMarkRow.tenant_id == desk.tenant.id)
            change = update(RecordingMarkRow).where(*own, RecordingMarkRow.version == mark.version)
            done = self._session.connection().execute(change.values(values)).rowcount == 1
        else:
            key = {"recording_id": mark.recording_id, "tenant_id": desk.tenant.id}
            done = self._made(RecordingMarkRow, key | values)
        if done:
            follow_marks(self._session, [mark.recording_id])
        return done

    def notes(self, tenant_id: str, recording_id: str) -> Sequence[Note]:
        """Return a recording's notes, oldest first."""
        query = select(RecordingNoteRow).where(
            RecordingNoteRow.tenant_id == tenant_id, RecordingNoteRow.recording_id == recording_id
        )
        rows = self._session.scalars(query.order_by(RecordingNoteRow.at, RecordingNoteRow.id))
        return [Note(**{name: getattr(row, name) for name in Note.__dataclass_fields__}) for row in rows]

    def save_note(self, tenant_id: str, note: Note) -> None:
        """Write a note, new or changed."""
        told = {name: getattr(note, name) for name in Note.__dataclass_fields__}
        self._session.merge(RecordingNoteRow(tenant_id=tenant_id, **told))
        self._session.flush()
        follow_notes(self._session, note.recording_id)

    def delete_note(self, tenant_id: str, note: Note) -> None:
        """Delete a note."""
        own = (RecordingNoteRow.id == note.id, RecordingNoteRow.tenant_id == tenant_id)
        self._session.execute(delete(RecordingNoteRow).where(*own), execution_options=_AS_IT_IS)
        follow_notes(self._session, note.recording_id)

    def choices(self, tenant_id: str) -> Sequence[Choice]:
        """Return both lists, retired entries too, each in its order."""
        query = select(ChoiceRow).where(ChoiceRow.tenant_id == tenant_id)
        rows = self._session.scalars(query.order_by(ChoiceRow.kind, ChoiceRow.position, ChoiceRow.text))
        return [Choice(row.id, row.kind, row.text, row.position, row.retired_at is not None) for row in rows]

    def save_choice(self, desk: Desk, choice: Choice) -> None:
        """Write an entry of a list."""
        row = self._session.get(ChoiceRow, choice.id)
        if row is None:
            row = ChoiceRow(id=choice.id, tenant_id=desk.tenant.id, kind=choice.kind, text=choice.text)
            self._session.add(row)
        row.position = choice.position
        row.retired_at = (row.retired_at or desk.at) if choice.retired else None
        self._session.flush()

    def forms(self, tenant_id: str) -> Sequence[FormVersion]:
        """Return all versions of the form, the newest first."""
        query = select(EvaluationFormRow).where(EvaluationFormRow.tenant_id == tenant_id)
        rows = self._session.scalars(query.order_by(EvaluationFormRow.version.desc()))
        return [FormVersion(row.id, row.version, row.author, row.at, read_form(row.body)) for row in rows]

    def save_form(self, tenant_id: str, form: FormVersion) -> None:
        """Write a new version. Raises RefusedError when another has just taken its number."""
        values = {"id": form.id, "tenant_id": tenant_id, "version": form.version, "author": form.author, "at": form.at}
        if not self._made(EvaluationFormRow, values | {"body": form_as_data(form.form)}):
            raise RefusedError("somebody else has just changed the evaluation form: look, and change it again")

    def evaluations(self, tenant_id: str, recording_id: str) -> Sequence[Evaluation]:
        """Return a recording's evaluations, the one changed last first."""
        query = select(EvaluationRow).where(
            EvaluationRow.tenant_id == tenant_id, EvaluationRow.recording_id == recording_id
        )
        rows = self._session.scalars(query.order_by(EvaluationRow.changed_at.desc(), EvaluationRow.id))
        return [_evaluation(row) for row in rows]

    def save_evaluation(self, desk: Desk, evaluation: Evaluation) -> bool:
        """Write it over the one of its version (0: a new one), count that up; False when somebody was faster."""
        values = {name: getattr(evaluation, name) for name in Evaluation.__dataclass_fields__}
        values |= {"version": evaluation.version + 1, "answers": dict(evaluation.answers)}
        if not evaluation.version:
            key = {"tenant_id": desk.tenant.id, "author_key": key_of(evaluation.account_id, evaluation.author)}
            return self._made(EvaluationRow, values | key)
        own = (EvaluationRow.id == evaluation.id, EvaluationRow.tenant_id == desk.tenant.id)
        change = update(EvaluationRow).where(*own, EvaluationRow.version == evaluation.version)
        return self._session.connection().execute(change.values(values)).rowcount == 1

    def evaluated(self, reach: Scope, since: datetime | None, until: datetime | None) -> Sequence[Evaluation]:
        """Return evaluations of recordings within the scope that began in the period."""
        asked: list[ColumnElement[bool]] = [EvaluationRow.tenant_id == reach.tenant_id]
        if since is not None:
            asked.append(EvaluationRow.recorded_at >= since)
        if until is not None:
            asked.append(EvaluationRow.recorded_at < until)
        query = select(EvaluationRow).join(RecordingRow, RecordingRow.id == EvaluationRow.recording_id).where(*asked)
        return [_evaluation(row) for row in self._session.scalars(restricted(query, reach))]

    def _made(self, kind: Any, values: dict[str, Any]) -> bool:
        try:
            with self._session.begin_nested():
                self._session.connection().execute(insert(kind).values(values))
        except IntegrityError:
            return False
        return True


@contextmanager
def look_at_work(engine: Engine) -> Iterator[SqlWork]:
    """Open marks, notes and evaluations for looking only. Raises StoreUnavailableError."""
    with reading(engine) as session:
        yield SqlWork(session)


@contextmanager
def change_work(engine: Engine, *, dry_run: bool = False) -> Iterator[SqlWork]:
    """Open them for a change, true as a whole at the end, or not at all when something is raised.

    With ``dry_run`` everything is tried, and nothing stays. Raises StoreUnavailableError.
    """
    with suppress(_NothingStaysError), writing(engine) as session:
        yield SqlWork(session)
        if dry_run:
            raise _NothingStaysError


class _NothingStaysError(Exception):
    """Ends a trial run, so that its transaction is taken back."""


def _evaluation(row: EvaluationRow) -> Evaluation:
    return Evaluation(**{name: getattr(row, name) for name in Evaluation.__dataclass_fields__})
