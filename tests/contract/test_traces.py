"""What real Asterisk said of real calls, heard again: whole, beheaded, by a restarted recorder, doubled and disordered.

Always the end is known: who was recorded from when to when and on which side, what was decided, and that nothing of
the call is left. ``tests/live/record_traces.py`` makes the traces; ``call_trace.py`` says what a moment's name means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import pytest
from call_trace import NAMES, Trace, read_trace
from replay import Replay, Segment

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari_events import channels_in, time_of
from pbx_plugin.domain.settling import SETTLES_WITHIN

AWAY = (3, 12)
"""For how many events a recorder is away before the next run of it listens."""
SWAPPED_WITHIN = timedelta(milliseconds=5)
MOVING = SETTLES_WITHIN + timedelta(milliseconds=10)
"""What Asterisk takes to move a leg, and the recorder to believe it: so much later may a segment begin, never sooner,
and so much sooner may it end, never later."""


@dataclass(frozen=True)
class End:
    """How a call must have ended. Segments are ``user side: from → until``, verdicts ``user verdict rule``."""

    segments: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    outcome: str = "answered"
    consent: str = "not required"
    groups: tuple[str, ...] = ()


ENDS = {
    "incoming": End(("201 left: told → leave 201",), ("201 record 10",)),
    "incoming_never": End((), ("221 never 5",)),
    "outgoing": End(("202 left: told → leave 202",), ("202 record 10",)),
    "internal": End(
        ("201 left: enter 201 → leave 201", "202 right: enter 201 → leave 201"), ("201 record 10", "202 record 10")
    ),
    "on_demand": End(
        ("211 left: told → press 211 2", "211 left: press 211 3 → press 211 4"),
        ("211 armed 12", "211 record 12", "211 armed 12", "211 record 12", "211 armed 12"),
    ),
    "consent_given": End(("231 left: enter trunk → leave trunk",), ("231 record 9",), "answered", "given", ("601",)),
    "consent_refused": End((), ("233 never 3",), "answered", "refused", ("602",)),
    "queue_given": End(("235 left: enter trunk → leave trunk",), ("235 record 9",), "answered", "given", ("603",)),
    "queue_refused": End((), ("237 never 3",), "answered", "refused", ("604",)),
    "hold": End(("201 left: told → hold 201", "201 left: unhold 201 → leave 201"), ("201 record 10",)),
    "blind_to_always": End(
        ("201 left: told → leave 201", "202 left: enter 202 → leave trunk 2"), ("201 record 10", "202 record 10")
    ),
    "blind_to_never": End(("201 left: told → leave 201",), ("201 record 10", "221 never 5")),
    "blind_by_code": End(
        ("201 left: told → hold 201", "203 left: enter trunk 2 → leave trunk 2"), ("201 record 10", "203 record 10")
    ),
    "refused_and_sent_on": End((), ("233 never 3", "201 never 3"), "answered", "refused", ("602",)),
    "outgoing_transferred": End(
        ("202 left: told → leave 202", "201 left: enter 201 → leave 201"), ("202 record 10", "201 record 10")
    ),
    "attended": End(
        (
            "201 left: told → hold 201",
            "201 left: enter 202 → enter trunk 2",
            "202 right: enter 202 → enter trunk 2",
            "202 left: enter trunk 2 → leave trunk 2",
        ),
        ("201 record 10", "202 record 10"),
    ),
    "attended_refused": End(
        ("233 left: enter 201 → leave 233 2", "201 right: enter 201 → leave 233 2"),
        # Asterisk takes the refuser off hold before it moves them: for a millisecond 233 has neither on hold.
        ("233 never 3", "233 record 10", "201 record 10", "233 never 3", "201 never 3"),
        "answered",
        "refused",
        ("602",),
    ),
    "picked_up": End((), ("221 never 5",)),
    "gone_in_the_prompt": End(outcome="not answered", consent="required"),
    "gone_while_ringing": End(outcome="not answered"),
    "busy": End(outcome="not answered"),
}

each_trace = pytest.mark.parametrize("name", NAMES)


@cache
def whole(name: str) -> Replay:
    return Replay(read_trace(name)).hear_from(0)


def test_every_trace_has_a_known_end() -> None:
    assert set(ENDS) == set(NAMES)


@each_trace
def test_a_call_heard_whole(name: str) -> None:
    end, run, trace = ENDS[name], whole(name), read_trace(name)
    assert told(run) == []
    assert [f"{s.extension} {s.side}" for s in run.segments] == [text.partition(":")[0] for text in end.segments]
    for segment, text in zip(run.segments, end.segments, strict=True):
        since, until = text.partition(": ")[2].split(" → ")
        assert segment.until is not None
        assert timedelta(0) <= segment.since - trace.moments[since] <= MOVING, text
        assert timedelta(0) <= trace.moments[until] - segment.until <= MOVING, text
    assert tuple(" ".join(map(str, verdict)) for verdict in run.verdicts) == end.verdicts
    assert run.outcomes == [end.outcome]
    assert (run.consent, run.groups) == (end.consent, end.groups)


@each_trace
def test_as_many_recordings_as_the_recorder_made_when_the_call_was_real(name: str) -> None:
    trace, run = read_trace(name), whole(name)
    assert all(taken.like for taken in run.pbx.recordings.values())
    assert len(run.pbx.recordings) == len(trace.recorded)


@each_trace
def test_head_cut_off_before_each_event(name: str) -> None:
    trace, run = read_trace(name), whole(name)
    wrong = []
    for index in range(1, len(trace.events)):
        look = trace.look_from(index)
        late = Replay(trace).resync(look, index).hear_from(index)
        wrong += [f"{index}: {fault}" for fault in told(late)]
        if not alike(covered(late.segments), expected_without_head(run, index)):
            wrong.append(f"{index}: recorded {spoken(late)} from {look.at}")
        wrong += [f"{index}: {fault}" for fault in judged_otherwise(late, run) + filed_otherwise(late, run)]
    assert not wrong


@each_trace
def test_recorder_restarted_before_each_event(name: str) -> None:
    trace, run = read_trace(name), whole(name)
    wrong, before = [], Replay(trace)
    for index in range(1, len(trace.events)):
        since, until = unknown(trace, index, index)
        after = before.hear([index - 1]).restarted(index).hear_from(index)
        wrong += [f"{index}: {fault}" for fault in told(after) + differences(after, run, since, until)]
    assert not wrong


@each_trace
@pytest.mark.parametrize("away", AWAY)
def test_recorder_away_for_some_events(name: str, away: int) -> None:
    trace, run = read_trace(name), whole(name)
    wrong, before = [], Replay(trace)
    for index in range(1, len(trace.events) - away):
        back = index + away
        after = before.hear([index - 1]).restarted(back).hear_from(back)
        wrong += [f"{index}: {fault}" for fault in told(after)]
        if passed_by(trace, index, back):
            continue
        since, until = unknown(trace, index, back)
        if not alike(covered(after.segments, since, until), covered(run.segments, since, until)):
            wrong.append(f"{index}: recorded {spoken(after)}, away from {since} to {until}")
        wrong += [f"{index}: {fault}" for fault in beyond(after, run) + judged_otherwise(after, run)]
    assert not wrong


@each_trace
def test_each_event_heard_twice(name: str) -> None:
    trace, run = read_trace(name), whole(name)
    heard = list(range(len(trace.events)))
    wrong = []
    for index in (place for place in heard if trace.happenings[place]):
        doubled = Replay(trace).hear(heard[: index + 1] + heard[index:]).finish()
        wrong += [f"{index}: {fault}" for fault in told(doubled) + differences(doubled, run)]
    all_doubled = Replay(trace).hear(index for index in heard for _ in range(2)).finish()
    assert not wrong + told(all_doubled) + differences(all_doubled, run)


@each_trace
def test_neighbours_in_the_other_order(name: str) -> None:
    trace, run = read_trace(name), whole(name)
    heard = list(range(len(trace.events)))
    wrong = []
    for index in heard[:-1]:
        telling = trace.happenings[index] or trace.happenings[index + 1]
        if telling and trace.times[index + 1] - trace.times[index] <= SWAPPED_WITHIN:
            swapped = Replay(trace).hear([*heard[:index], index + 1, index, *heard[index + 2 :]]).finish()
            faults = told(swapped, SWAPPED_WITHIN) + beyond(swapped, run) + judged_otherwise(swapped, run)
            wrong += [f"{index}: {fault}" for fault in faults]
    assert not wrong


# What must hold in every run


def told(run: Replay, slack: timedelta = timedelta(0)) -> list[str]:
    """Return what must never be: something left over, an error in the log, somebody recorded who refused."""
    faults = [*run.troubles, *(f"left over: {name}" for name in run.left_over)]
    if any(segment.until is None for segment in run.segments):
        faults.append("a recording was never closed")
    for segment in run.segments:
        anchor = run.captures[segment.media].anchor
        for bridge, inside in stays(run.trace)[anchor]:
            faults += [
                f"{channel} refused and was recorded from {overlap[0]} to {overlap[1]}"
                for channel in refusers(run.trace)
                for where, there in stays(run.trace)[channel]
                if where == bridge
                and (overlap := common(inside, there, (segment.since, segment.until or inside[1])))
                and overlap[1] - overlap[0] > slack
            ]
    return faults


Span = tuple[datetime, datetime]


def common(*spans: Span) -> Span | None:
    """Return the time that all spans have in common."""
    since, until = max(span[0] for span in spans), min(span[1] for span in spans)
    return (since, until) if since < until else None


def refusers(trace: Trace) -> set[str]:
    """Return the channels that were seen with a refusal on them."""
    shown = (channel for event in trace.events for channel in channels_in(event))
    return {c["id"] for c in shown if c.get("channelvars", {}).get(variables.CONSENT) == "refused"}


@cache
def _stays(name: str) -> dict[str, list[tuple[str, Span]]]:
    trace = read_trace(name)
    found: dict[str, list[tuple[str, Span]]] = {channel: [] for channel in trace.devices}
    since: dict[tuple[str, str], datetime] = {}
    for event in trace.events:
        if event["type"] in ("ChannelEnteredBridge", "ChannelLeftBridge") and channels_in(event):
            channel, bridge = event["channel"]["id"], event["bridge"]["id"]
            if event["type"] == "ChannelEnteredBridge":
                since[channel, bridge] = time_of(event)
            else:
                found[channel].append((bridge, (since[channel, bridge], time_of(event))))
    return found


def stays(trace: Trace) -> dict[str, list[tuple[str, Span]]]:
    """Return in which bridge each channel was, from when to when, by Asterisk's events alone."""
    return _stays(trace.name)


# How runs compare

Covered = dict[str, list[Span]]


def covered(segments: Iterable[Segment], since: datetime | None = None, until: datetime | None = None) -> Covered:
    """Return for each user and side what was recorded; what is hardly apart is one, what is hardly there is not.

    Borders between ``since`` and ``until`` count as ``until``: within that time the recorder could not know.
    """
    found: Covered = {}
    for segment in segments:
        span = segment.since, segment.until or segment.since
        one, other = (until if since and until and since <= border <= until else border for border in span)
        spans = found.setdefault(f"{segment.extension} {segment.side}", [])
        if spans and one - spans[-1][1] <= MOVING:
            one = spans.pop()[0]
        spans.append((one, other))
    long = {key: [span for span in spans if span[1] - span[0] > MOVING] for key, spans in found.items()}
    return {key: spans for key, spans in long.items() if spans}


def alike(found: Covered, wanted: Covered) -> bool:
    """Tell whether the same was recorded, up to the time that Asterisk takes for a move."""
    return found.keys() == wanted.keys() and all(
        len(found[key]) == len(wanted[key])
        and all(
            abs(one[0] - other[0]) <= MOVING and abs(one[1] - other[1]) <= MOVING
            for one, other in zip(found[key], wanted[key], strict=True)
        )
        for key in found
    )


def differences(run: Replay, wanted: Replay, since: datetime | None = None, until: datetime | None = None) -> list[str]:
    """Return how a run ended otherwise than it should, but for the time in which the recorder was away."""
    faults = []
    if not alike(covered(run.segments, since, until), covered(wanted.segments, since, until)):
        faults.append(f"recorded {spoken(run)}")
    if last_verdicts(run) != last_verdicts(wanted) and not only_of_who_left(run, wanted):
        faults.append(f"judged {run.verdicts}")
    if (run.outcomes, run.consent, run.groups) != (wanted.outcomes, wanted.consent, wanted.groups):
        faults.append(f"ended {run.outcomes}, {run.consent}, {run.groups}")
    return faults


def last_verdicts(run: Replay) -> dict[str, tuple[str, int]]:
    """Return what was decided last for each user."""
    return {user: (verdict, rule) for user, verdict, rule in run.verdicts}


def only_of_who_left(run: Replay, wanted: Replay) -> bool:
    """Tell whether a run differs only in whether it saw a user, who hands a call over, out of both calls for a moment.

    What was decided for those who go on talking, last, is the same, and nobody was judged as never before.
    """
    return run.verdicts[-1] == wanted.verdicts[-1] and set(run.verdicts) == set(wanted.verdicts)


def judged_otherwise(late: Replay, run: Replay) -> list[str]:
    """Return verdicts that the whole run does not know: what is not heard must not lead to another."""
    return [f"judged {verdict}" for verdict in late.verdicts if verdict not in run.verdicts]


def filed_otherwise(late: Replay, run: Replay) -> list[str]:
    """Return recordings that are filed under another direction, number, group or evidence than in the whole run.

    One thing is lost for good: that an outside party was called and did not call, once a transfer has sent their
    channel through the dialplan. They count as a caller then, of the number that they were sent to.
    """
    sent_on = {("201", "incoming", "+4531299998", "201", "", "")} if run.trace.name == "outgoing_transferred" else set()
    return [f"filed {what}" for what in late.filed - run.filed - sent_on]


def beyond(found: Replay, run: Replay) -> list[str]:
    """Return who was recorded longer than in the whole run. A recording ends with its channel at the latest."""
    gone = {e["channel"]["id"]: time_of(e) for e in run.trace.events if e["type"] == "ChannelDestroyed"}
    faults = []
    for segment in found.segments:
        end = min(
            segment.until or gone[found.captures[segment.media].anchor], gone[found.captures[segment.media].anchor]
        )
        wanted = [s for s in run.segments if s.extension == segment.extension]
        if end - segment.since > MOVING and not any(
            within(s.since, segment.since, s.until or s.since) and (s.until or end) >= end - MOVING for s in wanted
        ):
            faults.append(f"{segment.extension} recorded beyond, from {segment.since} to {end}")
    return faults


def within(since: datetime, at: datetime, until: datetime) -> bool:
    """Tell whether a moment lies in a time, up to the time of a move."""
    return since - MOVING <= at <= until + MOVING


def passed_by(trace: Trace, index: int, back: int) -> bool:
    """Tell whether something happened meanwhile that nobody can find out: the star code, or a hold from end to end."""
    missed = {event["type"] for event in trace.events[index:back]}
    return "ChannelUserevent" in missed or {"ChannelHold", "ChannelUnhold"} <= missed


def unknown(trace: Trace, dead_at: int, back_at: int) -> Span:
    """Return the time of which a recorder can know nothing that was killed and is back at these events."""
    return trace.times[dead_at - 1], trace.look_from(back_at).at + 2 * SETTLES_WITHIN


def expected_without_head(run: Replay, index: int) -> Covered:
    """Return what must be recorded without the events before that one: what lies after the look, of the whole.

    One thing is lost for good: how often the star code was pressed. The user counts as not having pressed it (rule 12
    says armed, not record), and the next press switches on.
    """
    trace, since = run.trace, run.trace.look_from(index).at + SETTLES_WITHIN
    presses = [time_of(event) for event in trace.events[index:] if event["type"] == "ChannelUserevent"]
    if trace.name == "on_demand" and len(presses) < 4:
        until = [*presses[1::2], trace.moments["leave 211"]]
        spans = [Segment("211", "left", on, off, "") for on, off in zip(presses[::2], until, strict=False)]
        return covered(spans)
    return covered(
        Segment(s.extension, s.side, max(s.since, since), s.until, s.media)
        for s in run.segments
        if s.until and s.until > since
    )


def spoken(run: Replay) -> str:
    """Return what was recorded, in words for a person."""
    return ", ".join(f"{s.extension} {s.side} {s.since:%M:%S.%f} → {s.until}" for s in run.segments) or "nothing"
