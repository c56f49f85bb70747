"""Calls that a phone mixes: two calls of one user, neither on hold, are one conversation, and the strictest mark wins.

Asterisk does not tell of it: to it they are two calls. So it is taken for granted whenever a user is in two calls at
once and has put neither on hold; as long as that lasts, what bars the others bars each call, and nothing is recorded
before everybody who is heard has been told, whichever call they are in. Who withdraws takes back what the other calls
recorded of them as well. Nothing else crosses: one caller's consent is not another's, and what one call is recorded for
is no reason to record the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Consent, Marks, Mixing, Stranger
from pbx_plugin.domain.callstate import CallState, Leg, Phase, has_consented
from pbx_plugin.domain.policy import Announce, GroupPolicy, PolicyVersion


class Mixable:
    """Keeps in mind which calls a phone may mix: those of users who are in several, and those that were mixed last.

    Among hundreds of calls these are few, and only they need be looked at when something happens.
    """

    def __init__(self) -> None:
        self._users: dict[str, frozenset[str]] = {}
        self._calls: dict[str, set[str]] = {}
        self._several: set[str] = set()
        self._mixed: set[str] = set()

    def keep(self, call: CallState) -> None:
        """Take note of a call as it is now."""
        self._place(call.call_id, frozenset(leg.user.id for leg in call.legs.values() if leg.user is not None))
        if call.mixing is None:
            self._mixed.discard(call.call_id)
        else:
            self._mixed.add(call.call_id)

    def forget(self, call_id: str) -> None:
        """Take note that a call is no more."""
        self._place(call_id, frozenset())
        self._mixed.discard(call_id)

    def calls(self) -> list[str]:
        """Return the ids of the calls to look at, in a fixed order."""
        return sorted(self._mixed.union(*(self._calls[user] for user in self._several)))

    def _place(self, call_id: str, users: frozenset[str]) -> None:
        before = self._users.pop(call_id, frozenset())
        if users:
            self._users[call_id] = users
        for user in before ^ users:
            where = self._calls.setdefault(user, set())
            where ^= {call_id}
            if not where:
                del self._calls[user]
            if len(where) > 1:
                self._several.add(user)
            else:
                self._several.discard(user)


def mixings(calls: Iterable[CallState], coming: h.LegJoined | h.LegHeld | None = None) -> dict[str, Mixing | None]:
    """Return for each call what others bring to it, None where they bring nothing.

    Calls are mixed through others too: who hears both ends of a chain hears all of it. ``coming`` is about to happen
    and taken into account.
    """
    all_calls = {call.call_id: _with(call, coming) for call in calls}
    heard = _heard(all_calls.values())
    groups = _groups(heard)
    found: dict[str, Mixing | None] = {}
    for call_id, call in all_calls.items():
        others = [all_calls[other] for other in groups.get(call_id, ()) if other != call_id]
        marks = Marks()
        for other in others:
            marks = marks.merged(_what_forbids(other))
        excluded = next((other.excluded for other in others if other.excluded), "")
        own = frozenset(channel for where in heard.values() if len(where) > 1 for channel in where.get(call_id, ()))
        mixing = _what_is_heard(call, others, Mixing(own, marks, excluded), told_ahead=coming is not None)
        found[call_id] = mixing if mixing != Mixing(own) else None
    return found


def unheld_unheard(calls: Iterable[CallState], deaf_since: datetime) -> Iterator[h.LegHeld]:
    """Yield that who is on hold, and bars what they are mixed with, was taken back when nobody listened any more.

    Nothing tells afterwards of a hold that was ended for a while: what cannot be excluded is taken for granted. Who
    is on hold still is put on hold again by what Asterisk has now.
    """
    listed = tuple(calls)
    users = [{leg.user.id for leg in call.legs.values() if leg.user is not None} for call in listed]
    for place, call in enumerate(listed):
        untold = _tells(call.policy) and _untold(call)
        if not (call.excluded or untold or _what_forbids(call) != Marks()):
            continue
        elsewhere = set[str]().union(*users[:place], *users[place + 1 :])
        for leg in call.legs.values():
            if leg.held and leg.user is not None and leg.user.id in elsewhere:
                yield h.LegHeld(deaf_since, leg.channel, held=False)


def _what_forbids(call: CallState) -> Marks:
    """Return those of a call's marks that bar recording: its caller's consent, or a group that records, is its own."""
    barring = tuple(group for group in call.marks.presented_to if call.policy.groups.get(group) is GroupPolicy.NEVER)
    if call.marks.consent in (Consent.NOT_REQUIRED, Consent.GIVEN):
        return Marks(presented_to=barring)
    return replace(call.marks, presented_to=barring)


def _what_is_heard(call: CallState, others: Iterable[CallState], mixing: Mixing, *, told_ahead: bool) -> Mixing:
    """Return the mixing with who is heard of the other calls, and what these record meanwhile.

    Their own call tells them first, if it is to be recorded at all; ``told_ahead`` it has not been asked yet.
    """
    others = tuple(others)
    untold = tuple(one for other in others for one in _untold(other) if one.channel not in call.announced)
    being_told = {channel for other in others for capture in other.captures.values() for channel in capture.telling}
    left = () if told_ahead else (one.channel for one in untold if one.channel not in being_told)
    recorded = {
        media: other.made[media]
        for other in others
        for media, capture in other.captures.items()
        if capture.phase in (Phase.STARTING, Phase.RECORDING) and media in other.made
    }
    told = frozenset[str]().union(*(other.announced for other in others))
    return replace(mixing, untold=untold, left_to_us=frozenset(left), told=told, recorded=recorded)


def _tells(policy: PolicyVersion) -> bool:
    """Tell whether anybody outside is to be told before being recorded."""
    ways = (policy.announce, *policy.announce_rules.values(), *policy.announce_directions.values())
    return any(way is not Announce.NONE for way in ways)


def _untold(call: CallState) -> tuple[Stranger, ...]:
    """Return those outside who are heard and have neither consented nor been told on that call."""
    return tuple(
        Stranger(leg.channel, leg.number)
        for leg in call.legs.values()
        if leg.external and leg.bridge and leg.talking and not leg.held
        if leg.channel not in call.announced and not has_consented(call, leg)
    )


def _with(call: CallState, coming: h.LegJoined | h.LegHeld | None) -> CallState:
    if coming is None or coming.channel not in call.legs:
        return call
    return replace(call, legs=call.legs | {coming.channel: _about_to(call.legs[coming.channel], coming)})


def _heard(calls: Iterable[CallState]) -> dict[str, dict[str, list[str]]]:
    """Return by user the calls in which they are heard, and on which channels."""
    heard: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for call in calls:
        for leg in call.legs.values():
            if leg.user is not None and leg.bridge and leg.talking and not leg.held:
                heard[leg.user.id].setdefault(call.call_id, []).append(leg.channel)
    return heard


def _about_to(leg: Leg, coming: h.LegJoined | h.LegHeld) -> Leg:
    if isinstance(coming, h.LegHeld):
        return replace(leg, held=coming.held)
    return replace(leg, bridge=coming.bridge, talking=coming.talking)


def _groups(heard: dict[str, dict[str, list[str]]]) -> dict[str, tuple[str, ...]]:
    """Return for each call that is mixed all calls that it is mixed with, itself included, in a fixed order."""
    groups: dict[str, set[str]] = {}
    for where in heard.values():
        if len(where) > 1:
            one = set(where).union(*(groups.get(call_id, ()) for call_id in where))
            groups.update(dict.fromkeys(one, one))
    return {call_id: tuple(sorted(group)) for call_id, group in groups.items()}
