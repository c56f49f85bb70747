"""What Asterisk's log tells afterwards of calls goes the way of live events, at its own times; and nothing twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from call_story import NOON, Story

from pbx_plugin.ari_app.resync import changed_unheard, missed, unexplained
from pbx_plugin.ari_app.retelling import AT_A_TIME, Retelling
from pbx_plugin.ari_app.witness import Witness
from pbx_plugin.asterisk.cel import FORMAT, CelEvent, events_in
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import Phase
from pbx_plugin.domain.capacity import AWAY

KINDS = {"start": "CHAN_START", "enter": "BRIDGE_ENTER", "exit": "BRIDGE_EXIT", "end": "CHAN_END", "answer": "ANSWER"}
RECORDED = """
0.0 ring T1 trunk +4531200118 > +4570100101
0.1 down A1 101
3.0 join T1 B1
3.0 join A1 B1
"""


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def written(text: str) -> str:
    """Log lines of a story: seconds, what, channel, its name, bridge or word, and its linkedid where it has another."""
    lines = []
    for words in (row.split() for row in text.splitlines() if row.strip()):
        when, what, channel, which, linkedid = (
            words[0],
            words[1],
            words[2],
            [*words, "", ""][3],
            [*words, "T1", "T1"][4],
        )
        kind, told, extra, name = KINDS.get(what, what), "", "", f"PJSIP/{which}-00000001"
        if what in ("enter", "exit"):
            extra = f'{{""bridge_id"":""{which}"",""bridge_technology"":""simple_bridge""}}'
        elif what not in KINDS:
            told, extra = what, f'{{""extra"":""{which}""}}'
        stamp = f"{at(float(when)).timestamp():.6f}"
        lines.append(f'{FORMAT},{kind},"{stamp}",,"linked-{linkedid}","{channel}",{name},,s,"","","{told}","{extra}"\n')
    return "".join(lines)


def retold(story: Story, text: str, deaf: float, until: float, over: Iterable[str] = ()) -> Retelling:
    story.board.away = True
    retelling = Retelling(story.board, at(deaf))
    retelling.begin()
    retelling.tell(tuple(events_in(written(text))), frozenset(over), at(until))
    story.board.away = False
    return retelling


def test_a_long_absence_is_told_bit_by_bit_and_ends_as_if_told_at_once() -> None:
    text = "\n".join(
        f"{n} start X{n} 101 X{n}\n{n} start Y{n} 102 X{n}\n{n} enter X{n} B{n} X{n}\n{n}.1 enter Y{n} B{n} X{n}\n"
        f"{n}.9 end X{n} x X{n}\n{n}.9 end Y{n} x X{n}"
        for n in range(1, 51)
    )
    at_once, bit_by_bit = Story(), Story()
    retold(at_once, text, 0, 60)
    bit_by_bit.board.away = True
    steps = Retelling(bit_by_bit.board, at(0)).steps(tuple(events_in(written(text))), frozenset(), at(60))
    assert len(list(steps)) == 300 // AT_A_TIME
    assert bit_by_bit.missed() == at_once.missed()
    assert len(at_once.missed()) == 100


def test_who_must_not_be_recorded_ends_the_recording_at_the_moment_of_coming() -> None:
    story = Story().tell(RECORDED)
    retold(story, "5 exit A1 B1\n5 end A1\n5.1 start N1 121\n7 enter N1 B1\n9 end N1\n9 end T1", 4, 10)
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 5.0)]
    assert [(user, verdict) for user, verdict, _ in story.verdicts()] == [("u101", "record"), ("u121", "never")]
    (ended,) = story.entries(e.CallEnded)
    assert ended.at == at(9)
    assert story.missed() == []


def test_a_call_that_just_ends_ends_its_recording_then() -> None:
    story = Story().tell(RECORDED)
    retold(story, "8 exit T1 B1\n8 exit A1 B1\n8 end T1\n8 end A1", 4, 10)
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 8.0)]


def test_a_conversation_that_came_and_went_is_a_gap_and_nothing_is_asked_of_asterisk() -> None:
    story = Story()
    retold(
        story, "1 start A1 101 A1\n1.1 start C1 102 A1\n2 enter A1 B1 A1\n2 enter C1 B1 A1\n6 end A1\n6 end C1", 0, 10
    )
    assert {entry.user_id for entry in story.entries(e.Decided)} == {"u101", "u102"}
    assert story.missed() == [("u101", 2.0, 6.0, AWAY), ("u102", 2.0, 6.0, AWAY)]
    assert story.segments() == []
    assert story.board.calls == {}


def test_a_conversation_that_goes_on_is_a_gap_until_recording_begins() -> None:
    story = Story()
    retold(story, "1 start A1 101 A1\n1.1 start N1 121 A1\n2 enter A1 B1 A1\n2 enter N1 B1 A1", 0, 10)
    assert [(user, since, until) for user, since, until, _ in story.missed()] == [("u101", 2.0, None)]
    story.tell("10 clock")
    assert [(user, since, until) for user, since, until, _ in story.missed()] == [("u101", 2.0, 10.0)]
    assert [segment[:2] for segment in story.segments()] == [("u101", 10.0)]


def test_what_was_heard_before_is_not_told_again() -> None:
    story = Story().tell(RECORDED)
    said = len(story.said)
    retold(
        story,
        "0 start T1 trunk\n0.1 start A1 101\n2.9 enter T1 B0\n2.95 exit T1 B0\n3.0 enter T1 B1\n3.0 enter A1 B1",
        4,
        10,
    )
    assert len(story.said) == said
    assert [capture.phase for capture in story.call.captures.values()] == [Phase.RECORDING]


def test_a_call_that_was_over_when_the_recorder_went_away_is_not_begun_again() -> None:
    story = Story().tell(RECORDED + "5 gone T1\n5 gone A1")
    said = len(story.said)
    retold(
        story, "0 start T1 trunk\n0.1 start A1 101\n3 enter T1 B1\n3 enter A1 B1\n5 end T1", 5.5, 10, story.board.over
    )
    assert len(story.said) == said


def test_a_press_is_taken_once_whether_it_was_heard_or_not() -> None:
    story = Story().tell(RECORDED.replace("101", "111") + "4 press A1")
    assert len(story.segments()) == 1
    retold(story, "3.999 PBXRecToggle A1 x\n4.02 PBXRecToggle A1 x", 3.5, 6)
    assert [segment[2] for segment in story.segments()] == [None]
    retold(story, "7 PBXRecToggle A1 x", 6.5, 8)
    assert [segment[2] for segment in story.segments()] == [7.0]
    assert story.tones() == ["toggle-on"], "nobody is told by a tone what they did a while ago"


def test_a_refusal_that_nobody_heard_ends_the_recording_when_it_was_made() -> None:
    story = Story().tell(RECORDED)
    retold(story, "6 PBXRecMarks T1 refused|e1||", 4, 10)
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 6.0)]


def test_a_pause_ends_by_itself_while_nobody_listens_and_nothing_is_begun() -> None:
    story = Story().tell(RECORDED.replace("101", "103"))
    longest = story.call.policy.pause_seconds
    retold(story, f"5 PBXRecPause A1 x\n{longest + 30} end A1\n{longest + 30} end T1", 4, longest + 40)
    paused, away = story.missed()
    assert paused[1:3] == (5.0, 5.0 + longest)
    assert away[1:] == (5.0 + longest, 30.0 + longest, AWAY)


def test_somebody_without_a_beginning_makes_the_call_doubtful() -> None:
    story = Story().tell(RECORDED)
    assert retold(story, "6 exit X9 B1 T1", 4, 10).doubtful == {story.call.call_id}
    assert retold(story, "6.5 start X1 121\n6.6 end X1\n6.7 HANGUP X1 x", 6, 10).doubtful == set()


def test_a_call_is_explained_when_asterisk_has_it_as_it_was_told() -> None:
    story = Story().tell(RECORDED)
    channels: list[dict[str, Any]] = [
        {"id": one, "name": f"PJSIP/{one}-00000001", "channelvars": {"CHANNEL(linkedid)": "linked-T1"}}
        for one in ("T1", "A1")
    ]
    bridges: list[dict[str, Any]] = [{"id": "B1", "channels": ["T1", "A1"]}]
    calls = story.board.calls.values()
    assert unexplained(calls, channels, bridges) == frozenset()
    third: dict[str, Any] = {"id": "X1", "name": "PJSIP/x-00000001", "channelvars": {"CHANNEL(linkedid)": "linked-T1"}}
    cases: tuple[tuple[list[dict[str, Any]], list[dict[str, Any]]], ...] = (
        (channels[:1], bridges),
        (channels, [{"id": "B2", "channels": ["T1", "A1"]}]),
        (channels, []),
        ([*channels, third], bridges),
    )
    for now, where in cases:
        assert unexplained(calls, now, where) == {story.call.call_id}


@pytest.mark.parametrize("proven", [True, False])
def test_a_recording_whose_people_have_all_hung_up_is_cut_unless_it_is_proven_who_they_were(proven: bool) -> None:
    story = Story(answers=False).tell(RECORDED)
    (media,) = story.call.captures
    story.board.happen(h.CaptureStarted(at(3.1), media, at(3.1), at(3.1)))
    before = {media: Phase.RECORDING}
    known = frozenset(story.board.calls) if proven else frozenset()
    for happening in missed(tuple(story.board.calls.values()), [], [], at(20), at(8), known):
        story.board.happen(happening)
    for happening in tuple(changed_unheard(tuple(story.board.calls.values()), before, at(8), known)):
        story.board.happen(happening)
    closed = [entry.at for entry in story.entries(e.RecordingClosed)]
    assert min(closed) == (at(20) if proven else at(8))
    assert len(story.missed()) == (0 if proven else 1)


# The file


def kept(path: Path, text: str) -> Witness:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(text))
    return Witness(path)


def channels_of(events: Iterable[CelEvent]) -> list[str]:
    return [event.channel for event in events]


def test_a_witness_that_was_there_before_tells_all_that_came_after(tmp_path: Path) -> None:
    witness = kept(tmp_path / "w" / "events.csv", "1 start A1 101\n5 start A2 101\n9 start A3 101")
    testimony = witness.since(at(6), timedelta(seconds=2))
    assert testimony.whole
    assert channels_of(testimony.events) == ["A2", "A3"]


@pytest.mark.parametrize("text", ["", "9 start A3 101"])
def test_a_witness_that_came_later_proves_nothing(tmp_path: Path, text: str) -> None:
    testimony = kept(tmp_path / "events.csv", text).since(at(6))
    assert not testimony.whole
    assert testimony.why


def test_without_a_file_or_with_one_that_cannot_be_read_there_is_no_testimony(tmp_path: Path) -> None:
    assert not Witness(tmp_path / "events.csv").since(at(0)).whole
    (tmp_path / "events.csv").mkdir()
    assert not Witness(tmp_path / "events.csv").since(at(0)).whole


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    witness = kept(path, "1 start A1 101\n5 start A2 101")
    path.write_text(path.read_text()[:-20])
    assert channels_of(witness.since(at(0.5)).events) == ["A1"]


def test_a_file_too_large_is_set_aside_and_still_read(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    witness = kept(path, "1 start A1 101\n5 start A2 101")
    witness.keep_small(largest=1_000_000)
    assert path.exists()
    witness.keep_small(largest=10)
    assert not path.exists()
    kept(path, "9 start A3 101")
    testimony = witness.since(at(4))
    assert testimony.whole
    assert channels_of(testimony.events) == ["A2", "A3"]
    assert path.with_name("events.csv.1").exists()


def test_a_file_that_was_just_set_aside_is_still_a_witness_before_the_next_line_comes(tmp_path: Path) -> None:
    """At night nobody calls for hours after a restart has set the day's file aside."""
    witness = kept(tmp_path / "events.csv", "1 start A1 101\n5 start A2 101")
    witness.keep_small(largest=10)
    testimony = witness.since(at(4))
    assert testimony.whole
    assert channels_of(testimony.events) == ["A2"]


def test_no_more_of_a_file_is_read_than_is_kept_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asterisk went on writing for weeks while no recorder ran to keep the file small."""
    monkeypatch.setattr("pbx_plugin.ari_app.witness.READ_FIRST", 300)
    monkeypatch.setattr("pbx_plugin.ari_app.witness.LARGEST", 500)
    witness = kept(tmp_path / "events.csv", "\n".join(f"{n} start A{n} 101" for n in range(500)))
    testimony = witness.since(at(2))
    assert not testimony.whole
    assert len(testimony.events) < 20


@pytest.mark.parametrize("extra", ["[" * 100_000, '{""bridge_id"":' + "[" * 5000])
def test_a_line_of_nonsense_is_no_more_than_that(extra: str) -> None:
    story = Story().tell(RECORDED)
    line = written("5 enter A1 B2").replace('{""bridge_id"":""B2"",""bridge_technology"":""simple_bridge""}', extra)
    story.board.away = True
    retelling = Retelling(story.board, at(4))
    retelling.tell(tuple(events_in(line + written("6 exit T1 B1\n6 end T1"))), frozenset(), at(9))
    assert [segment[:3] for segment in story.segments()] == [("u101", 3.0, 6.0)]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    witness = kept(path, "1 start A1 101")
    path.chmod(0o644)
    witness.keep_small()
    assert path.stat().st_mode & 0o777 == 0o640


def test_of_a_large_file_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbx_plugin.ari_app.witness.READ_FIRST", 300)
    witness = kept(tmp_path / "events.csv", "\n".join(f"{n} start A{n} 101" for n in range(50)))
    assert channels_of(witness.since(at(47)).events) == ["A47", "A48", "A49"]
    assert len(witness.since(at(2)).events) == 48
