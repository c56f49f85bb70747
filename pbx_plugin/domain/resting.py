"""Whose consent a segment rests on beside the one that it was begun with: a second caller's, or one in a mixed call.

Each who consented was told a keeping time, and the shortest holds. Each has a receipt, which names what they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pbx_plugin.domain.callstate import Phase, has_consented
from pbx_plugin.domain.conversation import Conversation, mixing_in
from pbx_plugin.domain.entries import ConsentRests
from pbx_plugin.domain.turn import Turn


def note(turn: Turn, talks: Iterable[Conversation]) -> None:
    """Say of each segment that is recorded now on whose consent it rests, each once."""
    found = frozenset(one for talk in talks for one in _resting(turn, talk)) - turn.call.rests
    if found:
        turn.call = replace(turn.call, rests=turn.call.rests | found)
        turn.say(*(ConsentRests(media, turn.call.tenant_id, evidence, turn.at) for media, evidence in sorted(found)))


def _resting(turn: Turn, talk: Conversation) -> Iterator[tuple[str, str]]:
    call = turn.call
    given = {leg.carried.evidence_id for leg in talk.outside if has_consented(call, leg)} - {""}
    if not given:
        return
    for media, capture in call.captures.items():
        if capture.phase in (Phase.STARTING, Phase.RECORDING) and capture.members == talk.members:
            # What the recording itself names need not be said again.
            yield from ((media, evidence) for evidence in given - {call.marks.evidence_id})
    for media in mixing_in(call, talk).recorded:
        yield from ((media, evidence) for evidence in given)
