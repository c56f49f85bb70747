"""How long a recording is kept, and how hard the outside is told: what is said of a rule goes before the company's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import Announce, PolicyVersion, announce_for, weaker_announcements
from pbx_plugin.domain.retention import days_of, expiry

START = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
TODAY = START.date()
HARD, BEST, NONE = Announce.OR_DO_NOT_RECORD, Announce.BEST_EFFORT, Announce.NONE
IN, OUT = Direction.INCOMING, Direction.OUTGOING


@pytest.mark.parametrize(
    ("department", "rule", "days"),
    [("", 10, 90), ("sales", 10, 30), ("legal", 10, 365), ("", 7, 180), ("sales", 7, 30), ("legal", 7, 180)],
)
def test_the_shorter_of_what_is_said_of_rule_and_department_holds(department: str, rule: int, days: int) -> None:
    policy = PolicyVersion(
        "t", retention_days=90, retention_departments={"sales": 30, "legal": 365}, retention_rules={7: 180}
    )
    assert days_of(policy, department, rule) == days


def test_undefined_is_a_department_too() -> None:
    assert days_of(PolicyVersion("t", retention_departments={"": 14}), "", 11) == 14


def test_a_recording_goes_its_days_after_it_began() -> None:
    assert expiry(START, 7, None, TODAY) == datetime(2025, 3, 21, 9, 30, tzinfo=UTC)


def test_a_shorter_time_takes_nothing_before_tomorrow() -> None:
    assert expiry(START, 7, None, date(2025, 5, 1)) == datetime(2025, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize("today", [TODAY, date(2025, 5, 1)])
def test_never_longer_than_the_caller_was_told(today: date) -> None:
    assert expiry(START, 365, 14, today) == START + timedelta(days=14)


def test_a_caller_who_was_told_more_does_not_lengthen_it() -> None:
    assert expiry(START, 30, 365, TODAY) == START + timedelta(days=30)
    assert expiry(START, 30, 0, TODAY) == START + timedelta(days=30)


@given(st.integers(7, 365), st.none() | st.integers(1, 365), st.integers(0, 800))
def test_every_expiry_keeps_its_limits(days: int, told: int | None, later: int) -> None:
    today = TODAY + timedelta(days=later)
    goes = expiry(START, days, told, today)
    if told is not None:
        assert goes <= START + timedelta(days=told)
    else:
        assert goes.date() > today
        assert goes >= START + timedelta(days=days)


@pytest.mark.parametrize(
    ("rules", "directions", "rule", "direction", "how"),
    [
        ({}, {}, 10, IN, HARD),
        ({7: NONE}, {}, 7, IN, NONE),
        ({7: NONE}, {}, 8, IN, HARD),
        ({}, {OUT: BEST}, 10, OUT, BEST),
        ({}, {OUT: BEST}, 10, IN, HARD),
        ({7: NONE}, {IN: BEST}, 7, IN, BEST),
        ({7: BEST}, {IN: NONE}, 7, IN, BEST),
        ({7: HARD}, {IN: NONE}, 7, IN, HARD),
    ],
)
def test_the_harder_of_what_is_said_of_rule_and_direction_holds(
    rules: dict[int, Announce], directions: dict[Direction, Announce], rule: int, direction: Direction, how: Announce
) -> None:
    policy = PolicyVersion("t", announce_rules=rules, announce_directions=directions)
    assert announce_for(policy, rule, direction) is how


def test_what_is_said_of_a_rule_may_be_harder_than_the_company() -> None:
    policy = PolicyVersion("t", announce=NONE, announce_rules={10: HARD}, announce_directions={OUT: BEST})
    assert [announce_for(policy, *asked) for asked in ((10, IN), (11, IN), (11, OUT), (10, OUT))] == [
        HARD, NONE, BEST, HARD,
    ]  # fmt: skip


def test_a_weakening_is_found_wherever_it_hides() -> None:
    hard = PolicyVersion("t")
    assert weaker_announcements(hard, hard) == []
    assert len(weaker_announcements(hard, replace(hard, announce=BEST))) == 12
    assert weaker_announcements(hard, replace(hard, announce_rules={7: NONE})) == [(7, IN, NONE), (7, OUT, NONE)]
    assert len(weaker_announcements(hard, replace(hard, announce_directions={OUT: NONE}))) == 6
    assert weaker_announcements(replace(hard, announce=NONE), hard) == []
    # Taking out what a rule had harder is a weakening, though the company's own word has not changed.
    soft = replace(hard, announce=BEST)
    assert weaker_announcements(replace(soft, announce_rules={12: HARD}), soft) == [(12, IN, BEST), (12, OUT, BEST)]
