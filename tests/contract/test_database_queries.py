"""What people ask of the database: which calls, which recordings, and everything about one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from call_entries import NOON, TENANT, after, began, consent_taken, decided, intended, moved, stored, whole_call
from company import add_company
from sqlalchemy import Engine

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import writing
from pbx_plugin.db.queries import AmbiguousError, DatabaseQueries, NotFoundError
from pbx_plugin.domain.entries import CallMerged


@pytest.fixture
def queries(engine: Engine) -> DatabaseQueries:
    return DatabaseQueries(engine)


def tell(engine: Engine, entries: Sequence[Any], run: str = "recorder:1") -> None:
    DatabaseApply(engine)(run, list(enumerate(entries, 1)))


def test_nothing_is_there_at_first(queries: DatabaseQueries) -> None:
    assert queries.list_calls() == ()
    assert queries.list_recordings() == ()


def test_calls_are_listed_newest_first(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, [began(f"call-{n}", at=n, linkedid=f"1.{n}") for n in (2, 1, 3)])
    assert [call.call_id for call in queries.list_calls()] == ["call-3", "call-2", "call-1"]
    assert [call.call_id for call in queries.list_calls(limit=1)] == ["call-3"]
    assert [call.call_id for call in queries.list_calls(since=after(2))] == ["call-3", "call-2"]
    assert len(queries.list_calls(limit=0)) == 3


def test_a_company_sees_its_own_calls_and_recordings_only(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, [began(), intended()])
    assert len(queries.list_calls(TENANT)) == len(queries.list_recordings(TENANT)) == 1
    assert queries.list_calls("other") == ()
    assert queries.list_recordings("other") == ()
    with pytest.raises(NotFoundError):
        queries.call_detail("call-1", "other")
    with pytest.raises(NotFoundError):
        queries.recording_detail("recording-1", "other")


def test_a_list_says_what_became_of_each_call(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, whole_call())
    second, first = queries.list_calls()
    assert (first.call_id, first.verdicts, first.recordings, first.outcome) == ("call-1", ("record",), 1, "answered")
    assert (first.began_at, first.ended_at) == (NOON, after(60))
    assert (first.caller_e164, first.ddi_e164, first.direction) == ("+4531200118", "+4570101010", "incoming")
    assert (second.call_id, second.verdicts, second.recordings, second.merged_into) == ("call-2", (), 0, "call-1")


def test_more_calls_than_fit_one_statement_are_counted_right(engine: Engine, queries: DatabaseQueries) -> None:
    count = 620
    told: list[Any] = []
    for n in range(count):
        told += [began(f"call-{n}", at=n, linkedid=f"1.{n}"), decided(f"decision-{n}", f"call-{n}", at=n)]
    tell(engine, told)
    calls = queries.list_calls(limit=0)
    assert len(calls) == count
    assert {call.verdicts for call in calls} == {("record",)}


def test_everything_about_a_call_is_told_with_the_calls_that_ended_in_it(
    engine: Engine, queries: DatabaseQueries
) -> None:
    with writing(engine) as session:
        add_company(session)
    tell(engine, [*whole_call(), moved(12, "call-2")])
    tell(engine, [consent_taken("later", linkedid="1700000000.7")], "agi-1:1")
    detail = queries.call_detail("call-1")
    assert detail.call.call_id == "call-1"
    assert detail.linkedids == ("1700000000.1", "1700000000.7")
    assert [call.call_id for call in detail.merged_from] == ["call-2"]
    assert [(leg.channel_id, leg.user_name) for leg in detail.legs] == [
        ("1700000000.1", ""),
        ("1700000000.2", "Name of user-1"),
    ]
    assert [(step.call_id, step.detail) for step in detail.timeline] == [
        ("call-1", "step 2"),
        ("call-2", "step 12"),
        ("call-1", "step 25"),
    ]
    assert [(mark.consent, mark.presented_to, mark.cause) for mark in detail.marks] == [
        ("given", ("group-1",), "key 1")
    ]
    assert [(found.user_name, found.rule, found.trace[0]["rule"]) for found in detail.decisions] == [
        ("Name of user-1", 9, 1)
    ]
    assert [(found.evidence_id, found.digits, found.asked_at) for found in detail.consents] == [
        ("evidence-1", "1", after(0.5)),
        ("later", "1", after(0.5)),
    ]
    assert [(found.recording_id, found.state, found.path) for found in detail.recordings] == [
        ("recording-1", "stored", "ab/abc.wav")
    ]
    assert [(found.user_name, found.since, found.until) for found in detail.gaps] == [
        ("Name of user-1", after(20), after(30))
    ]
    json.dumps(asdict(detail), default=str)


def test_the_call_that_ended_in_another_is_found_by_itself_too(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, whole_call())
    detail = queries.call_detail("1700000000.7")
    assert (detail.call.call_id, detail.call.merged_into, detail.merged_from) == ("call-2", "call-1", ())


def test_calls_that_claim_to_have_ended_in_each_other_do_not_hang_the_reader(
    engine: Engine, queries: DatabaseQueries
) -> None:
    tell(
        engine,
        [
            began("call-1"),
            began("call-2", linkedid="1.2"),
            CallMerged("call-1", "call-2", after(1)),
            CallMerged("call-2", "call-1", after(1)),
        ],
    )
    assert [call.call_id for call in queries.call_detail("call-1").merged_from] == ["call-2"]


def test_evidence_named_by_a_mark_is_shown_whatever_linkedid_it_was_taken_under(
    engine: Engine, queries: DatabaseQueries
) -> None:
    tell(engine, whole_call()[:2] + whole_call()[3:4])
    tell(engine, [consent_taken(linkedid="another")], "agi-1:1")
    assert [found.evidence_id for found in queries.call_detail("call-1").consents] == ["evidence-1"]


def test_another_company_with_the_same_linkedid_shows_none_of_its_evidence(
    engine: Engine, queries: DatabaseQueries
) -> None:
    tell(engine, [began(), replace(consent_taken("theirs"), tenant_id="other"), consent_taken("ours")])
    assert [found.evidence_id for found in queries.call_detail("call-1").consents] == ["ours"]


def test_a_call_that_another_company_hands_over_shows_none_of_what_its_caller_said_there(
    engine: Engine, queries: DatabaseQueries
) -> None:
    tell(engine, whole_call()[:2] + whole_call()[3:4])
    tell(engine, [replace(consent_taken(linkedid="another"), tenant_id="other")], "agi-1:1")
    assert queries.call_detail("call-1").consents == ()


def test_a_call_is_found_by_id_linkedid_or_the_beginning_of_its_id(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, [began("abcd-1"), began("abce-2", linkedid="1.2"), began("ab%_-3", linkedid="1.3")])
    for name, call_id in (("abcd-1", "abcd-1"), ("1.2", "abce-2"), ("abcd", "abcd-1"), ("ab%_", "ab%_-3")):
        assert queries.call_detail(name).call.call_id == call_id
    for name in ("abc", "", "%", "____", "a%%%", "xyz1"):
        with pytest.raises(NotFoundError):
            queries.call_detail(name)


def test_a_name_that_fits_several_is_asked_back(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, [began("abcd-1"), began("abcd-2"), intended("rrrr-1"), intended("rrrr-2")])
    with pytest.raises(AmbiguousError) as asked:
        queries.call_detail("abcd")
    assert asked.value.ids == ("abcd-1", "abcd-2")
    with pytest.raises(AmbiguousError, match="abcd-1, abcd-2"):
        queries.call_detail("1700000000.1")
    with pytest.raises(AmbiguousError, match="rrrr-1, rrrr-2"):
        queries.recording_detail("rrrr")


def test_recordings_are_listed_newest_first(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, [intended(f"r{n}", f"m{n}", f"call-{n % 2}", at=n) for n in (2, 1, 3)] + [stored("m3")])
    listed = queries.list_recordings()
    assert [(found.recording_id, found.state) for found in listed] == [
        ("r3", "stored"),
        ("r2", "starting"),
        ("r1", "starting"),
    ]
    assert [found.recording_id for found in queries.list_recordings(limit=2)] == ["r3", "r2"]
    assert [found.recording_id for found in queries.list_recordings(since=after(3))] == ["r3"]
    assert [found.recording_id for found in queries.list_recordings(call_id="call-1")] == ["r3", "r1"]
    first = listed[0]
    assert (first.user_side, first.in_side, first.length_ms, first.sha256) == ("left", "right", 55_000, "cd" * 32)
    assert (first.remarks, first.right_silent, first.evidence_id) == (("padded",), True, "evidence-1")


def test_everything_about_a_recording_is_told(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, whole_call())
    detail = queries.recording_detail("reco")
    assert detail.recording.recording_id == "recording-1"
    assert detail.call is not None
    assert detail.call.call_id == "call-1"
    assert detail.decision is not None
    assert detail.decision.rule_name == "group, consent given"
    assert detail.consent is not None
    assert detail.consent.outcome == "given"


def test_a_recording_without_the_rest_is_told_all_the_same(engine: Engine, queries: DatabaseQueries) -> None:
    tell(engine, [intended()])
    detail = queries.recording_detail("recording-1")
    assert (detail.call, detail.decision, detail.consent) == (None, None, None)
    with pytest.raises(NotFoundError):
        queries.recording_detail("recording-2")
