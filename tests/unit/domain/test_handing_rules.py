"""What speaks against deleting, which expiry may be chosen, and what is told of a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.call_data import CallData, facts, harmless
from pbx_plugin.domain.handing import Deletable, Keeping, Obstacle, Rules, obstacle, wrong_expiry
from pbx_plugin.domain.retention import latest_expiry

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)
PLAIN = Deletable("r", "m", settled=True, deletable_by_hand=True, held=False, deleted=False, asked=False)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (PLAIN, None),
        (replace(PLAIN, deleted=True, held=True), Obstacle.DELETED),
        (replace(PLAIN, deletable_by_hand=False, held=True), Obstacle.PROTECTED),
        (replace(PLAIN, held=True, settled=False), Obstacle.HELD),
        (replace(PLAIN, settled=False), Obstacle.GOING_ON),
        (replace(PLAIN, asked=True), Obstacle.ASKED),
    ],
)
def test_the_first_thing_that_speaks_against_deleting_is_told(found: Deletable, why: Obstacle | None) -> None:
    assert obstacle(Rules(), found) is why
    assert obstacle(Rules(deleting=False), found) is (Obstacle.DELETED if found.deleted else Obstacle.FORBIDDEN)


@given(
    st.integers(-5, 400),
    st.one_of(st.none(), st.integers(1, 500)),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 400)),
)
def test_no_expiry_is_before_tomorrow_behind_what_was_told_or_shortens_a_protected_one(
    days: int, told: int | None, deletable: bool, before: int | None
) -> None:
    wanted = START + timedelta(days=days)
    expires = None if before is None else START + timedelta(days=before)
    if wrong_expiry(Keeping(START, expires, told, deletable), wanted, TODAY):
        return
    assert wanted >= datetime(2026, 11, 23, tzinfo=UTC)
    assert wanted <= latest_expiry(START, told)
    assert wanted <= START + timedelta(days=365)
    assert told is None or wanted <= START + timedelta(days=told)
    assert deletable or expires is None or wanted >= expires


def test_what_may_be_is_not_refused() -> None:
    kept = Keeping(START, START + timedelta(days=60), 60, deletable_by_hand=True)
    for wanted in (datetime(2026, 11, 23, tzinfo=UTC), START + timedelta(days=60)):
        assert wrong_expiry(kept, wanted, TODAY) == ""
    assert "deleted already" in wrong_expiry(replace(kept, deleted=True), START + timedelta(days=60), TODAY)


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        (Rules(), ""),
        (Rules(link_hours=0), "1 to 168"),
        (Rules(link_hours=200), "1 to 168"),
        (Rules(link_hours_most=721), "1 to 720"),
        (Rules(listeners_most=-1), "0 (any number)"),
    ],
)
def test_switches_that_cannot_be_used_say_which_value_and_what_to_give(rules: Rules, fault: str) -> None:
    assert fault in "; ".join(rules.faults())
    assert bool(fault) is bool(rules.faults())


@pytest.mark.parametrize("language", ["en", "da", "sv-SE", "nl", "de", "xx"])
def test_a_call_is_told_in_the_same_order_in_every_language(language: str) -> None:
    at = START.astimezone(ZoneInfo("Europe/Copenhagen"))
    told = facts(CallData(at, timedelta(seconds=3725), "Anna\r\nBcc: x", "101", "incoming", "", "+45"), language)
    values = [value for _, value in told]
    assert values[0] == "2026-11-01 13:00:00 CET"
    assert (values[1], values[2], values[5], values[6]) == ("Anna Bcc: x", "101", "+45", "1:02:05")
    assert len({name for name, _ in told}) == 7


@given(st.text())
def test_told_text_is_one_harmless_line(text: str) -> None:
    told = harmless(text)
    assert told == " ".join(told.split())
    assert all(sign.isprintable() or sign == " " or not sign.isascii() for sign in told)
