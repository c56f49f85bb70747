"""Our code among a user's keys, told key by key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.digits import press


def typed(keys: str, code: str = "4") -> tuple[str, int, bool]:
    """What the other side hears, how often our code was complete, whether a star still waits."""
    heard, ours, waits = "", 0, False
    for key in keys:
        result = press(waits, key, code)
        heard, ours, waits = heard + result.pass_on, ours + bool(result.ours), result.star_waits
    return heard, ours, waits


@pytest.mark.parametrize(
    ("keys", "heard", "ours", "waits"),
    [
        ("1", "1", 0, False),
        ("4", "4", 0, False),
        ("*", "", 0, True),
        ("*4", "", 1, False),
        ("*5", "*5", 0, False),
        ("**", "*", 0, True),
        ("**4", "*", 1, False),
        ("*4*4", "", 2, False),
        ("*44", "4", 1, False),
        ("1*2#*49", "1*2#9", 1, False),
    ],
)
def test_only_our_code_is_kept_from_the_other_side(keys: str, heard: str, ours: int, waits: bool) -> None:
    assert typed(keys) == (heard, ours, waits)


def test_the_code_is_the_sites_own() -> None:
    assert typed("*4*7", "7") == ("*4", 1, False)


def test_each_of_several_codes_is_told_apart() -> None:
    assert [press(True, key, {"4", "5", "6"}).ours for key in "4567*"] == ["4", "5", "6", "", ""]


@given(st.text("0123456789*#ABCD", max_size=30))
def test_every_key_is_heard_once_or_belongs_to_a_code(keys: str) -> None:
    heard, ours, waits = typed(keys)
    assert len(heard) + 2 * ours + waits == len(keys)
    assert heard + "*" * waits == keys.replace("*4", "")
