"""Withdrawal: consent taken back in the middle of a call. Nothing is recorded from then on, whatever becomes of it.

Any user on the call may say so, whatever their own mode: it is the other side's wish, and must not wait for somebody
with the right to it.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid5

from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.callstate import CallState, Leg
from pbx_plugin.domain.commands import EraseMedia, PlayTone
from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.happenings import VoiceTakenBack
from pbx_plugin.domain.pressing import user_on
from pbx_plugin.domain.turn import Turn

TONE_WITHDRAWN = "withdrawn"
ACTOR = "recorder"
WITHDRAWN = "consent withdrawn"
"""What the audit calls it; its subject is the call."""
WITHDRAWN_ELSEWHERE = "consent withdrawn in another call on the same phone"


def press(turn: Turn, channel: str) -> None:
    """Take the code from one phone. An outsider's press does nothing; a second one is answered by the tone alone."""
    found = user_on(turn, channel)
    if found is None:
        return
    take_back(turn, found[0])
    turn.ask(PlayTone(channel, TONE_WITHDRAWN))


def take_back(turn: Turn, leg: Leg) -> None:
    """Mark the call as withdrawn for its life and audit it; by policy, have erased what was recorded of it."""
    call = turn.call
    if call.sticky.consent is Consent.WITHDRAWN:
        return
    erases = call.policy.withdrawal_erases
    turn.call = replace(call, sticky=replace(call.marks, consent=Consent.WITHDRAWN))
    who = f"{leg.user.name} ({leg.user.extension})" if leg.user else str(leg.number)
    turn.refresh_marks(f"withdrawn by {who}")
    turn.note(leg, "withdrawal", "what was recorded is erased" if erases else "what was recorded is kept")
    detail = {"recorded": sorted(call.made), "in other calls": sorted(call.lent), "erased": erases}
    audit_id = str(uuid5(UUID(call.call_id), "withdrawal"))
    turn.say(Audited(audit_id, call.tenant_id, turn.at, who, WITHDRAWN, call.call_id, detail))
    if erases:
        turn.call = replace(turn.call, erasing=frozenset(call.made))
        for media in call.made:
            erase(turn, media)


def erases_all(call: CallState) -> bool:
    """Tell whether whatever was recorded of this call's people is to go, also what other calls have of them."""
    return call.sticky.consent is Consent.WITHDRAWN and call.policy.withdrawal_erases


def take_voice_back(turn: Turn, news: VoiceTakenBack) -> None:
    """Have a segment erased in which somebody is heard who has withdrawn.

    Told to the segment's own call, it is ended there if need be and erased. Told to the call of who has withdrawn, that
    one sees to it itself, unless the segment's own call does (``seen_to``).
    """
    call, media = turn.call, news.media
    lent = call.lent.get(media)
    if lent is not None:
        turn.call = call = replace(call, lent={other: made for other, made in call.lent.items() if other != media})
    if media in call.erasing:
        return
    if media in call.made:
        audit_id = str(uuid5(UUID(call.call_id), f"withdrawal {media}"))
        detail = {"recorded": [media], "erased": True}
        turn.say(Audited(audit_id, call.tenant_id, turn.at, ACTOR, WITHDRAWN_ELSEWHERE, call.call_id, detail))
    elif lent is None or news.seen_to:
        return
    else:
        turn.call = replace(call, made=call.made | {media: lent})
    turn.call = replace(turn.call, erasing=turn.call.erasing | {media})
    erase(turn, media)


def erase(turn: Turn, media: str) -> None:
    """Ask for a segment's sound to be erased; one that is being recorded is first ended, and erased then."""
    capture = turn.call.captures.get(media)
    if capture is not None and capture.written:
        return
    made = turn.call.made[media]
    turn.ask(EraseMedia(media, turn.call.tenant_id, made.intended_at, made.spool_in, made.spool_out))


def erased(turn: Turn, media: str) -> None:
    """Take note that nothing of a segment is left."""
    made = {other: which for other, which in turn.call.made.items() if other != media}
    turn.call = replace(turn.call, made=made, erasing=turn.call.erasing - {media})
