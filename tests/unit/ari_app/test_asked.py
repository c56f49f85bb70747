"""A program asks in a user's name: what the user's phone may do is done, once, and answered in the audit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from call_story import NOON, Story
from test_calls import END, INCOMING

from pbx_plugin.asterisk.ari_events import happenings_in
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h

CALL = INCOMING.format(to=103)


def ask(story: Story, seconds: float, deed: str, wish: str, user: str = "u103", ask_id: str = "") -> dict[str, Any]:
    """Let a program ask, and return the answer."""
    asked = h.Asked(
        NOON + timedelta(seconds=seconds),
        story.call.call_id,
        user,
        h.Deed(deed),
        wish,
        ask_id or str(uuid4()),
        "API token crm",
    )
    story.board.happen(asked)
    (answer,) = [entry for entry in story.entries(e.Audited) if entry.audit_id == asked.ask_id]
    assert (answer.actor, answer.subject) == ("API token crm", story.call.call_id)
    return answer.detail


def test_an_on_demand_user_is_switched_on_and_off_and_asking_twice_changes_nothing() -> None:
    story = Story().tell(INCOMING.format(to=111))
    assert ask(story, 4.0, "toggle", "on", "u111") == {"user": "u111", "wanted": "on", "done": True, "what": "on"}
    assert ask(story, 4.5, "toggle", "on", "u111")["what"] == "it was so already"
    assert len(story.segments()) == 1
    assert ask(story, 6.0, "toggle", "off", "u111")["what"] == "off"
    assert ask(story, 6.5, "toggle", "off", "u111")["what"] == "it was so already"
    assert [(start, end) for _, start, end, _ in story.segments()] == [(4.0, 6.0)]


def test_who_may_not_is_refused_as_the_phone_would_be() -> None:
    story = Story().tell(INCOMING.format(to=101))
    answer = ask(story, 4.0, "pause", "on", "u101")
    assert not answer["done"]
    assert answer["what"] == "denied: user in mode always"
    assert len(story.segments()) == 1


def test_a_pause_is_begun_and_ended() -> None:
    story = Story().tell(CALL)
    assert ask(story, 4.0, "pause", "on")["what"] == "for at most 120 s"
    assert ask(story, 4.2, "pause", "on")["what"] == "it was so already"
    assert ask(story, 6.0, "pause", "off")["what"] == "ended by the user"
    assert story.missed() == [("u103", 4.0, 6.0, "paused by User 103")]


def test_a_withdrawal_is_for_good() -> None:
    story = Story().tell(CALL)
    assert ask(story, 4.0, "withdraw", "")["done"]
    assert ask(story, 5.0, "withdraw", "")["what"] == "it was so already"
    assert [end for _, _, end, _ in story.segments()] == [4.0]
    assert ask(story, 6.0, "toggle", "on")["done"] is False


@pytest.mark.parametrize("user", ["u101", "nobody", ""])
def test_one_who_is_not_on_the_call_changes_nothing(user: str) -> None:
    story = Story().tell(CALL)
    assert ask(story, 4.0, "withdraw", "", user) == {
        "user": user,
        "wanted": "",
        "done": False,
        "what": "the user is not on this call",
    }
    assert len(story.segments()) == 1
    assert story.segments()[0][2] is None


def test_one_whose_call_nobody_answered_yet_is_in_no_conversation() -> None:
    story = Story().tell("0.0 ring T1 trunk +4531200118 > +4570100103\n0.1 down A1 103")
    assert ask(story, 1.0, "toggle", "on")["what"] == "the user is not in a conversation"


def test_a_call_that_is_not_there_is_nobodys() -> None:
    story = Story().tell(CALL + END)
    story.board.happen(h.Asked(NOON, "gone", "u103", h.Deed.WITHDRAW, "", str(uuid4()), "x"))
    assert story.entries(e.Audited) == []


EVENT: dict[str, Any] = {
    "type": "ChannelUserevent",
    "timestamp": "2026-11-22T12:00:00.000+0000",
    "eventname": "PBXRecAsk",
    "userevent": {
        "eventname": "PBXRecAsk",
        "call": "c",
        "user": "u",
        "deed": "pause",
        "wish": "on",
        "id": "12345678-1234-1234-1234-123456789abc",
        "actor": "API token crm",
    },
}


def test_a_question_is_read_from_the_event() -> None:
    (asked,) = happenings_in(EVENT)
    assert asked == h.Asked(NOON, "c", "u", h.Deed.PAUSE, "on", "12345678-1234-1234-1234-123456789abc", "API token crm")


@pytest.mark.parametrize(
    "change",
    [
        {"channel": {"id": "1.1", "name": "PJSIP/101-00000001", "channelvars": {}}},
        {"eventname": "Other"},
        {"userevent": {**EVENT["userevent"], "deed": "erase"}},
        {"userevent": {**EVENT["userevent"], "id": "'; drop table audit"}},
        {"userevent": None},
    ],
)
def test_what_is_no_question_of_a_programs_is_none(change: dict[str, Any]) -> None:
    assert [found for found in happenings_in({**EVENT, **change}) if isinstance(found, h.Asked)] == []
