"""Telling people that a call is recorded: who is told before recording starts, in which language, and what follows.

Whoever is outside and has not consented is told, and where the policy wants it the company's own people too. Who has
heard it is remembered by channel for the call's life, so that a toggle, a hold or a transfer tells nobody twice and
who joins is told alone. What was not heard whole was not heard: then nothing is recorded, unless the policy is softer.
"""

from __future__ import annotations

import re
from dataclasses import replace

from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Stranger
from pbx_plugin.domain.callstate import CallState, Capture, Leg, Phase
from pbx_plugin.domain.commands import Hearer, PlayAnnouncement, StopAnnouncement
from pbx_plugin.domain.conversation import Conversation, direction_of, mixing_in, untold_in
from pbx_plugin.domain.numbers import region_of
from pbx_plugin.domain.policy import Announce, announce_for
from pbx_plugin.domain.turn import Turn

LANGUAGES = {
    "AT": "de",
    "AU": "en",
    "DE": "de",
    "DK": "da",
    "GB": "en",
    "IE": "en",
    "NL": "nl",
    "NZ": "en",
    "SE": "sv",
    "US": "en",
}
"""The language in which a number's country is spoken to. A country that is not here (some have several) is spoken to
in the company's."""

WHAT = "announcement"
BEGINS = "begins"
HEARD = "heard to its end"
BROKEN_OFF = "broken off"
_HEARD = re.compile(rf"{HEARD}: (\S+), text version (.+), SHA-256 ([0-9a-f]{{64}})")


def legs_to_tell(turn: Turn, talk: Conversation, users: tuple[str, ...]) -> list[Leg]:
    """Return those who must hear of it before a conversation is recorded for these users, the outside first."""
    call = turn.call
    decided = (call.decided[user_id].decision.announce for user_id in users)
    outside = untold_in(call, talk) if any(how not in (None, Announce.NONE) for how in decided) else []
    if any(way is not Announce.NONE for way in _ways(turn, talk, users)):
        # An announcement is played to everybody's own channel, so that theirs may be a leg of another call.
        ours = mixing_in(call, talk).left_to_us - call.deaf
        outside += [_stranger(one) for one in _untold_strangers(call, talk) if one.channel in ours]
    if direction_of(talk) not in call.policy.announce_user:
        return outside
    return outside + [leg for leg in talk.inside if leg.channel not in call.announced]


def strangers_bar(turn: Turn, talk: Conversation, users: tuple[str, ...]) -> bool:
    """Tell whether nothing may be recorded, because a phone mixes somebody into it who has not been told."""
    must = Announce.OR_DO_NOT_RECORD in _ways(turn, talk, users)
    return must and bool(_untold_strangers(turn.call, talk))


def _untold_strangers(call: CallState, talk: Conversation) -> list[Stranger]:
    return [one for one in mixing_in(call, talk).untold if one.channel not in call.announced]


def begin(turn: Turn, capture: Capture, legs: list[Leg]) -> None:
    """Have a capture wait until these have been told."""
    turn.set(replace(capture, telling=tuple(leg.channel for leg in legs)))
    for leg in legs:
        turn.note(leg, WHAT, BEGINS)
    hearers = tuple(Hearer(leg.channel, language_of(leg, turn.call.language)) for leg in legs)
    turn.ask(PlayAnnouncement(capture.media, hearers))


def language_of(leg: Leg, company: str) -> str:
    """Return in which language somebody is spoken to: a user's own, else that of the number's country.

    ``company`` is the language where neither is known.
    """
    if leg.user is not None:
        return leg.user.language or company
    return LANGUAGES.get(region_of(leg.number.e164), company) if leg.number.e164 else company


def break_off(turn: Turn, capture: Capture) -> None:
    """Drop a capture whose people need not be told any more, or must be told anew."""
    for leg in _told(turn, capture):
        turn.note(leg, WHAT, BROKEN_OFF)
    turn.drop(capture)
    turn.ask(StopAnnouncement(capture.media))


def over(turn: Turn, capture: Capture, news: h.AnnouncementDone) -> None:
    """Let a capture go on when its people have been told, or fail where telling was a must."""
    if capture.phase is not Phase.ANNOUNCING:
        return
    unheard = set() if news.ok else set(news.unheard) or set(capture.telling)
    for leg in _told(turn, capture):
        why = "" if news.ok else news.unheard.get(leg.channel, "" if news.unheard else news.reason)
        turn.note(leg, WHAT, f"not heard: {why}" if why else heard(news.spoken.get(leg.channel)))
        if not why:
            turn.call = replace(turn.call, announced=turn.call.announced | {leg.channel})
    if unheard and not unheard & turn.call.legs.keys():
        # Only people of other calls: as soon as they are gone, or told by their own, there is nothing in the way.
        turn.call = replace(turn.call, deaf=turn.call.deaf | unheard)
        turn.drop(capture)
        return
    capture = replace(capture, telling=())
    if news.ok or not _must(turn, capture):
        turn.set(replace(capture, phase=Phase.STARTING))
    else:
        turn.miss(capture, Phase.FAILED, turn.at, f"the announcement could not be played: {news.reason}")


def heard(spoken: h.Spoken | None) -> str:
    """Return how the time line tells that an announcement was heard, and which; :func:`heard_which` reads it back."""
    if spoken is None:
        return HEARD
    return f"{HEARD}: {spoken.language}, text version {spoken.text_version}, SHA-256 {spoken.sha256}"


def heard_which(detail: str) -> h.Spoken | None:
    """Return what was heard, from a step of the time line; None where nothing was, or it is not known what."""
    found = _HEARD.fullmatch(detail)
    return h.Spoken(*found.groups()) if found else None


def _told(turn: Turn, capture: Capture) -> list[Leg]:
    strangers = turn.call.mixing.untold if turn.call.mixing else ()
    known = turn.call.legs | {one.channel: _stranger(one) for one in strangers}
    return [leg for channel, leg in known.items() if channel in capture.telling]


def _stranger(one: Stranger) -> Leg:
    return Leg(one.channel, one.channel, one.number)


def _ways(turn: Turn, talk: Conversation, users: tuple[str, ...]) -> list[Announce]:
    """Return how hard people must be told before each of these users is recorded, whoever they are."""
    rules = (turn.call.decided[user_id].decision.rule for user_id in users)
    return [announce_for(turn.call.policy, rule, direction_of(talk)) for rule in rules]


def _must(turn: Turn, capture: Capture) -> bool:
    """Tell whether nothing may be recorded for anybody who is to be told and was not."""
    members = (leg for leg in turn.call.legs.values() if leg.channel in capture.members)
    return Announce.OR_DO_NOT_RECORD in _ways(turn, Conversation(tuple(members)), capture.user_ids)
