"""The audit's chain by itself: whatever is done to a chain is found where it was done; the form never changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_plugin.domain.audit import BEGINNING, Head, Link, chained, digest_of, first_break

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_001, tzinfo=UTC)
FIRST = "169e1f54d24db3020b640f2922fa6b0276de81a7de64a4b3c4f22b7d55c34f1b"


def entry(number: int, **other: Any) -> Link:
    told: dict[str, Any] = {"actor": "Anna", "action": "did", "subject": f"thing {number}", "detail": {"n": number}}
    return Link(number, 0, f"audit-{number}", "company", NOON, **(told | other), previous="", digest="")


def chain(count: int = 6) -> tuple[list[Link], Head]:
    links = list(chained(Head(), [entry(number) for number in range(1, count + 1)]))
    return links, Head(count, links[-1].digest)


def test_the_form_of_a_digest_is_the_one_of_all_years() -> None:
    link = replace(entry(1, detail={"æ": [1, None, 2.5]}), number=1, previous=BEGINNING)
    assert digest_of(link) == FIRST
    elsewhere = replace(link, at=NOON.astimezone(timezone(timedelta(hours=1))), seq=99, digest="x")
    assert digest_of(elsewhere) == FIRST


@given(
    place=st.integers(0, 5),
    change=st.sampled_from(
        [
            {"actor": "Bo"},
            {"action": "x"},
            {"subject": "y"},
            {"detail": {}},
            {"id": "z"},
            {"previous": BEGINNING[:-1] + "1"},
        ]
    ),
)
def test_whatever_is_altered_is_found_there(place: int, change: dict[str, Any]) -> None:
    links, head = chain()
    links[place] = replace(links[place], **change)
    found = first_break("company", links, head)
    assert found is not None
    assert (found.number, found.id) == (place + 1, links[place].id)


@given(place=st.integers(0, 5))
def test_whatever_is_removed_is_missed_there(place: int) -> None:
    links, head = chain()
    del links[place]
    found = first_break("company", links, head)
    assert found is not None
    assert found.number == place + 1


def test_two_that_changed_places_are_found() -> None:
    links, head = chain()
    links[2], links[3] = replace(links[3], number=3), replace(links[2], number=4)
    found = first_break("company", links, head)
    assert found is not None
    assert found.number == 3


def test_an_empty_chain_is_whole_and_a_head_that_moved_on_is_not() -> None:
    assert first_break("company", [], Head()) is None
    assert first_break("company", [], Head(3, "ab" * 32)) is not None


@pytest.mark.parametrize("text", ["", "12", "12:abc", "x:" + "0" * 64, "1:" + "G" * 64])
def test_a_head_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no head"):
        Head.parse(text)
