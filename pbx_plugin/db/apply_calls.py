"""How entries about calls become rows: calls, legs, time line, marks, decisions and consent evidence.

Each function may see its entry late or again. A call that was never begun (its first entry came late, or was set
aside) gets a row without tenant, which is filled in when the beginning comes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from pbx_plugin.db.apply_rows import Batch, Row, channel_key
from pbx_plugin.db.base import clean_json
from pbx_plugin.db.models import (
    CallAliasRow,
    CallMarkRow,
    ConsentRow,
    DecisionRow,
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

_FORGOTTEN = {"state": None, "remembered_at": None}


def call_began(batch: Batch, entry: CallBegan) -> None:
    """Fill in the call's row, and the tenant of whatever came before it."""
    row = batch.calls.get(entry.call_id)
    if row is None:
        row = batch.calls.add(id=entry.call_id)
    elif not row["tenant_id"]:
        batch.tenant_known(entry.call_id, entry.tenant_id)
    row.set(
        tenant_id=entry.tenant_id,
        linkedid=entry.linkedid,
        began_at=entry.at,
        direction=entry.direction,
        policy_version=entry.policy_version,
        off_at_start=entry.off_at_start,
        caller_raw=entry.caller_raw,
        caller_e164=entry.caller_e164,
        ddi_raw=entry.ddi_raw,
        ddi_e164=entry.ddi_e164,
        dialled_raw=entry.dialled_raw,
        caller_name=entry.caller_name,
    )
    batch.add_once(CallAliasRow, call_id=entry.call_id, linkedid=entry.linkedid, tenant_id=entry.tenant_id)


def call_remembered(batch: Batch, entry: CallRemembered) -> None:
    """Keep the latest state of a call that still runs."""
    row = _call(batch, entry.call_id, entry.at)
    over = row["ended_at"] is not None or row["merged_into"] is not None
    if not over and (row["remembered_at"] is None or row["remembered_at"] <= entry.at):
        row.set(state=entry.state, remembered_at=entry.at)


def call_merged(batch: Batch, entry: CallMerged) -> None:
    """Link the call that ended in another one to it; both rows stay."""
    row = _call(batch, entry.from_call_id, entry.at)
    row.set(merged_into=entry.call_id, merged_at=entry.at, **_FORGOTTEN)
    _call(batch, entry.call_id, entry.at)


def call_ended(batch: Batch, entry: CallEnded) -> None:
    """Write when the call ended, and drop its state: nobody will go on from it."""
    _call(batch, entry.call_id, entry.at).set(ended_at=entry.at, outcome=entry.outcome, **_FORGOTTEN)


def leg_seen(batch: Batch, entry: LegSeen) -> None:
    """Write the leg; what was seen last is what is known of it, what was seen first is when it joined."""
    call = _call(batch, entry.call_id, entry.at)
    channel = channel_key(entry.channel_id)
    row = batch.legs.get(entry.call_id, channel)
    if row is None:
        row = batch.legs.add(call_id=entry.call_id, channel_id=channel, joined_at=entry.at, known_at=entry.at)
    row.set(tenant_id=call["tenant_id"], joined_at=min(row["joined_at"], entry.at))
    if row["known_at"] <= entry.at:
        row.set(
            known_at=entry.at,
            channel_name=entry.channel_name,
            person_id=entry.user_id,
            number_raw=entry.number_raw,
            number_e164=entry.number_e164,
            originating=entry.originating,
            display_name=entry.display_name,
        )


def leg_moved(batch: Batch, entry: LegMoved) -> None:
    """Add one step to the time line."""
    batch.add_once(
        PartyEventRow,
        digest=_digest(entry),
        tenant_id=_call(batch, entry.call_id, entry.at)["tenant_id"],
        call_id=entry.call_id,
        channel_id=entry.channel_id,
        at=entry.at,
        what=entry.what,
        detail=entry.detail,
    )


def marked(batch: Batch, entry: Marked) -> None:
    """Add the call's new set of marks."""
    batch.add_once(
        CallMarkRow,
        digest=_digest(entry),
        tenant_id=_call(batch, entry.call_id, entry.at)["tenant_id"],
        call_id=entry.call_id,
        at=entry.at,
        consent=entry.consent,
        consent_by=entry.consent_by,
        evidence_id=entry.evidence_id,
        presented_to=list(entry.presented_to),
        cause=entry.cause,
    )


def decided(batch: Batch, entry: Decided) -> None:
    """Write the decision; a decision is never changed."""
    batch.add_once(
        DecisionRow,
        id=entry.decision_id,
        tenant_id=_call(batch, entry.call_id, entry.at)["tenant_id"],
        call_id=entry.call_id,
        person_id=entry.user_id,
        at=entry.at,
        verdict=entry.verdict,
        rule=entry.rule,
        rule_name=entry.rule_name,
        policy_version=entry.policy_version,
        facts=entry.facts,
        trace=clean_json(entry.trace),
        announce=entry.announce,
        consent_by=entry.consent_by,
        evidence_id=entry.evidence_id,
    )


def consent_taken(batch: Batch, entry: ConsentTaken) -> None:
    """Write the evidence; evidence is never changed."""
    batch.add_once(
        ConsentRow,
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
    batch.rests_on_consent(entry.evidence_id)


def _call(batch: Batch, call_id: str, at: datetime) -> Row:
    return batch.calls.get(call_id) or batch.calls.add(id=call_id, tenant_id="", began_at=at)


def _digest(entry: Entry) -> str:
    return hashlib.sha256(encode(entry).encode()).hexdigest()
