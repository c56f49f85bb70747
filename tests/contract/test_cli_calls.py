"""What happened to calls is read by commands: lists, one call, why, the consent, the recording's place, the gaps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from call_entries import NOON, after, began, closed, consent_taken, decided, intended, started, stored, whole_call
from cli_site import Site

from pbx_plugin.db.apply import DatabaseApply
from pbx_plugin.db.engine import make_engine
from pbx_plugin.domain.call import Consent, ConsentBy, Direction, Marks, Mode, Number, Party, User
from pbx_plugin.domain.decide import decide
from pbx_plugin.domain.decision import Facts
from pbx_plugin.domain.entries import CallEnded, CallMerged, Decided, Entry, Gap, LegMoved
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.explain import facts_as_dict, trace_as_list
from pbx_plugin.domain.policy import GroupPolicy, PolicyVersion
from pbx_plugin.storage.journal import FileJournal

EVIL = "31\x1b[2J200118\u202e"


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("PBX_PLUGIN_CONFIG", "")
    return Site(tmp_path, migrated_file)


def tell(site: Site, *entries: Entry) -> None:
    """Let the recorder have told this, about the site's own company."""
    tenant = site.rows()["tenant"][0][0]
    own = [replace(e, tenant_id=tenant) if hasattr(e, "tenant_id") else e for e in entries]
    engine = make_engine(f"sqlite:///{site.database}")
    DatabaseApply(engine)("run", list(enumerate(own, 1)))
    engine.dispose()


def real_decision(group: str) -> Decided:
    """What the recorder writes when a caller pressed 1 and an on-demand user answered in the recorded group."""
    user = User("user-1", "tenant-1", "Anna", "101", Mode.ON_DEMAND, enrolled=True)
    caller = Party(Number("31200118", "+4531200118"))
    marks = Marks(Consent.GIVEN, ConsentBy.OUR_IVR, "evidence-1", (group,))
    facts = Facts(user, Direction.INCOMING, (caller,), Number("70101010", "+4570101010"), marks=marks)
    decision = decide(
        facts, PolicyVersion("tenant-1", 3, groups={group: GroupPolicy.CONSENT_IVR}), ExclusionIndex.build((), NOON)
    )
    return replace(
        decided(),
        verdict=decision.verdict.value,
        rule=decision.rule,
        rule_name=decision.rule_name,
        facts=facts_as_dict(facts),
        trace=trace_as_list(decision),
    )


@pytest.fixture
def called(site: Site) -> Site:
    site.does("groups", "add", "sales", "600")
    group = site.does("groups", "list", "--json").data[0]["id"]
    tell(site, *(real_decision(group) if entry == decided() else entry for entry in whole_call()))
    return site


def test_calls_are_listed_newest_first(called: Site) -> None:
    newest, oldest = called.does("calls", "list", "--json").data
    assert (newest["call_id"], oldest["call_id"]) == ("call-2", "call-1")
    assert oldest["caller_e164"] == "+4531200118"
    assert oldest["began_at"] == "2026-11-22T12:00:00.250001Z"
    assert oldest["verdicts"] == ["record"]
    assert [c["call_id"] for c in called.does("calls", "list", "--limit", "1", "--json").data] == ["call-2"]
    for what in ("calls", "recordings", "consent"):
        endless = called.does(what, "list", "--limit", "9" * 30, "--json").data
        assert endless == called.does(what, "list", "--limit", "0", "--json").data
    assert called.does("gaps", "--limit", "9" * 30, "--json").data == called.does("gaps", "--json").data
    tomorrow = (NOON + timedelta(days=1)).date().isoformat()
    assert called.does("calls", "list", "--since", tomorrow, "--json").data == []


@pytest.mark.parametrize("name", ["call-1", "1700000000.1", "1700000000.2"], ids=["id", "linkedid", "uniqueid"])
def test_a_call_is_found_by_any_of_its_names(called: Site, name: str) -> None:
    assert called.does("calls", "show", name, "--json").data["call"]["call_id"] == "call-1"
    assert called.does("explain", name, "--json").data["call"]["call_id"] == "call-1"


def test_a_beginning_that_fits_several_calls_names_them(called: Site) -> None:
    said = called("calls", "show", "call")
    assert said.code == 2
    assert "call-1" in said.err
    assert "call-2" in said.err


def test_a_call_is_shown_whole_for_people(called: Site) -> None:
    out = called.does("calls", "show", "call-1").out
    for part in ("legs:", "time line:", "marks:", "decisions:", "consent:", "recordings:", "gaps:", "no room"):
        assert part in out


def test_explain_tells_the_rule_in_plain_words_and_names_the_group(called: Site) -> None:
    out = called.does("explain", "call-1").out
    assert "Rule 9" in out
    assert "Anna (101, mode on demand)" in out
    assert "sales" in out, "the group's name, not its id"
    data = called.does("explain", "call-1", "--json").data
    assert data["decisions"][0]["verdict"] == "record"
    assert any("Rule 9" in sentence for sentence in data["decisions"][0]["words"])
    assert [step["rule"] for step in data["decisions"][0]["trace"]] == list(range(1, 10))


def test_explain_of_an_unanswered_call_says_that_nobody_answered(site: Site) -> None:
    tell(site, began(), CallEnded("call-1", NOON, "not answered"))
    assert "Nobody answered" in site.does("explain", "call-1").out


def test_explain_says_why_nothing_was_decided(site: Site) -> None:
    tell(
        site,
        began(),
        CallEnded("call-1", NOON, "answered"),
        began("call-2", linkedid="1700000000.7", off_at_start=True),
        began("call-3", linkedid="1700000000.9"),
        CallMerged("call-1", "call-3", NOON),
    )
    assert "by no user of the company" in site.does("explain", "call-1").out
    waiting = site.does("explain", "call-2").out
    assert "Recording was off when the call began" in waiting
    assert "Nobody has answered yet" in waiting
    assert "became part of call call-1" in site.does("explain", "call-3").out


def test_explain_tells_what_became_of_the_decision(called: Site) -> None:
    out = called.does("explain", "call-1").out
    assert "Recording recordin of Anna from 12:00:04 UTC: stored (hung up)." in out
    assert "no room" in out
    data = called.does("explain", "call-1", "--json").data
    assert sorted(data) == [
        "announcements", "call", "codes", "consents", "decisions", "gaps", "recordings", "words",
    ]  # fmt: skip
    assert data["gaps"][0]["reason"] == "no room"
    assert data["consents"][0]["outcome"] == "given"
    assert "Rules 10 to 13 were not asked" in out


def test_explain_of_a_call_that_only_the_journal_knows(site: Site) -> None:
    tenant = site.rows()["tenant"][0][0]
    group = "g-1"
    journal = FileJournal(site.state / "journal", "recorder", None)
    codes = LegMoved("call-9", "1700000000.2", after(5), "toggle", "on\x1b[2J")
    for entry in (
        began("call-9", linkedid="1700000000.90"),
        replace(real_decision(group), call_id="call-9", decision_id="d-9"),
        codes,
        replace(intended(call_id="call-9"), tenant_id=tenant),
        Gap("gap-9", "call-9", tenant, "user-1", after(7), None, "no room"),
        began("theirs", linkedid="1700000000.91"),
    ):
        own = tenant if getattr(entry, "call_id", "") == "call-9" else "another"
        whose: Any = entry
        journal.append(replace(whose, tenant_id=own) if hasattr(entry, "tenant_id") else entry)
    journal.close()
    for name in ("call-9", "1700000000.90"):
        out = site.does("explain", name).out
        for part in ("Rule 9", "Anna (101", "no room", "from the journal", "toggle"):
            assert part in out
        assert "\x1b" not in out
    assert site.does("explain", "call-9", "--json").data["decisions"][0]["rule"] == 9
    assert site("explain", "theirs").code == 2
    assert site("explain", "call-8").code == 2


def test_consent_evidence_is_shown_with_what_was_heard(called: Site) -> None:
    (listed,) = called.does("consent", "list", "--json").data
    shown = called.does("consent", "show", "evid", "--json").data
    assert listed == shown
    assert (shown["outcome"], shown["digits"], shown["prompt_sha256"]) == ("given", "1", "ab" * 32)
    assert "ab" * 32 in called.does("consent", "show", "evidence-1").out


def test_a_recording_s_path_is_printed_alone(called: Site) -> None:
    archive = called.state / "archive"
    missing = called("recordings", "path", "recording-1")
    assert missing.code == 1
    assert str(archive / "ab/abc.wav") in missing.err
    (archive / "ab").mkdir()
    (archive / "ab/abc.wav").touch()
    assert called.does("recordings", "path", "reco").out == f"{archive}/ab/abc.wav\n"
    shown = called.does("recordings", "show", "recording-1", "--json").data
    assert shown["recording"]["file"] == f"{archive}/ab/abc.wav"
    assert shown["decision"]["rule"] == 9
    assert shown["consent"]["outcome"] == "given"


def test_a_recording_that_is_not_stored_has_no_path(site: Site) -> None:
    tell(site, began(), intended(), started(), closed())
    said = site("recordings", "path", "recording-1")
    assert said.code == 2
    assert "closed" in said.err


def test_recordings_are_listed_of_one_call(called: Site) -> None:
    of_call = called.does("recordings", "list", "--call", "call-1", "--json").data
    assert [(r["recording_id"], r["state"], r["user_side"]) for r in of_call] == [("recording-1", "stored", "left")]
    assert called.does("recordings", "list", "--call", "call-2", "--json").data == []


def test_gaps_are_listed_with_their_reason(called: Site) -> None:
    (gap,) = called.does("gaps", "--json").data
    assert (gap["reason"], gap["call_id"], gap["seconds"]) == ("no room", "call-1", 10.0)
    assert called.does("gaps", "--call", "call-1", "--json").data == [gap]


def test_gaps_are_counted_together_also_those_not_shown(site: Site) -> None:
    gap = Gap("gap-1", "call-1", "", "user-1", after(20), after(30), "no room")
    others = [replace(gap, gap_id="gap-2", until=after(22.5)), replace(gap, gap_id="gap-3", until=after(20))]
    tell(site, began(), gap, *others)
    said = site.does("gaps", "--limit", "1").out
    assert said.splitlines()[-1] == "12.5 seconds in 2 gaps, 1 of them not shown"
    since = after(25).strftime("%Y-%m-%dT%H:%M:%S")
    assert [found["gap_id"] for found in site.does("gaps", "--since", since, "--json").data] == ["gap-1"]


def test_another_company_s_calls_are_not_seen(site: Site) -> None:
    engine = make_engine(f"sqlite:///{site.database}")
    DatabaseApply(engine)("run", list(enumerate([began(), consent_taken(), intended(), stored()], 1)))
    engine.dispose()
    for words in (("calls", "list"), ("consent", "list"), ("recordings", "list")):
        assert site.does(*words, "--json").data == []
    for command in ("calls show call-1", "explain 1700000000.1", "recordings path recording-1"):
        assert site(*command.split()).code == 2


def test_a_hostile_caller_id_never_reaches_the_terminal(site: Site) -> None:
    tell(site, began(caller_raw=EVIL, caller_e164=""), replace(consent_taken(), caller_raw=EVIL, caller_e164=""))
    for words in (("calls", "list"), ("calls", "show", "call-1"), ("explain", "call-1"), ("consent", "list")):
        said = site.does(*words)
        assert "200118" in said.out
        assert not set(said.out) & set("\x1b\u202e")
