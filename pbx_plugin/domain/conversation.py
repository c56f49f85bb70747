"""Who talks to whom: conversations out of legs and bridges, and the facts of each user in one.

A conversation is a set of real legs that hear each other: those in one talking bridge, and those that Local channel
pairs join to it (a queue member dialled as ``Local/…`` puts two bridges in a row). Parking and music bridges are none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pbx_plugin.domain.call import Direction, Mixing, Number, Switch
from pbx_plugin.domain.callstate import CallState, Leg, has_consented
from pbx_plugin.domain.decision import Facts


@dataclass(frozen=True, slots=True)
class Conversation:
    """Two or more real legs that hear each other, in the order in which they came to the call."""

    legs: tuple[Leg, ...]

    @property
    def members(self) -> frozenset[str]:
        """Return the channels on it."""
        return frozenset(leg.channel for leg in self.legs)

    @property
    def outside(self) -> tuple[Leg, ...]:
        """Return the legs of people outside the company."""
        return tuple(leg for leg in self.legs if leg.external)

    @property
    def inside(self) -> tuple[Leg, ...]:
        """Return the legs of users."""
        return tuple(leg for leg in self.legs if leg.user is not None)


def conversations(legs: Iterable[Leg], *, hold_ends: bool) -> list[Conversation]:
    """Return all conversations. With ``hold_ends`` a leg whose phone holds takes no part in any."""
    bridged = [leg for leg in legs if leg.bridge and leg.talking]
    root: dict[str, str] = {leg.bridge: leg.bridge for leg in bridged}

    def find(bridge: str) -> str:
        while root[bridge] != bridge:
            bridge = root[bridge]
        return bridge

    halves: dict[str, str] = {}
    for leg in bridged:
        if leg.local:
            other = halves.setdefault(leg.local, leg.bridge)
            root[find(leg.bridge)] = find(other)
    groups: dict[str, list[Leg]] = {}
    for leg in bridged:
        if not leg.local and not (hold_ends and leg.held):
            groups.setdefault(find(leg.bridge), []).append(leg)
    return [Conversation(tuple(found)) for found in groups.values() if len(found) > 1]


def direction_of(talk: Conversation) -> Direction:
    """Return the direction of a conversation as its users see it."""
    if not talk.outside:
        return Direction.INTERNAL
    return Direction.INCOMING if any(far.originating for far in talk.outside) else Direction.OUTGOING


def untold_in(call: CallState, talk: Conversation) -> list[Leg]:
    """Return those outside who have neither consented nor been told on this call that it is recorded."""
    return [leg for leg in talk.outside if leg.channel not in call.announced and not has_consented(call, leg)]


def mixing_in(call: CallState, talk: Conversation) -> Mixing:
    """Return what other calls bring to this conversation; an empty one where nobody's phone mixes it with any."""
    return call.mixing if call.mixing and call.mixing.channels & talk.members else Mixing(frozenset())


def facts_of(call: CallState, talk: Conversation, leg: Leg) -> Facts:
    """Return the facts of one user's part in a conversation of the call. ``leg`` must be a user's."""
    if leg.user is None:
        raise ValueError(f"leg {leg.channel} has no user")
    mixing = mixing_in(call, talk)
    outside = talk.outside
    direction = direction_of(talk)
    untold = untold_in(call, talk)
    consenting = [far for far in outside if has_consented(call, far)]
    return Facts(
        user=leg.user,
        direction=direction,
        others=tuple(other.party for other in talk.legs if other.channel != leg.channel),
        ddi=call.ddi if direction is Direction.INCOMING else Number(),
        dialled=call.dialled,
        marks=call.marks.merged(mixing.marks),
        switch=call.switches.get(leg.user.id, Switch.UNTOUCHED),
        off_at_start=call.off_at_start,
        off_why=call.off_why,
        excluded=call.excluded or mixing.excluded,
        announced=not untold and len(consenting) < len(outside),
        consented=len(consenting) == len(outside) if outside else None,
    )
