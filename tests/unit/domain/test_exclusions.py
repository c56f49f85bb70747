"""The excluded list knows a person by any number, by a prefix, and as a user."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decision_builder import AT, a_colleague, a_user, inside

from pbx_plugin.domain.call import Number, Party, User
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.numbers import parse_number
from pbx_plugin.domain.policy import Exclusion


def found(who: Party | User | Number, *exclusions: Exclusion, country: str = "DK") -> str:
    exclusion = ExclusionIndex.build(exclusions, AT).match(who, country)
    return exclusion.id if exclusion else ""


@pytest.mark.parametrize("typed", ["+4531200118", "31200118", "31 20 01 18", "0045 31200118", "sip:+4531200118@pbx"])
@pytest.mark.parametrize("shown", ["31200118", "+4531200118", "4531200118", "004531200118"])
def test_a_number_in_any_spelling_typed_and_shown(typed: str, shown: str) -> None:
    assert found(parse_number(shown, "DK"), Exclusion("x", typed)) == "x"
    assert found(Number(shown), Exclusion("x", typed)) == "x"


def test_another_number_is_not_excluded() -> None:
    exclusion = Exclusion("x", "+4531200118")
    assert found(parse_number("31200119", "DK"), exclusion) == ""
    assert found(parse_number("312001181", "DK"), exclusion) == ""
    assert found(Number("anonymous"), exclusion) == ""
    assert found(Number(), exclusion) == ""


def test_hidden_numbers_can_be_excluded() -> None:
    assert found(Number("Anonymous"), Exclusion("x", "anonymous")) == "x"


@pytest.mark.parametrize("prefix", ["+4531", "004531", "31", "3120"])
def test_a_prefix_bars_all_numbers_that_begin_with_it(prefix: str) -> None:
    exclusion = Exclusion("p", prefix, prefix=True)
    assert found(parse_number("31200118", "DK"), exclusion) == "p"
    assert found(parse_number("32200118", "DK"), exclusion) == ""


def test_a_national_prefix_with_its_zero() -> None:
    exclusion = Exclusion("p", "0791", prefix=True)
    assert found(parse_number("+44 7911 123456", "GB"), exclusion, country="GB") == "p"
    assert found(parse_number("+44 7811 123456", "GB"), exclusion, country="GB") == ""


def test_the_most_exact_entry_is_named() -> None:
    entries = (
        Exclusion("wide", "+45", prefix=True),
        Exclusion("narrow", "+4531", prefix=True),
        Exclusion("exact", "+4531200118"),
    )
    assert found(parse_number("31200118", "DK"), *entries) == "exact"
    assert found(parse_number("31200119", "DK"), *entries) == "narrow"
    assert found(parse_number("40506070", "DK"), *entries) == "wide"


def test_a_user_is_barred_by_being_picked_by_extension_and_by_direct_number() -> None:
    bo = a_colleague(ddi="+4533440102")
    for exclusion in (Exclusion("x", user_id="bo"), Exclusion("x", "102"), Exclusion("x", "33440102")):
        assert found(bo, exclusion) == "x"
        assert found(inside(bo), exclusion) == "x"
        assert found(a_user(), exclusion) == ""
    assert found(Party(Number("31200118"), bo), Exclusion("x", "+4531200118")) == "x"


def test_a_user_without_numbers_is_not_barred_by_an_entry_without_one() -> None:
    assert found(a_user(extension="", id="nobody"), Exclusion("x"), Exclusion("p", prefix=True)) == ""


def test_an_empty_prefix_bars_nobody() -> None:
    assert found(parse_number("31200118", "DK"), Exclusion("p", prefix=True), Exclusion("q", " ", prefix=True)) == ""


def test_an_entry_is_over_at_the_moment_it_expires() -> None:
    number = parse_number("31200118", "DK")
    assert found(number, Exclusion("x", number.e164, expires_at=AT)) == ""
    assert found(number, Exclusion("x", number.e164, expires_at=AT - timedelta(days=1))) == ""
    assert found(number, Exclusion("x", number.e164, expires_at=AT + timedelta(seconds=1))) == "x"


def test_an_expired_entry_does_not_hide_a_living_one() -> None:
    number = parse_number("31200118", "DK")
    old, new = Exclusion("old", number.e164, expires_at=AT), Exclusion("new", number.e164)
    assert found(number, old, new) == "new"


def test_an_entry_with_number_and_user_bars_both() -> None:
    both = Exclusion("x", "+4531200118", user_id="bo")
    assert found(a_colleague(), both) == found(parse_number("31200118", "DK"), both) == "x"
