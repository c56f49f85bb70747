"""What Asterisk's events say of calls, above all where they say less than they should."""

from __future__ import annotations

from typing import Any

import pytest

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari_events import carries_marks, happenings_in, linkedid_of
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Consent

STAMP = "2026-11-22T12:00:00.000+0000"


def channel(name: str = "PJSIP/trunk-0000002a", *, number: str = "", **marks: str) -> dict[str, Any]:
    found = dict.fromkeys(variables.CHANNEL_VARIABLES, "") | {variables.LINKEDID: "1.1"} | marks
    return {"id": "1.1", "name": name, "state": "Up", "caller": {"number": number}, "channelvars": found}


def event(kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": STAMP, "channel": shown, "bridge": {"id": "B1", "technology": "simple_bridge"}}


def test_marks_come_before_what_the_event_says() -> None:
    joined = event("ChannelEnteredBridge", channel(**{variables.CONSENT: "refused"}))
    marks, happening = happenings_in(joined)
    assert isinstance(marks, h.MarksSeen)
    assert marks.carried.consent is Consent.REFUSED
    assert isinstance(happening, h.LegJoined)


def test_a_consent_word_that_we_never_wrote_counts_as_not_asked_yet() -> None:
    (marks, _) = happenings_in(event("ChannelHold", channel(**{variables.CONSENT: "yes"})))
    assert isinstance(marks, h.MarksSeen)
    assert marks.carried.consent is Consent.REQUIRED


@pytest.mark.parametrize("missing", variables.CHANNEL_VARIABLES)
def test_a_channel_that_does_not_show_every_mark_does_not_carry_them(missing: str) -> None:
    shown = channel()
    assert carries_marks(shown)
    del shown["channelvars"][missing]
    assert not carries_marks(shown)


def test_a_channel_that_shows_no_marks_takes_none_away() -> None:
    shown = channel()
    del shown["channelvars"]
    assert [type(one) for one in happenings_in(event("ChannelDestroyed", shown))] == [h.LegGone]


def test_a_new_channel_whose_marks_nobody_knows_counts_as_not_asked_yet() -> None:
    shown = channel()
    del shown["channelvars"]
    (appeared,) = happenings_in(event("ChannelCreated", shown))
    assert isinstance(appeared, h.LegAppeared)
    assert appeared.carried.consent is Consent.REQUIRED
    assert linkedid_of(shown) == "1.1"


def test_number_and_name_are_told_as_the_phone_sent_them() -> None:
    shown = channel(number="1\r\n2 \u202e") | {"caller": {"number": "1\r\n2 \u202e", "name": "\x1b[2J=x"}}
    (appeared,) = happenings_in(event("ChannelCreated", shown))
    assert isinstance(appeared, h.LegAppeared)
    assert (appeared.number, appeared.shown_name) == ("1\r\n2 \u202e", "\x1b[2J=x")
