"""What a password must be, how long things last, how failures slow down whoever fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import (
    FIRST_WAIT,
    LIMITS,
    Flaw,
    RuleError,
    Rules,
    Stage,
    changed_rules,
    email_key,
    flaws,
    has_run_out,
    plain_rules,
    prepared,
    rules_from_plain,
    session_alive,
    session_end,
    stage,
    wait_after,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OFF = Rules(length=0, lower=False, upper=False, digit=False, special=False)


@pytest.mark.parametrize(
    ("password", "wrong"),
    [
        ("Secret-1", []),
        ("Secre-1", [Flaw.SHORT]),
        ("SECRET-1", [Flaw.LOWER]),
        ("secret-1", [Flaw.UPPER]),
        ("Secret-x", [Flaw.DIGIT]),
        ("Secret12", [Flaw.SPECIAL]),
        ("", [Flaw.SHORT, Flaw.LOWER, Flaw.UPPER, Flaw.DIGIT, Flaw.SPECIAL]),
        ("Æblegrød 1", []),
        ("Aa1-" * 65, [Flaw.LONG]),
    ],
)
def test_a_password_is_told_everything_that_is_wrong_with_it(password: str, wrong: list[Flaw]) -> None:
    assert flaws(password, Rules()) == wrong


@pytest.mark.parametrize(
    ("rule", "value", "password"),
    [
        ("length", 0, "Aa-1"),
        ("length", 4, "Aa-1"),
        ("lower", False, "SECRET-1"),
        ("upper", False, "secret-1"),
        ("digit", False, "Secret-x"),
        ("special", False, "Secret12"),
    ],
)
def test_each_rule_can_be_switched_off(rule: str, value: object, password: str) -> None:
    assert flaws(password, Rules()) != []
    assert flaws(password, changed_rules(Rules(), {rule: value})) == []


def test_an_empty_password_is_never_taken() -> None:
    assert flaws("", OFF) == [Flaw.SHORT]


@pytest.mark.parametrize("password", ["anna@acme.dk", "ANNA@acme.dk", "anna", "Anna Bech"])
def test_a_password_is_not_what_everybody_knows(password: str) -> None:
    assert flaws(password, OFF, email="Anna@Acme.dk", name="Anna Bech") == [Flaw.NAME]
    assert flaws("annas cat", OFF, email="Anna@Acme.dk", name="Anna Bech") == []
    assert flaws("something", OFF) == []


def test_a_password_is_the_same_from_every_keyboard() -> None:
    assert prepared("u\u0308ber") == prepared("\u00fcber")
    assert email_key(" J\u00dcRGEN@x.de ") == email_key("ju\u0308rgen@X.DE")


def test_a_password_runs_out_on_its_hundredth_day() -> None:
    assert not has_run_out(NOON, Rules(), NOON + timedelta(days=100, seconds=-1))
    assert has_run_out(NOON, Rules(), NOON + timedelta(days=100))
    assert not has_run_out(NOON, Rules(rotate_days=0), NOON + timedelta(days=9999))
    assert not has_run_out(None, Rules(), NOON)


def test_waiting_grows_from_nothing_to_its_longest() -> None:
    longest = timedelta(minutes=15)
    waits = [wait_after(failures, 5, longest) for failures in range(1, 15)]
    assert waits[:4] == [timedelta(0)] * 4
    assert waits[4:8] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, FIRST_WAIT * 8]
    assert waits[-1] == longest
    assert wait_after(10**9, 5, longest) == longest


def alive(
    seconds: float, *, seen: float = 0, keep: bool = False, rules: Rules | None = None, granted: Rules | None = None
) -> bool:
    return session_alive(
        created_at=NOON,
        seen_at=NOON + timedelta(seconds=seen),
        ends_at=session_end(NOON, granted or rules or Rules(), keep=keep),
        keep=keep,
        rules=rules or Rules(),
        at=NOON + timedelta(seconds=seconds),
    )


def test_a_session_ends_when_nobody_uses_it_and_in_any_case() -> None:
    assert alive(30 * 60 - 1)
    assert not alive(30 * 60)
    assert alive(11 * 3600, seen=11 * 3600 - 60)
    assert not alive(12 * 3600, seen=12 * 3600 - 60)


def test_who_stays_signed_in_may_be_away_for_days() -> None:
    assert alive(29 * 86400, keep=True)
    assert not alive(30 * 86400, keep=True, seen=30 * 86400 - 60)


def test_shorter_limits_hold_for_sessions_that_are_there() -> None:
    assert not alive(2 * 3600, seen=2 * 3600 - 1, rules=Rules(session_hours=1), granted=Rules())
    assert not alive(1, keep=True, rules=Rules(keep_days=0), granted=Rules())


def test_the_second_factor_comes_before_anything_else() -> None:
    due = {"code_due": True, "password_due": True, "factor_due": True, "terms_due": True}
    order = []
    for name in list(due):
        order.append(stage(**due))
        due[name] = False
    assert [*order, stage(**due)] == list(Stage)


@given(
    st.fixed_dictionaries(
        {name: st.integers(*bounds) for name, bounds in LIMITS.items()},
        optional={
            "lower": st.booleans(),
            "confirm_by_mail": st.booleans(),
            "factor_roles": st.lists(st.sampled_from(list(Role)), unique=True),
        },
    )
)
def test_rules_are_kept_as_they_were_set(wanted: dict[str, object]) -> None:
    rules = changed_rules(Rules(), wanted)
    assert rules_from_plain(plain_rules(rules)) == rules


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", -1),
        ("length", 129),
        ("length", True),
        ("length", "8"),
        ("lower", 1),
        ("factor_roles", ["boss"]),
        ("factor_roles", "superuser"),
        ("colour", 1),
        ("reset_minutes", 0),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_named(name: str, value: object) -> None:
    with pytest.raises(RuleError, match=name):
        changed_rules(Rules(), {name: value})


def test_rules_that_cannot_be_read_any_more_are_the_usual_ones() -> None:
    assert rules_from_plain({"length": "many", "colour": 3, "history": 4}) == replace(Rules(), history=4)
