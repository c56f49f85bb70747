"""The life of a call's recording: ``advance(call, happening, book) -> (call, commands)``. Pure and declarative.

Every happening first changes the picture of the call (legs, marks, switches). Then the picture is compared with what
should be: each user in a conversation is decided, the captures that the decisions want are worked out, and the
difference to the captures that exist becomes commands. A restart, a doubled event or a merge therefore needs no
special case: whatever led here, the same comparison says what is missing and what is too much.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from pbx_plugin.domain import asking, pausing, telling, toggle, withdrawal
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.book import Book
from pbx_plugin.domain.call import Consent, Mixing, Number
from pbx_plugin.domain.callstate import CallState, Capture, Leg, Phase, merge_calls, stick
from pbx_plugin.domain.capacity import UNLIMITED, Capacity
from pbx_plugin.domain.clock_moves import on_the_calls_clock, on_the_clock_of
from pbx_plugin.domain.commands import Command
from pbx_plugin.domain.entries import (
    CallBegan,
    CallMerged,
    LegSeen,
    RecordingClosed,
    RecordingFailed,
    RecordingStarted,
)
from pbx_plugin.domain.losses import BEGINS_LATE, LATE, UNNOTICED, UNWATCHED
from pbx_plugin.domain.numbers import as_received
from pbx_plugin.domain.reconcile import GIVEN_UP, discard, finalise, reconcile
from pbx_plugin.domain.settling import settle, unsettle
from pbx_plugin.domain.turn import Turn

AT_ONCE = timedelta(seconds=5)
"""A recording that Asterisk ends sooner than this after its start is refused by it, a full disk for one: that shows
when its first 32 kB are to be written, after 2 s."""

TOLD_BY_ASTERISK = (
    h.LegAppeared,
    h.LegDialled,
    h.LegJoined,
    h.LegLeft,
    h.LegHeld,
    h.LegGone,
    h.MarksSeen,
    h.TogglePressed,
    h.PausePressed,
    h.WithdrawPressed,
)
"""What has Asterisk's own time; all else has ours."""

CALL_NAMESPACE = UUID("6f3f7c0e-4c57-4a5a-9a3c-6b1f6a0c9a11")
"""Call ids are made from Asterisk's own id and the linkedid: seeing a call again (restart, replay) finds it again."""


def call_id_of(asterisk_id: str, linkedid: str) -> str:
    """Return the id of the call that this Asterisk names ``linkedid``."""
    return str(uuid5(CALL_NAMESPACE, f"{asterisk_id}/{linkedid}"))


def begin(
    asterisk_id: str, first: h.LegAppeared, book: Book, capacity: Capacity = UNLIMITED
) -> tuple[CallState, list[Command]]:
    """Start the picture of a call with its first channel; policy version and schedule are fixed from here on."""
    user = book.by_device.get(first.device)
    tenant = book.tenant_of(user, first.carried.ddi or first.dialled)
    policy = book.rules.policy_of(tenant.id)
    stands = book.standing_of(policy, first.at)
    ddi = book.number(first.carried.ddi or first.dialled, tenant.country) if user is None else Number()
    caller = Number(user.extension, user.ddi) if user else book.number(first.number, tenant.country)
    internal = first.dialled in book.internal_numbers
    call = CallState(
        call_id=call_id_of(asterisk_id, first.linkedid),
        tenant_id=tenant.id,
        linkedids=(first.linkedid,),
        began_at=first.at,
        policy=policy,
        off_at_start=stands.off,
        off_why=stands.why,
        country=tenant.country,
        language=tenant.language,
        ddi=ddi,
        dialled=book.number(first.dialled, tenant.country),
    )
    began = CallBegan(
        call_id=call.call_id,
        tenant_id=tenant.id,
        linkedid=first.linkedid,
        at=first.at,
        policy_version=policy.number,
        off_at_start=call.off_at_start,
        direction="incoming" if user is None else "internal" if internal else "outgoing",
        caller_raw=caller.raw,
        caller_e164=caller.e164,
        ddi_raw=ddi.raw,
        ddi_e164=ddi.e164,
        dialled_raw=as_received(first.dialled),
        caller_name=as_received(first.shown_name) if user is None else "",
    )
    return _advance(Turn.opened(call, book, first.at, capacity, began), first)


def advance(
    call: CallState, happening: h.Happening, book: Book, capacity: Capacity = UNLIMITED
) -> tuple[CallState, list[Command]]:
    """Return the call after ``happening`` and what is to be done now, in order.

    Doubled or late happenings are harmless. ``capacity`` is what the machine can take now, this call left out.
    """
    happening = on_the_calls_clock(call, happening)
    return _advance(Turn(call, book, happening.at, capacity), happening)


def _advance(turn: Turn, happening: h.Happening) -> tuple[CallState, list[Command]]:
    settle(turn, happening)
    turn.by_asterisk = isinstance(happening, TOLD_BY_ASTERISK)
    if isinstance(happening, h.LegJoined | h.LegLeft | h.LegGone) and happening.unheard_since is not None:
        turn.call = replace(turn.call, unheard_since=happening.unheard_since)
    match happening:
        case h.LegAppeared():
            _appear(turn, happening)
        case h.LegDialled():
            _dialled(turn, happening)
        case h.LegJoined():
            _join(turn, happening)
        case h.LegLeft():
            _leave(turn, happening)
        case h.LegHeld():
            _hold(turn, happening)
        case h.LegGone():
            _gone(turn, happening)
        case h.MarksSeen():
            _marks(turn, happening)
        case h.TogglePressed():
            toggle.press(turn, happening.channel)
        case h.PausePressed():
            pausing.press(turn, happening.channel)
        case h.WithdrawPressed():
            withdrawal.press(turn, happening.channel)
        case h.Asked():
            asking.take(turn, happening)
        case h.TimePassed():
            pausing.end_those_over(turn)
        case h.ClockMoved():
            _clock_moved(turn, happening)
        case h.Mixed():
            _mixed(turn, happening.mixing)
        case h.VoiceTakenBack():
            withdrawal.take_voice_back(turn, happening)
        case h.MediaErased():
            withdrawal.erased(turn, happening.media)
        case h.EraserLost() if happening.media in turn.call.erasing:
            withdrawal.erase(turn, happening.media)
        case h.RulesChanged() | h.Settled() | h.EraserLost():
            pass  # the comparison below asks the new exclusions, or does what waited
        case _:
            _capture_news(turn, happening)
    reconcile(turn)
    return turn.done()


def merge(
    older: CallState, younger: CallState, at: datetime, book: Book, capacity: Capacity = UNLIMITED
) -> tuple[CallState, list[Command]]:
    """Make two calls one (attended transfer, three-way): marks of both hold for all, captures are compared anew."""
    merged = merge_calls(older, on_the_clock_of(older, younger))
    turn = Turn(merged, book, at - older.clock_off, capacity)
    turn.say(CallMerged(older.call_id, younger.call_id, at))
    turn.refresh_marks("two calls became one")
    reconcile(turn)
    return turn.done()


def _appear(turn: Turn, seen: h.LegAppeared) -> None:
    call = turn.call
    if seen.channel in call.legs:
        return
    user = turn.book.by_device.get(seen.device)
    local = seen.name.rpartition(";")[0] if seen.name.startswith("Local/") else ""
    number = Number(user.extension, user.ddi) if user else turn.book.number(seen.number, call.country)
    if user and user.tenant_id != call.tenant_id:
        # A company on the same PBX is the outside world: its rules, rows and switches are its own.
        number, user = Number(user.ddi, user.ddi), None
    if call.ended_at is not None:
        turn.call = replace(call, ended_at=None)
    leg = Leg(seen.channel, seen.name, number, user, local, seen.originating, carried=seen.carried)
    if user is None:
        leg = replace(leg, shown_name=as_received(seen.shown_name))
    turn.put(leg)
    if not local:
        turn.say(_leg_seen(call, leg, seen.at))
    turn.refresh_marks("a leg brought them")


def _leg_seen(call: CallState, leg: Leg, at: datetime) -> LegSeen:
    user_id = leg.user.id if leg.user else ""
    number, name = leg.number, leg.shown_name
    return LegSeen(call.call_id, leg.channel, at, leg.name, user_id, number.raw, number.e164, leg.originating, name)


def _dialled(turn: Turn, seen: h.LegDialled) -> None:
    leg = turn.call.legs.get(seen.channel)
    if leg is None:
        return
    number = turn.book.number(seen.number, turn.call.country) if leg.external and seen.number else leg.number
    if leg.originating or number != leg.number:
        leg = replace(leg, originating=False, number=number)
        turn.put(leg)
        if not leg.local:
            turn.say(_leg_seen(turn.call, leg, seen.at))
    if not leg.local:
        turn.note(leg, "ringing" if not seen.status else f"dialled: {seen.status.lower()}")


def _join(turn: Turn, seen: h.LegJoined) -> None:
    leg = turn.call.legs.get(seen.channel)
    if leg is None or (leg.bridge == seen.bridge and leg.talking == seen.talking):
        return
    turn.put(replace(leg, bridge=seen.bridge, talking=seen.talking))
    if not leg.local:
        turn.note(leg, "joined" if seen.talking else "parked", seen.bridge)


def _leave(turn: Turn, seen: h.LegLeft) -> None:
    leg = turn.call.legs.get(seen.channel)
    if leg is None or leg.bridge != seen.bridge:
        return
    # A phone that leaves its bridge leaves its hold behind as well: Asterisk sends no unhold for it.
    turn.put(replace(leg, bridge="", talking=False, held=False))
    unsettle(turn)
    if not leg.local:
        turn.note(leg, "left", seen.bridge)


def _hold(turn: Turn, seen: h.LegHeld) -> None:
    leg = turn.call.legs.get(seen.channel)
    if leg is None or leg.held == seen.held:
        return
    turn.put(replace(leg, held=seen.held))
    if not seen.held:
        unsettle(turn)
    turn.note(leg, "hold" if seen.held else "unhold")


def _gone(turn: Turn, seen: h.LegGone) -> None:
    leg = turn.call.legs.get(seen.channel)
    if leg is None:
        return
    legs = {channel: other for channel, other in turn.call.legs.items() if channel != seen.channel}
    turn.call = stick(replace(turn.call, legs=legs), leg)
    if not leg.local:
        turn.note(leg, "gone", seen.cause)


def _marks(turn: Turn, seen: h.MarksSeen) -> None:
    leg = turn.call.legs.get(seen.channel)
    if leg is None:
        return
    group = turn.book.by_queue.get(seen.queue) if seen.queue else None
    presented = seen.carried.presented_to
    if group is not None and group.id not in presented:
        presented = (*presented, group.id)
    carried = replace(seen.carried, presented_to=presented)
    if carried.consent is Consent.NOT_REQUIRED:
        # What was asked of a caller stays asked, whatever becomes of the variable that said so.
        carried = replace(carried, consent=leg.carried.consent, evidence_id=leg.carried.evidence_id)
    if carried.consent is Consent.WITHDRAWN:
        withdrawal.take_back(turn, leg)
    if carried != leg.carried:
        turn.put(replace(leg, carried=carried))
    turn.refresh_marks("channel variables")


def _mixed(turn: Turn, mixing: Mixing | None) -> None:
    call = replace(turn.call, mixing=mixing)
    if mixing is not None:
        lent = call.lent if withdrawal.erases_all(call) else call.lent | mixing.recorded
        call = replace(call, announced=call.announced | (mixing.told & call.legs.keys()), lent=lent)
    turn.call = call


def _clock_moved(turn: Turn, moved: h.ClockMoved) -> None:
    turn.call = replace(turn.call, clock_off=turn.call.clock_off + moved.by)
    by = f"set {moved.by.total_seconds():+.1f} s; this call goes on by the clock it began under"
    for leg in tuple(turn.call.legs.values())[:1]:
        turn.note(leg, "clock", by)


CaptureNews = (
    h.AnnouncementDone
    | h.CaptureStarted
    | h.CaptureEnded
    | h.CaptureFailed
    | h.MediaSettled
    | h.FinaliserLost
    | h.TryAgain
    | h.ChangedUnheard
)


def _capture_news(turn: Turn, news: CaptureNews) -> None:
    """Take news of a capture: announcement heard, recording started, ended, failed, or its file settled."""
    capture = turn.call.captures.get(news.media)
    if capture is None:
        return
    match news:
        case h.AnnouncementDone():
            telling.over(turn, capture, news)
        case h.CaptureStarted() if capture.in_at is None:
            turn.say(RecordingStarted(capture.media, news.at, news.in_at, news.out_at))
            turn.heard_again(capture, news.in_at)
            _late(turn, capture, min(news.in_at, news.out_at))
            phase = Phase.RECORDING if capture.phase is Phase.STARTING else capture.phase
            turn.set(replace(capture, phase=phase, in_at=news.in_at, out_at=news.out_at))
        case h.CaptureFailed() if capture.phase in (Phase.STARTING, Phase.CLOSING):
            turn.say(RecordingFailed(capture.media, news.at, news.reason))
            if capture.phase is Phase.CLOSING:
                _never_began(turn, capture, news.reason)
                discard(turn, capture)
            else:
                turn.miss(capture, Phase.FAILED, capture.intended_at or news.at, news.reason)
        case h.CaptureEnded() if capture.phase in (Phase.STARTING, Phase.RECORDING, Phase.CLOSING):
            capture = replace(capture, paces=news.paces)
            if capture.closed_at is None:
                turn.say(RecordingClosed(capture.media, news.at, "Asterisk ended the recording"))
                capture = replace(capture, closed_at=news.at)
                # One that never began was not refused: it ended with the run of the recorder that had asked for it.
                if capture.in_at and news.at - capture.in_at < AT_ONCE:
                    _give_up(turn, capture)
            finalise(turn, capture)
        case h.MediaSettled() if capture.phase is Phase.FINALISING:
            turn.drop(capture)
            if news.losses and capture.media in turn.call.made.keys() - turn.call.erasing:
                turn.lose(capture, news.losses)
        case h.TryAgain() if capture.phase is Phase.ANNOUNCING:
            telling.break_off(turn, capture)
        case h.TryAgain() if capture.phase is Phase.FAILED:
            turn.drop(capture)
        case h.ChangedUnheard() if capture.phase is Phase.CLOSING and capture.closed_at and capture.closed_at > news.at:
            turn.say(RecordingClosed(capture.media, news.at, "the call changed while the recorder could not hear it"))
            for user_id in capture.user_ids:
                turn.gap(capture, user_id, news.at, capture.closed_at, UNWATCHED)
            turn.set(replace(capture, closed_at=news.at))
        case h.FinaliserLost() if capture.phase is Phase.FINALISING:
            finalise(turn, capture)
        case _:
            pass  # doubled news


def _late(turn: Turn, capture: Capture, began: datetime) -> None:
    """Tell of what was missed by a recording that Asterisk, or the recorder, was slow to begin."""
    due, until = capture.intended_at, min(began, capture.closed_at or began)
    if due is not None and capture.unheard_since is None and until - due > BEGINS_LATE:
        for user_id in capture.user_ids:
            turn.gap(capture, user_id, due, until, LATE)


def _never_began(turn: Turn, capture: Capture, why: str) -> None:
    """Tell of a conversation that was over before it showed that its recording could not begin."""
    since, until = capture.intended_at, capture.closed_at
    if since is None or until is None or until - since < UNNOTICED or capture.media in turn.call.erasing:
        return
    if capture.unheard_since is not None:
        return  # its gap began when the recorder went away, and ends as it is dropped
    for user_id in capture.user_ids:
        turn.gap(capture, user_id, since, until, why)


def _give_up(turn: Turn, capture: Capture) -> None:
    """Leave a refused capture in the place of one that ended, so that its conversation is not tried in a tight loop."""
    media = turn.next_id("media")
    anew = replace(capture, media=media, intended_at=None, in_at=None, out_at=None, closed_at=None, unheard_since=None)
    turn.miss(anew, Phase.REFUSED, turn.at, GIVEN_UP)
