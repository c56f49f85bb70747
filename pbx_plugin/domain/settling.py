"""Asterisk moves a leg in several steps; what is true between two of them, for a millisecond, is nobody's conversation.

A Local channel that is optimised away, a transfer, a hold that a feature code takes back first: a leg leaves one bridge
and enters the next, or is taken back and gone. While a call is unsettled no new segment is begun, and a segment whose
people are all still there, with nobody new, is not given up. Whoever meets somebody else is never waited for, and a
segment that is given up in the end was over when the first step was taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import CallState, Capture
from pbx_plugin.domain.commands import LookAgain
from pbx_plugin.domain.conversation import Conversation
from pbx_plugin.domain.turn import Turn

SETTLES_WITHIN = timedelta(milliseconds=30)
"""Steps of one move were 0 to 4 ms apart on Asterisk 22; two deeds of people are never so near."""


def unsettle(turn: Turn) -> None:
    """Take note that a leg is being moved, or was taken back: the call is to be looked at again soon."""
    if turn.call.unsettled != turn.at:
        turn.call = replace(turn.call, unsettled=turn.at)
        turn.ask(LookAgain(turn.call.linkedids[0], turn.at))


def settle(turn: Turn, happening: h.Happening) -> None:
    """Take note that the last move is over, if it is."""
    since = turn.call.unsettled
    if since is None:
        return
    told = isinstance(happening, h.Settled) and since <= happening.since
    if told or happening.at - since >= SETTLES_WITHIN:
        turn.call = replace(turn.call, unsettled=None)


def may_come_back(call: CallState, capture: Capture, wanted: Iterable[tuple[Conversation, tuple[str, ...]]]) -> bool:
    """Tell whether a segment's people may be together again in a moment.

    They are all there, none is on hold, none talks to anybody else, and none who talks is not to be recorded any more.
    ``wanted`` are all conversations of the call, each with the users to record in it.
    """
    if call.unsettled is None or not capture.members <= call.legs.keys():
        return False
    if any(call.legs[channel].held for channel in capture.members):
        return False
    for talk, users in wanted:
        if not talk.members & capture.members:
            continue
        recorded = {leg.user.id for leg in talk.inside if leg.user} & set(capture.user_ids)
        if not talk.members <= capture.members or not recorded <= set(users):
            return False
    return True
