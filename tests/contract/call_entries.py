"""Builders of journal entries with telephony's everyday values, and a way to compare whole databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from pbx_plugin.db.models import Base
from pbx_plugin.domain.entries import (
    Audited,
    CallBegan,
    CallEnded,
    CallMerged,
    CallRemembered,
    ConsentRests,
    ConsentTaken,
    Decided,
    Entry,
    Gap,
    LegMoved,
    LegSeen,
    Marked,
    RecordingClosed,
    RecordingErased,
    RecordingFailed,
    RecordingIntended,
    RecordingStarted,
    RecordingStored,
    Side,
    Trouble,
)

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_001, tzinfo=UTC)
TENANT = "tenant-1"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def began(call_id: str = "call-1", *, at: float = 0, linkedid: str = "1700000000.1", **other: Any) -> CallBegan:
    values: dict[str, Any] = {
        "policy_version": 3,
        "off_at_start": False,
        "direction": "incoming",
        "caller_raw": "31200118",
        "caller_e164": "+4531200118",
        "ddi_raw": "70101010",
        "ddi_e164": "+4570101010",
    }
    return CallBegan(call_id=call_id, tenant_id=TENANT, linkedid=linkedid, at=after(at), **(values | other))


def moved(number: int, call_id: str = "call-1", *, at: float | None = None) -> LegMoved:
    return LegMoved(call_id, "1700000000.2", after(number if at is None else at), "talking", f"step {number}")


def decided(decision_id: str = "decision-1", call_id: str = "call-1", *, at: float = 3) -> Decided:
    return Decided(
        decision_id,
        call_id,
        "user-1",
        after(at),
        verdict="record",
        rule=9,
        rule_name="group, consent given",
        policy_version=3,
        facts={"direction": "incoming", "others": [{"number": "+4531200118"}], "announced": False},
        trace=[{"rule": 1, "name": "emergency", "matched": False, "why": "no emergency number"}],
        consent_by="our IVR",
        evidence_id="evidence-1",
    )


def consent_taken(evidence_id: str = "evidence-1", *, linkedid: str = "1700000000.1") -> ConsentTaken:
    return ConsentTaken(
        evidence_id,
        TENANT,
        linkedid,
        "1700000000.1",
        "8000",
        "31200118",
        "+4531200118",
        asked_at=after(0.5),
        at=after(1.5),
        outcome="given",
        digits="1",
        language="da",
        prompt="consent/question",
        prompt_sha256="ab" * 32,
        text_version="1",
        keep_days=7,
        policy_version=3,
    )


def intended(
    recording_id: str = "recording-1", media_id: str = "media-1", call_id: str = "call-1", *, at: float = 4
) -> RecordingIntended:
    return RecordingIntended(
        recording_id,
        media_id,
        call_id,
        TENANT,
        "user-1",
        "decision-1",
        1,
        after(at),
        "1700000000.1",
        f"{media_id}-in",
        f"{media_id}-out",
        Side.RIGHT,
        Side.LEFT,
        "incoming",
        "Anna",
        "101",
        other_raw="31200118",
        other_e164="+4531200118",
        ddi="+4570101010",
        evidence_id="evidence-1",
        rule=9,
        policy_version=3,
    )


def started(media_id: str = "media-1", *, at: float = 5) -> RecordingStarted:
    return RecordingStarted(media_id, after(at), after(at - 0.1), after(at - 0.05))


def closed(media_id: str = "media-1", *, at: float = 60, reason: str = "hung up") -> RecordingClosed:
    return RecordingClosed(media_id, after(at), reason)


def stored(media_id: str = "media-1", *, at: float = 61) -> RecordingStored:
    return RecordingStored(
        media_id, after(at), "ab/abc.wav", "ab/abc.peaks", "cd" * 32, 880_044, 8000, 55_000, False, True, ("padded",)
    )


def erased(media_id: str = "media-1", at: float = 70) -> RecordingErased:
    return RecordingErased(media_id, after(at))


def failed(media_id: str = "media-1", *, at: float = 61) -> RecordingFailed:
    return RecordingFailed(media_id, after(at), "the disk is full")


def whole_call() -> list[Entry]:
    """Every kind of entry but a failure: a consented call with a consultation that merged into it."""
    return [
        began(),
        LegSeen("call-1", "1700000000.1", after(0), "PJSIP/trunk-1", number_raw="31200118", originating=True),
        consent_taken(),
        Marked("call-1", after(1.6), "given", "our IVR", "evidence-1", ("group-1",), "key 1"),
        CallRemembered("call-1", after(2), '{"step": 1}'),
        LegSeen("call-1", "1700000000.2", after(2), "PJSIP/101-2", user_id="user-1", number_raw="101"),
        moved(2),
        decided(),
        intended(),
        started(),
        CallRemembered("call-1", after(5), '{"step": 2}'),
        began("call-2", at=10, linkedid="1700000000.7", direction="internal"),
        CallRemembered("call-2", after(11), "{}"),
        CallMerged("call-1", "call-2", after(20)),
        Gap("gap-1", "call-1", TENANT, "user-1", after(20), None, "no room"),
        moved(25),
        Gap("gap-1", "call-1", TENANT, "user-1", after(20), after(30), "no room"),
        ConsentRests("media-1", TENANT, "evidence-2", after(30)),
        Audited("audit-1", TENANT, after(31), "recorder", "listened", "recording-1", {"by": ["portal"]}),
        Trouble("a disk is nearly full", after(32), over=False, detail={"free_mb": 400}),
        closed(),
        CallEnded("call-1", after(60), "answered"),
        stored(),
    ]


def dump(engine: Engine, *, without: tuple[str, ...] = (), journals: bool = True) -> dict[str, list[Any]]:
    """Return every row of every table."""
    rows: dict[str, list[Any]] = {}
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in without]
            rows[table.name] = sorted(tuple(row) for row in map(str_row, connection.execute(select(*columns))))
    if not journals:
        del rows["journal_mark"]
    return rows


def str_row(row: Any) -> tuple[str, ...]:
    return tuple(repr(value) for value in row)
