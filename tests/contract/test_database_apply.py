"""Journal entries become rows: each once, also when told again or in another order, and states only go forward."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from call_entries import (
    NOON,
    TENANT,
    after,
    began,
    closed,
    consent_taken,
    decided,
    dump,
    erased,
    failed,
    intended,
    moved,
    started,
    stored,
    whole_call,
)
from sqlalchemy import Engine, event, select

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine, reading, writing
from pbx_plugin.db.models import (
    AuditRow,
    CallRow,
    DecisionRow,
    GapRow,
    JournalMarkRow,
    LegRow,
    MediaRow,
    MediaState,
    PartyEventRow,
    RecordingRow,
)
from pbx_plugin.db.recall import DatabaseRecall
from pbx_plugin.db.rulebook import DatabaseRulebook
from pbx_plugin.domain.entries import (
    Audited,
    CallEnded,
    CallMerged,
    CallRemembered,
    Entry,
    Gap,
    LegSeen,
)

RUN = "recorder:one"


def numbered(entries: Sequence[Any], first: int = 1) -> list[tuple[int, Entry]]:
    return list(enumerate(entries, first))


def media(engine: Engine, media_id: str = "media-1") -> MediaRow:
    with reading(engine) as session:
        return session.get_one(MediaRow, media_id)


def test_the_story_covers_every_kind_of_entry() -> None:
    told = {type(entry) for entry in [*whole_call(), failed(), erased()]}
    assert told == set(get_args(Entry))


def test_a_call_told_once_stands_in_every_table(engine: Engine) -> None:
    DatabaseApply(engine)(RUN, numbered(whole_call()))
    rows = dump(engine)
    counted = {name: len(found) for name, found in rows.items() if found}
    assert counted == {
        "audit": 1,
        "audit_head": 1,
        "call": 2,
        "call_alias": 2,
        "call_mark": 1,
        "consent": 1,
        "decision": 1,
        "gap": 1,
        "journal_mark": 1,
        "leg": 2,
        "media": 1,
        "media_consent": 1,
        "party_event": 2,
        "recording": 1,
        "revision": 1,
    }
    assert DatabaseRulebook(engine).revision() == 0, "calls are no matter for the rulebook"


def test_told_twice_changes_nothing(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply(RUN, numbered(whole_call()))
    once = dump(engine)
    apply(RUN, numbered(whole_call()))
    assert dump(engine) == once
    apply(RUN, numbered([moved(99)], first=3))
    assert dump(engine) == once, "a position that the database holds is not looked at again"


def test_told_twice_changes_nothing_even_when_the_position_was_forgotten(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply(RUN, numbered(whole_call()))
    once = dump(engine, journals=False)
    apply.forget(RUN)
    apply(RUN, numbered(whole_call()))
    apply("agi-1:two", numbered(whole_call()))
    assert dump(engine, journals=False) == once


def test_one_entry_at_a_time_or_all_at_once_is_the_same(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    for position, entry in numbered(whole_call()):
        apply(RUN, [(position, entry)])
    single = dump(engine)
    with reading(engine) as session:
        assert session.get_one(JournalMarkRow, RUN).position == len(whole_call())
    assert single == dump(engine)


@pytest.mark.parametrize("seed", range(12))
def test_the_order_in_which_it_is_told_does_not_matter(sqlite_file: Path, tmp_path: Path, seed: int) -> None:
    other_file = shutil.copy(sqlite_file, tmp_path / "other.sqlite")
    shuffled = whole_call()
    random.Random(seed).shuffle(shuffled)
    dumps = []
    for file, story in ((sqlite_file, whole_call()), (other_file, shuffled)):
        engine = make_engine(f"sqlite:///{file}")
        DatabaseApply(engine)(RUN, numbered(story))
        dumps.append(dump(engine, without=("seq",)))
        engine.dispose()
    assert dumps[0] == dumps[1]


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([intended()], "starting"),
        ([intended(), started()], "recording"),
        ([intended(), started(), closed()], "closed"),
        ([intended(), closed(), started()], "closed"),
        ([intended(), started(), closed(), stored()], "stored"),
        ([intended(), stored(), started(), closed()], "stored"),
        ([intended(), started(), stored(), failed()], "stored"),
        ([intended(), started(), failed(), closed()], "failed"),
        ([intended(), failed(), stored()], "stored"),
        ([started(), intended()], "recording"),
    ],
    ids=lambda told: (
        "-".join(entry.kind.removeprefix("recording ") for entry in told) if isinstance(told, list) else ""
    ),
)
def test_a_recording_only_ever_moves_forward(engine: Engine, told: list[Entry], state: str) -> None:
    apply = DatabaseApply(engine)
    for position, entry in numbered(told):
        apply(RUN, [(position, entry)])
    row = media(engine)
    assert row.state == state
    assert (row.spool_in, row.spool_out, row.in_side, row.intended_at) == (
        "media-1-in",
        "media-1-out",
        "right",
        after(4),
    )
    assert row.tenant_id == TENANT


def test_an_erased_recording_stays_erased(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply(RUN, numbered([intended(), started(), closed(), stored()]))
    with writing(engine) as session:
        session.get_one(MediaRow, "media-1").state = MediaState.ERASED
    apply(RUN, numbered([closed(), stored()], first=5))
    assert media(engine).state is MediaState.ERASED


def test_of_two_ends_the_earlier_one_holds(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply(RUN, numbered([intended(), closed(at=60, reason="hung up"), closed(at=41, reason="withdrawn")]))
    assert (media(engine).closed_at, media(engine).close_reason) == (after(41), "withdrawn")
    apply(RUN, numbered([closed(at=50, reason="toggled")], first=4))
    assert (media(engine).closed_at, media(engine).close_reason) == (after(41), "withdrawn")


def test_two_users_own_recordings_on_one_media(engine: Engine) -> None:
    DatabaseApply(engine)(RUN, numbered([intended("recording-1"), started(), intended("recording-2", at=4.5)]))
    with reading(engine) as session:
        owners = session.execute(select(RecordingRow.id, RecordingRow.media_id).order_by(RecordingRow.id)).all()
    assert [tuple(owner) for owner in owners] == [("recording-1", "media-1"), ("recording-2", "media-1")]
    assert (media(engine).state, media(engine).intended_at) == ("recording", after(4))


def test_an_erased_recording_stays_so_and_keeps_its_hash_as_a_proof(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply(RUN, numbered([intended(), started(), closed(), stored(), erased()]))
    row = media(engine)
    assert (row.state, row.path, row.peaks_path, row.erased_at) == (MediaState.ERASED, "", "", after(70))
    assert (row.sha256, row.length_ms) == ("cd" * 32, 55_000)
    # A finaliser that was just ready says so too late.
    apply(RUN, numbered([stored(), failed()], first=6))
    assert (media(engine).state, media(engine).path) == (MediaState.ERASED, "")


def test_what_the_stored_file_is_like_is_kept(engine: Engine) -> None:
    DatabaseApply(engine)(RUN, numbered([intended(), started(), closed(), stored()]))
    row = media(engine)
    assert (row.path, row.peaks_path, row.sha256) == ("ab/abc.wav", "ab/abc.peaks", "cd" * 32)
    assert (row.size, row.rate, row.length_ms) == (880_044, 8000, 55_000)
    assert (row.left_silent, row.right_silent, row.remarks) == (False, True, ["padded"])
    assert (row.in_at, row.out_at, row.stored_at) == (after(4.9), after(4.95), after(61))


def test_a_decision_is_never_changed(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply(RUN, numbered([began(), decided()]))
    apply(RUN, numbered([replace(decided(), verdict="never", rule=3)], first=3))
    with reading(engine) as session:
        row = session.get_one(DecisionRow, "decision-1")
        assert (row.verdict, row.rule, row.tenant_id) == ("record", 9, TENANT)
        assert row.facts == decided().facts
        assert row.trace == decided().trace


def test_a_call_that_merged_into_another_keeps_its_row(engine: Engine) -> None:
    told = [
        began("call-1"),
        began("call-2", at=10, linkedid="1700000000.7"),
        CallRemembered("call-1", after(11), "one"),
        CallRemembered("call-2", after(12), "two"),
        CallMerged("call-1", "call-2", after(20)),
    ]
    DatabaseApply(engine)(RUN, numbered(told))
    with reading(engine) as session:
        gone = session.get_one(CallRow, "call-2")
        assert (gone.merged_into, gone.merged_at, gone.state) == ("call-1", after(20), None)
        assert session.get_one(CallRow, "call-1").merged_into is None
    assert [(call.call_id, call.state) for call in DatabaseRecall(engine).running_calls()] == [("call-1", "one")]


def test_a_leg_is_what_was_seen_of_it_last(engine: Engine) -> None:
    told = [
        began(),
        LegSeen("call-1", "1.1", after(2), "PJSIP/101-1", user_id="user-1", number_raw="101"),
        LegSeen("call-1", "1.1", after(1), "PJSIP/101-1", number_raw="anonymous"),
    ]
    DatabaseApply(engine)(RUN, numbered(told))
    with reading(engine) as session:
        row = session.get_one(LegRow, ("call-1", "1.1"))
        assert (row.joined_at, row.known_at, row.person_id, row.number_raw) == (after(1), after(2), "user-1", "101")


def test_a_gap_that_ended_does_not_open_again(engine: Engine) -> None:
    gap = Gap("gap-1", "call-1", TENANT, "user-1", after(1), None, "no room")
    DatabaseApply(engine)(RUN, numbered([gap, replace(gap, until=after(9)), gap]))
    with reading(engine) as session:
        assert session.get_one(GapRow, "gap-1").until == after(9)


def test_evidence_goes_in_although_the_call_was_never_told(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply("agi:1", numbered([consent_taken()]))
    apply(RUN, numbered([moved(1), decided(), CallEnded("call-1", after(60), "answered")]))
    with reading(engine) as session:
        row = session.get_one(CallRow, "call-1")
        assert (row.tenant_id, row.began_at, row.ended_at) == ("", after(1), after(60))
    apply(RUN, numbered([began()], first=4))
    with reading(engine) as session:
        row = session.get_one(CallRow, "call-1")
        assert (row.tenant_id, row.began_at, row.ended_at) == (TENANT, NOON, after(60))
        assert session.get_one(DecisionRow, "decision-1").tenant_id == TENANT
        assert session.scalars(select(PartyEventRow.tenant_id)).all() == [TENANT]


def test_a_hostile_caller_id_does_not_keep_the_call_out(engine: Engine) -> None:
    nasty = "\x00'; DROP TABLE call; --" + "\N{PILE OF POO}" * 5000
    told = [
        began(caller_raw=nasty, caller_e164=nasty, ddi_raw=nasty, dialled_raw=nasty, linkedid=nasty),
        LegSeen("call-1", nasty, after(1), nasty, number_raw=nasty),
        LegSeen("call-1", nasty, after(2), nasty, number_raw=nasty),
        replace(moved(1), channel_id=nasty, what=nasty, detail=nasty),
        replace(decided(), facts={nasty: [nasty]}),
        replace(consent_taken(), digits=nasty, caller_raw=nasty),
    ]
    apply = DatabaseApply(engine)
    apply(RUN, numbered(told))
    once = dump(engine, journals=False)
    apply("again:1", numbered(told))
    assert dump(engine, journals=False) == once
    with reading(engine) as session:
        assert session.get_one(CallRow, "call-1").caller_raw == f"{nasty[:254]}…"
        assert session.scalars(select(LegRow.known_at)).all() == [after(2)]


def test_a_batch_with_a_value_that_cannot_be_stored_leaves_nothing_of_itself(engine: Engine) -> None:
    before = dump(engine)
    too_big = replace(decided(), rule=10**30)
    with pytest.raises(Exception, match=r"(?i)too large|out of range|overflow|range"):
        DatabaseApply(engine)(RUN, numbered([began(), moved(1), too_big]))
    assert dump(engine) == before


def test_a_new_run_of_a_journal_takes_the_place_of_the_old_ones(engine: Engine) -> None:
    apply = DatabaseApply(engine)
    apply("recorder:one", numbered([began(), moved(1)]))
    apply("recorder_2:x", numbered([moved(2)]))
    apply("agi:one", numbered([moved(3)]))
    apply("recorder:two", numbered([moved(4)]))
    with reading(engine) as session:
        marks = session.execute(select(JournalMarkRow.journal, JournalMarkRow.position)).all()
        assert sorted(tuple(mark) for mark in marks) == [("agi:one", 1), ("recorder:two", 1), ("recorder_2:x", 1)]
        assert len(session.scalars(select(PartyEventRow.seq)).all()) == 4


def test_a_restarted_recorder_finds_what_is_not_finished(engine: Engine) -> None:
    told = [
        began("old", at=1, linkedid="1.1"),
        began("ended", at=2, linkedid="1.2"),
        began("young", at=3, linkedid="1.3"),
        CallRemembered("old", after(4), "first"),
        CallRemembered("old", after(6), "latest"),
        CallRemembered("old", after(5), "late"),
        CallEnded("ended", after(9), "not answered"),
        CallRemembered("ended", after(10), "too late"),
        intended("r3", "third", "young", at=9),
        intended("r1", "first", "old", at=7),
        intended("r2", "second", "old", at=8),
        intended("r4", "done", "old", at=1),
        intended("r5", "lost", "old", at=1),
        started("first", at=8),
        started("second", at=8),
        closed("second", at=9),
        stored("done"),
        failed("lost"),
    ]
    DatabaseApply(engine)(RUN, numbered(told))
    recall = DatabaseRecall(engine)
    assert [(call.call_id, call.state) for call in recall.running_calls()] == [("old", "latest"), ("young", "")]
    opened = recall.open_media()
    assert [(row.media_id, row.state) for row in opened] == [
        ("first", "recording"),
        ("second", "closed"),
        ("third", "starting"),
    ]
    assert (opened[1].in_at, opened[1].out_at, opened[1].closed_at) == (after(7.9), after(7.95), after(9))
    assert (opened[0].spool_in, opened[0].in_side, opened[0].anchor_channel) == ("first-in", "right", "1700000000.1")
    assert all(len(row.user_ids) == 1 for row in opened)
    assert recall.ended({"old", "ended", "young", "never heard of"}) == {"ended"}
    assert recall.ended([f"call {n}" for n in range(2000)]) == frozenset()
    assert recall.media_states(["first", "done", "lost", "never heard of"]) == {
        "first": "recording",
        "done": "stored",
        "lost": "failed",
    }


def test_the_audit_keeps_the_order_in_which_it_was_told(engine: Engine) -> None:
    told = [Audited(f"audit-{n}", TENANT, after(-n), "recorder", "did", f"thing {n}") for n in range(5)]
    DatabaseApply(engine)(RUN, numbered([*told, told[0]]))
    with reading(engine) as session:
        assert session.scalars(select(AuditRow.subject).order_by(AuditRow.seq)).all() == [
            f"thing {n}" for n in range(5)
        ]


def test_a_rehearsal_leaves_nothing_and_touches_every_table_that_a_recorded_call_does(engine: Engine) -> None:
    statements: set[str] = set()

    @event.listens_for(engine, "before_cursor_execute")
    def _seen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.add(statement.partition("(")[0].strip())

    before, apply = dump(engine), DatabaseApply(engine)
    apply.rehearse()
    rehearsed = {statement for statement in statements if statement.startswith(("INSERT", "UPDATE"))}
    assert dump(engine) == before
    tables = {"call", "call_alias", "leg", "party_event", "call_mark", "decision", "media", "recording"}
    assert {statement.split()[2].strip('"`') for statement in rehearsed if statement.startswith("INSERT")} == tables
