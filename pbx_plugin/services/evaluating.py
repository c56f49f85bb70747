"""Evaluating recordings: the company's form in its versions, evaluations, and each user's results in a period.

Who may is decided by :mod:`pbx_plugin.domain.access`; ``viewer`` None is the machine's own admin. A new version of the
form leaves evaluations as they are: each keeps the version that it was made with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pbx_plugin.domain.access import Action, Scope, Viewer, may, scope
from pbx_plugin.domain.evaluation import (
    Form,
    FormError,
    Judged,
    Result,
    checked,
    form_as_data,
    read_form,
    results,
    score,
)
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.handing import ForbiddenError
from pbx_plugin.services.working import ChangedMeanwhileError, Work, allowed, clean_note


@dataclass(frozen=True, slots=True)
class FormVersion:
    """A version of the form, as somebody saved it (UTC)."""

    id: str
    version: int
    author: str
    at: datetime
    form: Form


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What somebody thinks of a recording. ``score`` is tenths of a percent, None where nothing applied."""

    id: str
    recording_id: str
    person_id: str
    recorded_at: datetime
    form_id: str
    answers: Mapping[str, int | None]
    score: int | None
    comment: str
    author: str
    account_id: str
    at: datetime
    changed_at: datetime
    version: int = 1


class Evaluations(Work, Protocol):
    """The rows of one company's forms and evaluations, in one transaction with marks and notes."""

    def forms(self, tenant_id: str) -> Sequence[FormVersion]:
        """Return all versions of the form, the newest first."""
        ...

    def save_form(self, tenant_id: str, form: FormVersion) -> None:
        """Write a new version. Raises RefusedError when another has just taken its number."""
        ...

    def evaluations(self, tenant_id: str, recording_id: str) -> Sequence[Evaluation]:
        """Return a recording's evaluations, the one changed last first."""
        ...

    def save_evaluation(self, desk: Desk, evaluation: Evaluation) -> bool:
        """Write it over the one of its version (0: a new one), count that up; False when somebody was faster."""
        ...

    def evaluated(self, reach: Scope, since: datetime | None, until: datetime | None) -> Sequence[Evaluation]:
        """Return evaluations of recordings within the scope that began in the period."""
        ...


def form_in_use(work: Evaluations, tenant_id: str) -> FormVersion | None:
    """Return the newest version of the form, None where there is none yet."""
    return next(iter(work.forms(tenant_id)), None)


def set_form(work: Evaluations, desk: Desk, viewer: Viewer | None, data: Any) -> FormVersion:
    """Save a new version of the form, unless it is the one in use already. Raises ForbiddenError, RefusedError."""
    if viewer is not None and not may(viewer, Action.SETTINGS):
        raise ForbiddenError("only a superuser may change the evaluation form")
    try:
        form = read_form(data)
    except FormError as error:
        raise RefusedError(f"evaluation form: {error}") from error
    before = form_in_use(work, desk.tenant.id)
    if before is not None and before.form == form:
        return before
    saved = FormVersion(desk.new_id(), before.version + 1 if before else 1, desk.actor, desk.at, form)
    work.save_form(desk.tenant.id, saved)
    desk.note(
        "evaluation form changed",
        saved.id,
        version=saved.version,
        form=[form_as_data(before.form) if before else None, form_as_data(form)],
    )
    return saved


def evaluate(
    work: Evaluations,
    desk: Desk,
    viewer: Viewer | None,
    recording_id: str,
    answers: Mapping[str, Any],
    comment: str = "",
    version: int | None = None,
) -> Evaluation:
    """Judge a recording by the form in use, or change one's own judgement of it.

    ``version`` is that of one's evaluation as it was shown (0: there was none), None to change whatever is there.
    Raises NotFoundError, ForbiddenError, ChangedMeanwhileError and RefusedError.
    """
    found = allowed(work, desk, viewer, recording_id, Action.EVALUATE)
    form = form_in_use(work, desk.tenant.id)
    if form is None:
        raise RefusedError("there is no evaluation form yet: make one with 'pbx-plugin evaluation form set'")
    try:
        answered = checked(form.form, answers)
    except FormError as error:
        raise RefusedError(str(error)) from error
    before = own(work, desk, viewer, recording_id)
    if version is not None and version != (before.version if before else 0):
        raise ChangedMeanwhileError("this evaluation was changed meanwhile, perhaps in another window: look again")
    after = Evaluation(
        id=before.id if before else desk.new_id(),
        recording_id=recording_id,
        person_id=found.person_id,
        recorded_at=found.at,
        form_id=form.id,
        answers=answered,
        score=score(form.form, answered).total,
        comment=clean_note(comment) if comment.strip() else "",
        author=desk.actor,
        account_id=viewer.account_id if viewer else "",
        at=before.at if before else desk.at,
        changed_at=desk.at,
        version=before.version if before else 0,
    )
    if before is not None and _shown(before) == _shown(after):
        return before
    if not work.save_evaluation(desk, after):
        raise ChangedMeanwhileError("this evaluation has just been changed: look again")
    mark = work.mark(desk.tenant.id, recording_id)
    if not work.save_mark(desk, replace(mark, evaluated=True, score=after.score, evaluated_at=desk.at)):
        raise ChangedMeanwhileError("somebody else has just changed this recording's marks: save again")
    detail = changed(_shown(before) if before else {}, _shown(after))
    desk.note("evaluated", recording_id, evaluation=after.id, form_version=form.version, **detail)
    return replace(after, version=after.version + 1)


def own(work: Evaluations, desk: Desk, viewer: Viewer | None, recording_id: str) -> Evaluation | None:
    """Return somebody's own evaluation of a recording, None where there is none."""
    there = work.evaluations(desk.tenant.id, recording_id)
    return next((one for one in there if _whose(one) == _key(desk, viewer)), None)


def results_by_user(
    work: Evaluations, tenant_id: str, viewer: Viewer | None, since: datetime | None, until: datetime | None
) -> Sequence[Result]:
    """Return each user's results of recordings that began in the period, as far as somebody sees, the best first.

    Raises ForbiddenError for who evaluates nothing.
    """
    if viewer is not None and not may(viewer, Action.EVALUATE):
        raise ForbiddenError("your account may not see evaluations")
    forms = {form.id: form.form for form in work.forms(tenant_id)}
    reach = scope(viewer) if viewer else Scope(tenant_id, everything=True)
    judged = (
        Judged(one.person_id, one.recorded_at, one.score, score(forms[one.form_id], one.answers).categories)
        for one in work.evaluated(reach, since, until)
    )
    return results(judged)


def key_of(account_id: str, author: str) -> str:
    """Return what tells one person's evaluations from another's: the account, else the name."""
    return f"account {account_id}" if account_id else f"name {author}"


def _key(desk: Desk, viewer: Viewer | None) -> str:
    return key_of(viewer.account_id if viewer else "", desk.actor)


def _whose(evaluation: Evaluation) -> str:
    return key_of(evaluation.account_id, evaluation.author)


def _shown(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "answers": dict(evaluation.answers),
        "score": evaluation.score,
        "comment": evaluation.comment,
        "form": evaluation.form_id,
    }
