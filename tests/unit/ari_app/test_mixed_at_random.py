"""Two customers and a colleague on one phone, in whatever order things happen.

Nobody is in a recording before they were told, and of who withdraws nothing stays in any.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from call_story import Story, rules
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx_plugin.ari_app import switchboard
from pbx_plugin.domain import commands as c
from pbx_plugin.domain.call import Consent
from pbx_plugin.domain.callstate import CallState, Phase, has_consented
from pbx_plugin.domain.policy import Announce

BEGINS = """
    0.0 ring T1 trunk +4531200118 > +4570100101
    0.1 down A1 {user} linked-T1
    0.2 ring T2 trunk +4531200119 > +4570100101
    0.3 down A2 {user} linked-T2
    0.4 ring A3 {user} > 102
    0.5 down C3 102 linked-A3
    0.6 join T1 B1
    0.6 join A1 B1
    0.7 press A1
    0.8 told 1
"""
BRIDGES = {"T1": "B1", "A1": "B1", "T2": "B2", "A2": "B2", "A3": "B3", "C3": "B3"}
STEPS = (
    *(f"join {channel} {bridge}" for channel, bridge in BRIDGES.items()),
    *(f"left {channel} {bridge}" for channel, bridge in BRIDGES.items()),
    *(f"{what} {channel}" for what in ("hold", "unhold") for channel in ("A1", "A2", "A3", "T2")),
    "join T2 B2\njoin A2 B2",
    "join A3 B3\njoin C3 B3",
    *(f"{what} {channel}" for what in ("press", "withdraw") for channel in ("A1", "A2", "A3")),
    *(f"gone {channel}" for channel in ("T1", "T2", "A2", "C3")),
    "mark T1 consent=given evidence=e1",
    "mark T2 consent=given evidence=e2",
    "told",
    "untold",
    "told",
)


@pytest.fixture(autouse=True, scope="module")
def nothing_goes_wrong() -> Iterator[None]:
    """A happening that cannot be taken is logged by the recorder, and is a failure here."""

    def raises(_: str, **what: Any) -> None:
        raise AssertionError(what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switchboard.log, "exception", raises, raising=False)
        yield


def heard(call: CallState) -> set[str]:
    """Who outside is heard in this call and has neither consented nor been told in it."""
    return {
        leg.channel
        for leg in call.legs.values()
        if leg.external and leg.bridge and leg.talking and not leg.held
        if leg.channel not in call.announced and not has_consented(call, leg)
    }


def mixing(call: CallState) -> set[str]:
    """Users who are heard in this call, on a phone that holds it not."""
    return {leg.user.id for leg in call.legs.values() if leg.user and leg.bridge and leg.talking and not leg.held}


def recorded(call: CallState) -> list[str]:
    """What is being recorded of this call in which its users are heard whose phones mix."""
    found = []
    for media, one in call.captures.items():
        members = [call.legs[channel] for channel in one.members if channel in call.legs]
        users = {leg.user.id for leg in members if leg.user}
        written = one.phase in (Phase.STARTING, Phase.RECORDING) and one.intended_at is not None
        if written and len(members) == len(one.members) and users & mixing(call):
            found.append(media)
    return found


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=6, max_size=40), st.sampled_from(["101", "111"]))
def test_nobody_is_recorded_before_being_told_and_who_withdraws_is_in_nothing(steps: list[str], user: str) -> None:
    story = Story(rules(announce=Announce.OR_DO_NOT_RECORD, withdrawal_erases=True))
    story.tell(BEGINS.format(user=user))
    answered, in_it = 1, dict[str, set[str]]()
    for second, step in enumerate(steps, 1):
        if step in ("told", "untold"):
            if answered >= len(story.commands(c.PlayAnnouncement)):
                continue
            answered += 1
            story.tell(f"{second} {step} {answered}")
        else:
            story.tell("\n".join(f"{second} {one}" for one in step.splitlines()))
        calls = list(story.board.calls.values())
        for call in calls:
            for media in recorded(call):
                assert not heard(call), (step, call.call_id)
                in_it.setdefault(media, set()).add(call.call_id)
                for other in calls:
                    if other is not call and mixing(call) & mixing(other):
                        assert not heard(other) - call.announced, (step, call.call_id, other.call_id)
                        in_it[media].add(other.call_id)
        gone = {command.media for command in story.commands(c.EraseMedia)}
        withdrawn = {call.call_id for call in calls if call.sticky.consent is Consent.WITHDRAWN}
        assert {media for media, who in in_it.items() if who & withdrawn} <= gone, (step, withdrawn)
