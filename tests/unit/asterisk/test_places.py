"""Whether a place exists in a dialplan as Asterisk lists it."""

from __future__ import annotations

import pytest

from pbx_plugin.asterisk.places import Listing, includes, is_there


def listing(*extensions: str, include: tuple[str, ...] = ()) -> Listing:
    """A context as ShowDialPlan lists it; ``s/2`` is extension s with two priorities."""
    told: list[dict[str, str]] = [{"Response": "Success"}]
    for one in extensions:
        name, _, steps = one.partition("/")
        told += [{"Context": "c", "Extension": name, "Priority": str(at + 1)} for at in range(int(steps or "1"))]
    return told + [{"Context": "c", "IncludeContext": name} for name in include]


@pytest.mark.parametrize(
    ("names", "extension", "priority"),
    [
        (("s/2",), "s", 2),
        (("_X.",), "31", 1),
        (("_2XX",), "201", 1),
        (("_NZ[3-5]!",), "214", 1),
        (("_[13-5]0",), "40", 1),
        (("_ask-.",), "ask-5", 1),
        (("_x!",), "5", 1),
        (("101", "_1XX/3"), "102", 3),
    ],
)
def test_a_place_that_asterisk_would_find_is_there(names: tuple[str, ...], extension: str, priority: int) -> None:
    assert is_there([listing(), listing(*names)], extension, priority)


@pytest.mark.parametrize(
    ("names", "extension", "priority"),
    [
        ((), "s", 1),
        (("s",), "s", 2),
        (("t",), "s", 1),
        (("_2XX",), "20", 1),
        (("_2XX",), "2011", 1),
        (("_N",), "1", 1),
        (("_Z",), "0", 1),
        (("_X.",), "3", 1),
        (("_[",), "3", 1),
        (("_[9-1]",), "3", 1),
        # What is written out goes before a pattern, also where it has fewer steps.
        (("101", "_1XX/3"), "101", 3),
    ],
)
def test_a_place_that_asterisk_would_not_find_is_not_there(
    names: tuple[str, ...], extension: str, priority: int
) -> None:
    assert not is_there([listing(*names)], extension, priority)


def test_what_a_context_includes_is_told_without_its_hours() -> None:
    assert includes(listing("s", include=("night|18:00-08:00|*|*|*", "more,9-17,*,*,*", "all"))) == [
        "night",
        "more",
        "all",
    ]
