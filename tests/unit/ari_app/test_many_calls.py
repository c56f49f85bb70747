"""Several calls, companies and runs beside each other: none takes anything from another, and nothing piles up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from call_story import TENANT, Story, rules, user
from pbx_double import MEDIA, START

from pbx_plugin.ari_app import switchboard, watch
from pbx_plugin.ari_app.performer import Performer
from pbx_plugin.ari_app.watch import CaptureWatch
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain import lifecycle
from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.pacing import KEPT_TIME, Paces
from pbx_plugin.domain.policy import Exclusion
from pbx_plugin.domain.rulebook import Rulebook, Tenant

OTHERS = "7f000001-0000-4000-8000-000000000002"

ALWAYS = """
    0.0 ring T1 trunk +4531200118 > +4570100101
    0.1 down A1 101 linked-T1
    3.0 join A1 B1
    3.0 join T1 B1
"""


def two_companies() -> Rulebook:
    book = rules()
    stranger = replace(user("301", Mode.ALWAYS), tenant_id=OTHERS, ddi="+4570200301")
    never = replace(user("302", Mode.NEVER), tenant_id=OTHERS, ddi="+4570200302")
    return replace(
        book, tenants={**book.tenants, OTHERS: Tenant(OTHERS, "Other")}, users=(*book.users, stranger, never)
    )


def test_somebody_of_another_company_on_the_same_pbx_is_an_outsider() -> None:
    story = Story(two_companies()).tell("""
        0.0 ring A1 101 > 301
        0.1 down X1 301 linked-A1
        2.0 join A1 B1
        2.0 join X1 B1
    """)
    assert story.verdicts() == [("u101", "record", 10)]
    (intent,) = story.entries(e.RecordingIntended)
    assert (intent.tenant_id, intent.user_id, intent.direction) == (TENANT, "u101", "outgoing")
    assert (intent.anchor_channel, intent.other_e164) == ("X1", "+4570200301")
    story.tell("3.0 press X1")
    assert story.commands(c.PlayTone) == []


def test_an_excluded_person_of_another_company_is_known_by_their_number() -> None:
    book = replace(two_companies(), exclusions={TENANT: (Exclusion("x1", "+4570200301"),)})
    story = Story(book).tell("""
        0.0 ring A1 101 > 301
        0.1 down X1 301 linked-A1
        2.0 join A1 B1
        2.0 join X1 B1
    """)
    assert story.verdicts() == [("u101", "never", 2)]


def test_a_call_that_is_seen_anew_takes_no_earlier_recordings_name() -> None:
    first, second = Story(), Story()
    first.tell(ALWAYS)
    second.tell(ALWAYS.replace("0.0 ring", "2.0 ring"))
    assert first.call.call_id == second.call.call_id
    assert not set(first.call.captures) & set(second.call.captures)


def test_a_call_that_goes_on_after_all_is_not_forgotten_while_somebody_is_on_it() -> None:
    story = Story(answers=False).tell(ALWAYS + "5.0 gone T1\n 5.0 gone A1\n 5.1 down A2 102 linked-T1")
    (stop,) = story.commands(c.StopCapture)
    story.happen(h.CaptureEnded(story.at, stop.media))
    story.happen(h.MediaSettled(story.at, stop.media))
    assert set(story.call.legs) == {"A2"}
    story.tell("6.0 gone A2")
    assert story.board.calls == {}


def test_one_call_that_goes_wrong_does_not_keep_an_exclusion_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story().tell(ALWAYS.replace("T1", "T0").replace("A1", "A0").replace("B1", "B0") + ALWAYS)
    wrong = next(iter(story.board.calls))
    advance = lifecycle.advance

    def sometimes(call: Any, *rest: Any) -> Any:
        if call.call_id == wrong:
            raise LookupError("a call that makes no sense")
        return advance(call, *rest)

    monkeypatch.setattr(switchboard, "advance", sometimes)
    story.exclude(5.0, "+4531200118")
    assert [segment[2] for segment in story.segments()] == [None, 5.0]


class Stopping:
    """A performer that was asked to end nothing."""

    def is_stopping(self, media: str) -> bool:
        return False

    async def paces(self, media: str) -> Paces:
        return KEPT_TIME


async def test_a_recording_that_asterisk_ended_by_itself_is_closed_and_the_watch_forgets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "AFTERMATH", 0.0)
    story = Story().tell(ALWAYS)
    # By the story's clock: at once, so that it is not begun again at once.
    monkeypatch.setattr(watch, "now", lambda: story.at)
    (media,) = story.call.captures
    guard = CaptureWatch(story.board, cast(Performer, Stopping()))
    for stranger in range(100):
        guard.feed({"type": "RecordingFinished", "recording": {"name": f"voicemail/{stranger}-in"}})
    guard.feed({"type": "RecordingFinished", "recording": {"name": START.spool_in}})
    for name in (START.spool_in, START.spool_out):
        guard.feed({"type": "RecordingFinished", "recording": {"name": name.replace(MEDIA, media)}})
    assert guard._ended == {}
    await asyncio.sleep(0.01)
    assert [segment[3] for segment in story.segments()] == ["Asterisk ended the recording"]
