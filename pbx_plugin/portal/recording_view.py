"""What a recording's page shows: the recording and its call, marks, notes, places on its time line, its history."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from pbx_plugin.db.access import conditions
from pbx_plugin.db.audit_reading import AuditChains
from pbx_plugin.db.engine import reading
from pbx_plugin.db.models import MediaRow, PartyEventRow, RecordingRow
from pbx_plugin.db.paging import PageQueries
from pbx_plugin.db.views import RecordingDetail
from pbx_plugin.db.working import SqlWork, look_at_work
from pbx_plugin.domain.access import Action, Viewer, may, scope
from pbx_plugin.domain.audit import Link
from pbx_plugin.domain.evaluation import Score, score
from pbx_plugin.domain.explain import LAST_RULE, explain
from pbx_plugin.domain.working import Choice, ChoiceKind, Mark, Note
from pbx_plugin.services.evaluating import Evaluation, FormVersion, form_in_use
from pbx_plugin.services.handing import Recorded

LIVE = ("starting", "recording", "closed")
SHOWN_STEPS = ("toggle", "pause", "withdrawal", "announcement", "beep", "hold", "unhold", "joined", "left")
_DECISION = ("verdict", "rule", "rule_name", "policy_version", "facts", "trace")
_AT_THE_EDGE_MS = 500
"""Who joins or leaves within this of the beginning or end is the call itself, not a transfer."""


@dataclass(frozen=True)
class Marker:
    """A place on the recording's time line: what happened there, in milliseconds from its beginning."""

    at_ms: int
    what: str
    detail: str = ""


@dataclass(frozen=True)
class Segment:
    """Another recording of the same call that the reader may see."""

    recording_id: str
    at: datetime
    user_name: str
    segment: int
    length_ms: int
    state: str


@dataclass(frozen=True)
class Shown:
    """Everything on the page. ``words`` tell the decision, ``passed`` the rules that were passed over on the way."""

    recorded: Recorded
    detail: RecordingDetail
    words: Sequence[str]
    passed: Sequence[str]
    whole: bool
    """Whether the call as a whole may be told of; that is fetched when somebody unfolds it."""
    segments: Sequence[Segment]
    markers: Sequence[Marker]


@dataclass(frozen=True)
class Worked:
    """What people made of the recording."""

    mark: Mark
    choices: Sequence[Choice]
    notes: Sequence[Note]

    def offered(self, kind: str) -> Sequence[Choice]:
        """Return what can be chosen from a list, and what was chosen before it was retired."""
        chosen = self.mark.outcome if kind == ChoiceKind.OUTCOME else self.mark.response
        return [c for c in self.choices if c.kind == kind and (not c.retired or c.id == chosen)]


@dataclass(frozen=True)
class Evaluated:
    """The form in use, one's own evaluation, and those of others."""

    form: FormVersion | None
    own: Evaluation | None
    others: Sequence[Evaluation]
    score: Score | None


def recording_shown(engine: Engine, viewer: Viewer, recorded: Recorded) -> Shown:
    """Return what is known of a recording that somebody sees."""
    queries = PageQueries(engine)
    detail = queries.recording_detail(recorded.recording_id, viewer.tenant_id)
    names = queries.names(viewer.tenant_id)
    decision = asdict(detail.decision) if detail.decision else None
    words: Sequence[str] = explain(**{key: decision[key] for key in _DECISION}, names=names) if decision else []
    words, passed = parted(words, decision) if decision else (words, [])
    whole = detail.call is not None and may(viewer, Action.SEE_UNRECORDED)
    with reading(engine) as session:
        other = (
            select(RecordingRow, MediaRow.state, MediaRow.length_ms)
            .join(MediaRow, MediaRow.id == RecordingRow.media_id)
            .where(
                *conditions(scope(viewer)),
                RecordingRow.call_id == recorded.call_id,
                RecordingRow.id != recorded.recording_id,
                RecordingRow.deleted_at.is_(None),
            )
            .order_by(RecordingRow.at, RecordingRow.segment, RecordingRow.id)
        )
        segments = [
            Segment(row.id, row.at, row.user_name, row.segment, length_ms or 0, state.value)
            for row, state, length_ms in session.execute(other)
        ]
        steps = select(PartyEventRow.at, PartyEventRow.what, PartyEventRow.detail).where(
            PartyEventRow.call_id == recorded.call_id, PartyEventRow.what.in_(SHOWN_STEPS)
        )
        told = session.execute(steps.order_by(PartyEventRow.at, PartyEventRow.seq)).all()
    markers = _markers(_began(detail), recorded.length_ms, [(row.at, row.what, row.detail) for row in told])
    return Shown(recorded, detail, words, passed, whole, segments, markers)


def parted(words: Sequence[str], decision: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[str]]:
    """Return what a decision's sentences tell of it, and apart from that the rules that were passed over on the way."""
    # Those are the last sentences: one each, and one for all that were not asked.
    behind = len(decision["trace"]) - 1 + (decision["rule"] < LAST_RULE)
    at = len(words) - behind
    return words[:at], words[at:]


def worked_on(engine: Engine, tenant_id: str, recording_id: str) -> Worked:
    """Return mark, lists and notes."""
    with look_at_work(engine) as work:
        return Worked(work.mark(tenant_id, recording_id), work.choices(tenant_id), work.notes(tenant_id, recording_id))


def evaluated(work: SqlWork, viewer: Viewer, recording_id: str) -> Evaluated:
    """Return what the form asks, and what was answered. Answers to an older form fill in what still is asked."""
    form = form_in_use(work, viewer.tenant_id)
    there = work.evaluations(viewer.tenant_id, recording_id)
    own = next((one for one in there if one.account_id == viewer.account_id), None)
    others = [one for one in there if one is not own]
    return Evaluated(form, own, others, score(form.form, own.answers) if form and own else None)


def history(engine: Engine, tenant_id: str, recording_id: str) -> Sequence[Link]:
    """Return who heard, mailed, downloaded and changed it, the latest first."""
    return AuditChains(engine).history(tenant_id, recording_id)


def _began(detail: RecordingDetail) -> datetime:
    found = detail.recording
    heard = [at for at in (found.in_at, found.out_at) if at is not None]
    return min(heard) if heard else found.at


def _markers(began: datetime, length_ms: int, steps: Sequence[tuple[datetime, str, str]]) -> list[Marker]:
    found: dict[tuple[int, str], Marker] = {}
    for at, what, detail in steps:
        at_ms = round((at - began).total_seconds() * 1000)
        if not 0 <= at_ms <= length_ms:
            continue
        if what in ("joined", "left") and not _AT_THE_EDGE_MS <= at_ms <= length_ms - _AT_THE_EDGE_MS:
            continue
        if what == "announcement" and detail == "begins":
            continue
        # Several legs are told of the same announcement, and both ends of a bridge join: one place is enough.
        plain = re.sub(r"[0-9a-f]{64}", "…", detail) if what not in ("joined", "left") else ""
        found.setdefault((at_ms // 250, what), Marker(at_ms, what, plain))
    return list(found.values())


def shown_detail(entry: Link) -> Sequence[tuple[str, Any, Any]]:
    """Return what an entry of the history changed: name, before and after; after alone where there is no before."""
    found = []
    for name, value in entry.detail.items():
        if isinstance(value, list) and len(value) == 2:
            found.append((name, value[0], value[1]))
    return [(name, before, after) for name, before, after in found if not name.endswith("sha256")]
