"""Compares a call with what should be: decides each user, and starts and ends captures accordingly."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

from pbx_plugin.domain import naming, resting, telling
from pbx_plugin.domain.call import Made
from pbx_plugin.domain.callstate import Capture, Leg, Phase
from pbx_plugin.domain.callstate import Decided as LastDecision
from pbx_plugin.domain.capacity import refusal
from pbx_plugin.domain.commands import (
    FinaliseMedia,
    PlayTone,
    StartCapture,
    StopCapture,
)
from pbx_plugin.domain.conversation import Conversation, conversations, facts_of
from pbx_plugin.domain.decide import decide
from pbx_plugin.domain.decision import Decision, Verdict
from pbx_plugin.domain.entries import CallEnded, Decided, RecordingClosed, RecordingIntended, Side
from pbx_plugin.domain.explain import facts_as_dict, trace_as_list
from pbx_plugin.domain.pausing import paused_by
from pbx_plugin.domain.retention import days_of
from pbx_plugin.domain.settling import may_come_back
from pbx_plugin.domain.toggle import ON_DEMAND_RULE, TONE_ON
from pbx_plugin.domain.turn import UNHEARD, Turn
from pbx_plugin.domain.withdrawal import WITHDRAWN_ELSEWHERE, erase

GIVEN_UP = "Asterisk ended the recording at once"
"""Why nothing is recorded for a while, although it could be asked for: the disk that Asterisk writes to is full."""

UNTOLD = "somebody in another call on the same phone has not been told yet"
"""Why nothing is recorded while a phone mixes two calls: whoever is heard is told first, whichever call they are in."""

TRIED_AGAIN_AFTER = timedelta(seconds=10)


def reconcile(turn: Turn) -> None:
    """Bring decisions and captures in line with the call as it is now, and end it when nobody is left."""
    talks = conversations(turn.call.legs.values(), hold_ends=turn.call.policy.hold_closes_segment)
    if talks and not turn.call.answered:
        turn.call = replace(turn.call, answered=True)
    judged = [(talk, _users_to_record(turn, talk)) for talk in talks]
    wanted = {(talk.members, users): talk for talk, users in judged if users}
    for capture in tuple(turn.call.captures.values()):
        if capture.live and capture.media in turn.call.erasing:
            _end(turn, capture, WITHDRAWN_ELSEWHERE)
        elif capture.live and (capture.members, capture.user_ids) not in wanted:
            if may_come_back(turn.call, capture, judged):
                turn.set(replace(capture, doubtful_since=capture.doubtful_since or turn.at))
            else:
                _end(turn, capture, _why_ended(turn, capture, talks))
    for (_, users), talk in wanted.items():
        _serve(turn, talk, users)
    resting.note(turn, talks)
    if turn.call.unheard_since is not None and turn.call.unsettled is None:
        turn.call = replace(turn.call, unheard_since=None)
    _end_call(turn)


def _serve(turn: Turn, talk: Conversation, users: tuple[str, ...]) -> None:
    """See to it that a conversation is recorded for these users, or that it is known why not."""
    serving = _serving(turn, talk.members, users)
    if serving is None and turn.call.unsettled is not None:
        return
    if serving is not None and serving.doubtful_since is not None:
        serving = replace(serving, doubtful_since=None)
        turn.set(serving)
    phase, why = _bar(turn, talk, users, serving)
    if why and serving is not None and serving.failure == why:
        return
    if serving is not None and (why or serving.barred):
        _end(turn, serving, why)
    if why:
        turn.miss(_new(turn, talk, users, phase), phase, turn.at, why)
        if why == UNTOLD:
            # Now that nothing is recorded they may be told, if that is left to us.
            _serve(turn, talk, users)
    elif serving is None or serving.barred:
        _plan(turn, talk, users)
        if serving is not None and serving.phase is Phase.REFUSED and serving.failure != GIVEN_UP:
            _tell_switched_on(turn, talk, users)
    elif serving.phase is Phase.STARTING and serving.intended_at is None:
        _start(turn, serving, talk)


def _bar(turn: Turn, talk: Conversation, users: tuple[str, ...], serving: Capture | None) -> tuple[Phase, str]:
    """Return what stands in the way of recording, empty when nothing does. A pause comes first; what is recorded
    already, or goes on after a pause, needs no room anew."""
    paused = paused_by(turn.call.pauses, talk)
    if paused:
        return Phase.PAUSED, paused
    if serving is not None and serving.failure == GIVEN_UP and turn.at - serving.since < TRIED_AGAIN_AFTER:
        return Phase.REFUSED, GIVEN_UP
    if not (serving is not None and serving.phase is Phase.ANNOUNCING) and telling.strangers_bar(turn, talk, users):
        told = (serving is None or serving.barred) and telling.legs_to_tell(turn, talk, users)
        return Phase.PAUSED, "" if told else UNTOLD
    if serving is not None and serving.phase is not Phase.REFUSED and not (turn.capacity.away and serving.barred):
        return Phase.PAUSED, ""
    return Phase.REFUSED, refusal(turn.capacity, turn.call, [turn.call.decided[one].decision.rule for one in users])


def _tell_switched_on(turn: Turn, talk: Conversation, users: tuple[str, ...]) -> None:
    """Let those hear that recording began who had switched it on and were refused."""
    for leg in talk.inside:
        if leg.user and leg.user.id in users and turn.call.decided[leg.user.id].decision.rule == ON_DEMAND_RULE:
            turn.ask(PlayTone(leg.channel, TONE_ON))


def _end_call(turn: Turn) -> None:
    call = turn.call
    if call.legs or call.ended_at is not None:
        return
    left_at = call.left_at or turn.at
    turn.call = replace(call, left_at=left_at)
    if not call.erasing:
        turn.call = replace(turn.call, ended_at=left_at)
        turn.say(CallEnded(call.call_id, left_at, "answered" if call.answered else "not answered"))


def discard(turn: Turn, capture: Capture) -> None:
    """Forget a capture that is closed and needs no finaliser: nothing was recorded, or all of it is to go."""
    turn.drop(capture)
    if capture.media in turn.call.erasing:
        erase(turn, capture.media)


def finalise(turn: Turn, capture: Capture) -> None:
    """Hand a closed capture over to the finaliser; one that is to be erased is erased instead."""
    if capture.intended_at is None or capture.closed_at is None:
        raise ValueError(f"capture {capture.media} was never recorded")
    if capture.media in turn.call.erasing:
        discard(turn, capture)
        return
    turn.set(replace(capture, phase=Phase.FINALISING))
    turn.ask(
        FinaliseMedia(
            media=capture.media,
            tenant_id=turn.call.tenant_id,
            spool_in=capture.spool_in,
            spool_out=capture.spool_out,
            in_side=capture.in_side.value,
            intended_at=capture.intended_at,
            in_at=capture.in_at,
            out_at=capture.out_at,
            closed_at=capture.closed_at,
            paces=capture.paces,
        )
    )


def _users_to_record(turn: Turn, talk: Conversation) -> tuple[str, ...]:
    """Decide every user of a conversation; return those to record, the first to call first."""
    ids = [leg.user.id for leg in talk.inside if leg.user and _decision(turn, talk, leg).verdict is Verdict.RECORD]
    return tuple(dict.fromkeys(ids))


def _decision(turn: Turn, talk: Conversation, leg: Leg) -> Decision:
    """Return the decision for one user; say it when it, or what it rests on, is new."""
    facts = facts_of(turn.call, talk, leg)
    decision = decide(facts, turn.call.policy, turn.book.exclusions_of(turn.call.tenant_id))
    if decision.excluded:
        turn.call = replace(turn.call, excluded=decision.excluded)
    # That the announcement was heard changes what comes first, not what is decided: no new entry for it.
    key = repr((replace(facts, announced=False), decision.verdict, decision.rule))
    last = turn.call.decided.get(facts.user.id)
    if last is not None and last.facts_key == key:
        if last.decision != decision:
            kept = {**turn.call.decided, facts.user.id: replace(last, decision=decision)}
            turn.call = replace(turn.call, decided=kept)
    else:
        decision_id = turn.next_id("decision")
        decided = {**turn.call.decided, facts.user.id: LastDecision(decision_id, decision, key)}
        turn.call = replace(turn.call, decided=decided)
        turn.say(
            Decided(
                decision_id=decision_id,
                call_id=turn.call.call_id,
                user_id=facts.user.id,
                at=turn.at,
                verdict=decision.verdict.value,
                rule=decision.rule,
                rule_name=decision.rule_name,
                policy_version=decision.policy_version,
                facts=facts_as_dict(facts),
                trace=trace_as_list(decision),
                announce=decision.announce.value if decision.announce else "",
                consent_by=decision.consent_by.value,
                evidence_id=facts.marks.evidence_id,
            )
        )
    return decision


def _serving(turn: Turn, members: frozenset[str], users: tuple[str, ...]) -> Capture | None:
    for capture in turn.call.captures.values():
        same = capture.members == members and capture.user_ids == users
        if same and capture.live and capture.media not in turn.call.erasing:
            return capture
    return None


def _plan(turn: Turn, talk: Conversation, users: tuple[str, ...]) -> None:
    """Plan a new segment, and have the announcement played first if need be."""
    told = telling.legs_to_tell(turn, talk, users)
    capture = _new(turn, talk, users, Phase.ANNOUNCING if told else Phase.STARTING)
    if capture.unheard_since is not None:
        for user_id in users:
            turn.gap(capture, user_id, capture.unheard_since, None, UNHEARD)
    if told:
        telling.begin(turn, capture, told)
    else:
        _start(turn, capture, talk)


def _new(turn: Turn, talk: Conversation, users: tuple[str, ...], phase: Phase) -> Capture:
    """Return a new capture: its id, its names, and the leg that stays as its anchor.

    The anchor is the outside party's leg, which survives every transfer between users; in an internal call it is the
    first recorded user's own.
    """
    outside = talk.outside
    anchor = outside[0] if outside else next(leg for leg in talk.inside if leg.user and leg.user.id == users[0])
    media = turn.next_id("media")
    return Capture(
        media=media,
        number=0,
        phase=phase,
        anchor=anchor.channel,
        members=talk.members,
        user_ids=users,
        in_side=Side.RIGHT if outside else Side.LEFT,
        since=turn.at,
        spool_in=naming.spool_name(media, turn.at, naming.Sense.IN),
        spool_out=naming.spool_name(media, turn.at, naming.Sense.OUT),
        unheard_since=turn.call.unheard_since,
    )


def _start(turn: Turn, capture: Capture, talk: Conversation) -> None:
    """Say that a segment will be recorded, one row for each user, and ask for it."""
    turn.call = replace(turn.call, segments=turn.call.segments + 1)
    capture = replace(capture, intended_at=turn.at, number=turn.call.segments)
    made = {**turn.call.made, capture.media: Made(turn.at, capture.spool_in, capture.spool_out)}
    turn.call = replace(turn.call, made=made)
    turn.set(capture)
    for user_id in capture.user_ids:
        turn.say(_intended(turn, capture, talk, user_id))
    turn.ask(StartCapture(capture.media, capture.anchor, capture.spool_in, capture.spool_out))


def _intended(turn: Turn, capture: Capture, talk: Conversation, user_id: str) -> RecordingIntended:
    call = turn.call
    leg = next(leg for leg in talk.inside if leg.user and leg.user.id == user_id)
    if leg.user is None:
        raise ValueError(f"leg {leg.channel} has no user")
    last = call.decided[user_id]
    facts = facts_of(call, talk, leg)
    other = next((party for party in facts.others if party.external), facts.others[0]).number
    heard_left = bool(talk.outside) or leg.channel == capture.anchor
    return RecordingIntended(
        recording_id=str(uuid5(UUID(capture.media), f"recording {user_id}")),
        media_id=capture.media,
        call_id=call.call_id,
        tenant_id=call.tenant_id,
        user_id=user_id,
        decision_id=last.decision_id,
        segment=capture.number,
        at=turn.at,
        anchor_channel=capture.anchor,
        spool_in=capture.spool_in,
        spool_out=capture.spool_out,
        in_side=capture.in_side,
        user_side=Side.LEFT if heard_left else Side.RIGHT,
        direction=facts.direction.value,
        user_name=leg.user.name,
        extension=leg.user.extension,
        other_raw=other.raw,
        other_e164=other.e164,
        ddi=str(facts.ddi),
        group_id=call.marks.presented_to[-1] if call.marks.presented_to else "",
        evidence_id=call.marks.evidence_id,
        rule=last.decision.rule,
        policy_version=last.decision.policy_version,
        deletable_by_hand=last.decision.deletable_by_hand,
        retention_days=days_of(call.policy, leg.user.department_id, last.decision.rule),
    )


def _end(turn: Turn, capture: Capture, reason: str) -> None:
    """End a capture that is no longer wanted, whatever its phase."""
    match capture.phase:
        case Phase.ANNOUNCING:
            telling.break_off(turn, capture)
        case _ if capture.missing:
            turn.drop(capture)
        case _ if capture.intended_at is None:
            turn.drop(capture)
        case _:
            at = capture.doubtful_since or turn.at
            turn.set(replace(capture, phase=Phase.CLOSING, closed_at=at))
            turn.say(RecordingClosed(capture.media, at, reason))
            turn.ask(StopCapture(capture.media, capture.spool_in, capture.spool_out))


def _why_ended(turn: Turn, capture: Capture, talks: list[Conversation]) -> str:
    """Say in plain words why a segment ended."""
    if any(leg.held for leg in turn.call.legs.values() if leg.channel in capture.members):
        return "hold"
    if not any(capture.members <= talk.members or talk.members <= capture.members for talk in talks):
        return "the conversation ended"
    if not any(capture.members == talk.members for talk in talks):
        return "the parties changed"
    decisions = (turn.call.decided[user_id].decision for user_id in capture.user_ids)
    return "; ".join(dict.fromkeys(f"now {d.verdict.value}: {d.rule_name}" for d in decisions))
