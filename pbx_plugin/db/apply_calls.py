"""How entries about calls become rows: calls, legs, time line, marks, decisions and consent evidence.

Each function may see its entry late or again. A call that was never begun (its first entry came late, or was set
aside) gets a row without tenant, which is filled in when the beginning comes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pbx_plugin.db.base import clean_json
from pbx_plugin.db.models import (
    CallAliasRow,
    CallMarkRow,
    CallRow,
    ConsentRow,
    DecisionRow,
    LegRow,
    PartyEventRow,
)
from pbx_plugin.domain.entries import (
    CallBegan,
    CallEnded,
    CallMerged,
    CallRemembered,
    ConsentTaken,
    Decided,
    Entry,
    LegMoved,
    LegSeen,
    Marked,
)
from pbx_plugin.services.codec import encode

_OF_A_CALL = (CallAliasRow, LegRow, PartyEventRow, CallMarkRow, DecisionRow)


def call_began(session: Session, entry: CallBegan) -> None:
    """Fill in the call's row, and the tenant of whatever came before it."""
    row = session.get(CallRow, entry.call_id)
    if row is None:
        row = CallRow(id=entry.call_id)
        session.add(row)
    elif not row.tenant_id:
        session.flush()
        for kind in _OF_A_CALL:
            session.execute(update(kind).where(kind.call_id == entry.call_id).values(tenant_id=entry.tenant_id))
    row.tenant_id = entry.tenant_id
    row.linkedid = entry.linkedid
    row.began_at = entry.at
    row.direction = entry.direction
    row.policy_version = entry.policy_version
    row.off_at_start = entry.off_at_start
    row.caller_raw = entry.caller_raw
    row.caller_e164 = entry.caller_e164
    row.ddi_raw = entry.ddi_raw
    row.ddi_e164 = entry.ddi_e164
    row.dialled_raw = entry.dialled_raw
    if session.get(CallAliasRow, (entry.call_id, entry.linkedid)) is None:
        session.add(CallAliasRow(call_id=entry.call_id, linkedid=entry.linkedid, tenant_id=entry.tenant_id))


def call_remembered(session: Session, entry: CallRemembered) -> None:
    """Keep the latest state of a call that still runs."""
    row = _call(session, entry.call_id, entry.at)
    over = row.ended_at is not None or row.merged_into is not None
    if not over and (row.remembered_at is None or row.remembered_at <= entry.at):
        row.state = entry.state
        row.remembered_at = entry.at


def call_merged(session: Session, entry: CallMerged) -> None:
    """Link the call that ended in another one to it; both rows stay."""
    row = _call(session, entry.from_call_id, entry.at)
    row.merged_into = entry.call_id
    row.merged_at = entry.at
    _forget_state(row)
    _call(session, entry.call_id, entry.at)


def call_ended(session: Session, entry: CallEnded) -> None:
    """Write when the call ended, and drop its state: nobody will go on from it."""
    row = _call(session, entry.call_id, entry.at)
    row.ended_at = entry.at
    row.outcome = entry.outcome
    _forget_state(row)


def leg_seen(session: Session, entry: LegSeen) -> None:
    """Write the leg; what was seen last is what is known of it, what was seen first is when it joined."""
    call = _call(session, entry.call_id, entry.at)
    row = session.get(LegRow, (entry.call_id, entry.channel_id))
    if row is None:
        row = LegRow(call_id=entry.call_id, channel_id=entry.channel_id, joined_at=entry.at, known_at=entry.at)
        session.add(row)
    row.tenant_id = call.tenant_id
    row.joined_at = min(row.joined_at, entry.at)
    if row.known_at <= entry.at:
        row.known_at = entry.at
        row.channel_name = entry.channel_name
        row.person_id = entry.user_id
        row.number_raw = entry.number_raw
        row.number_e164 = entry.number_e164
        row.originating = entry.originating


def leg_moved(session: Session, entry: LegMoved) -> None:
    """Add one step to the time line."""
    digest = _digest(entry)
    if session.scalar(select(PartyEventRow.seq).where(PartyEventRow.digest == digest)) is not None:
        return
    session.add(
        PartyEventRow(
            digest=digest,
            tenant_id=_call(session, entry.call_id, entry.at).tenant_id,
            call_id=entry.call_id,
            channel_id=entry.channel_id,
            at=entry.at,
            what=entry.what,
            detail=entry.detail,
        )
    )


def marked(session: Session, entry: Marked) -> None:
    """Add the call's new set of marks."""
    digest = _digest(entry)
    if session.scalar(select(CallMarkRow.seq).where(CallMarkRow.digest == digest)) is not None:
        return
    session.add(
        CallMarkRow(
            digest=digest,
            tenant_id=_call(session, entry.call_id, entry.at).tenant_id,
            call_id=entry.call_id,
            at=entry.at,
            consent=entry.consent,
            consent_by=entry.consent_by,
            evidence_id=entry.evidence_id,
            presented_to=list(entry.presented_to),
            cause=entry.cause,
        )
    )


def decided(session: Session, entry: Decided) -> None:
    """Write the decision; a decision is never changed."""
    if session.get(DecisionRow, entry.decision_id) is not None:
        return
    session.add(
        DecisionRow(
            id=entry.decision_id,
            tenant_id=_call(session, entry.call_id, entry.at).tenant_id,
            call_id=entry.call_id,
            person_id=entry.user_id,
            at=entry.at,
            verdict=entry.verdict,
            rule=entry.rule,
            rule_name=entry.rule_name,
            policy_version=entry.policy_version,
            facts=clean_json(entry.facts),
            trace=clean_json(entry.trace),
            announce=entry.announce,
            consent_by=entry.consent_by,
            evidence_id=entry.evidence_id,
        )
    )


def consent_taken(session: Session, entry: ConsentTaken) -> None:
    """Write the evidence; evidence is never changed."""
    if session.get(ConsentRow, entry.evidence_id) is not None:
        return
    session.add(
        ConsentRow(
            id=entry.evidence_id,
            tenant_id=entry.tenant_id,
            linkedid=entry.linkedid,
            channel_id=entry.channel_id,
            consent_number=entry.consent_number,
            caller_raw=entry.caller_raw,
            caller_e164=entry.caller_e164,
            asked_at=entry.asked_at,
            at=entry.at,
            outcome=entry.outcome,
            digits=entry.digits,
            language=entry.language,
            prompt=entry.prompt,
            prompt_sha256=entry.prompt_sha256,
            text_version=entry.text_version,
            keep_days=entry.keep_days,
            policy_version=entry.policy_version,
        )
    )


def _call(session: Session, call_id: str, at: datetime) -> CallRow:
    row = session.get(CallRow, call_id)
    if row is None:
        row = CallRow(id=call_id, tenant_id="", began_at=at)
        session.add(row)
        session.flush()
    return row


def _forget_state(row: CallRow) -> None:
    row.state = None
    row.remembered_at = None


def _digest(entry: Entry) -> str:
    return hashlib.sha256(encode(entry).encode()).hexdigest()
