"""Counting tries: before they are looked at, anew when somebody was quicker, and never for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from pbx_plugin.services import tries
from pbx_plugin.services.account_records import Accounts, AccountStore, Waiting
from pbx_plugin.services.tries import RACES, Counter, give_back, of_address, take

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE = Counter("one", "acme", 3, timedelta(minutes=15))
TWO = Counter("two", "acme", 3, timedelta(minutes=1))


class Kept:
    """What the tables would keep; ``losing`` counts are lost to somebody who is quicker."""

    def __init__(self, losing: int = 0) -> None:
        self.counts: dict[str, Waiting] = {}
        self.losing = losing
        self.tried = 0

    def waiting(self, key: str) -> Waiting | None:
        return self.counts.get(key)

    def take_try(self, key: str, tenant_id: str, waiting: Waiting, seen: Waiting | None) -> bool:
        self.tried += 1
        if self.losing:
            self.losing -= 1
            return False
        assert self.counts.get(key) == seen
        self.counts[key] = waiting
        return True

    def forget_tries(self, key: str) -> None:
        self.counts.pop(key, None)

    @contextmanager
    def writing(self) -> Iterator[Any]:
        yield self

    @property
    def accounts(self) -> Accounts:
        return cast("Accounts", self)

    @property
    def store(self) -> AccountStore:
        return cast("AccountStore", self)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_try_is_counted_before_anything_is_known_of_it() -> None:
    kept = Kept()
    for number in range(3):
        assert take(kept.accounts, after(number), ONE) == (timedelta(0),)
        assert kept.counts["one"].failures == number + 1
    assert take(kept.accounts, after(3), ONE) == (timedelta(seconds=14),)
    assert kept.counts["one"].failures == 3


def test_who_was_not_quickest_counts_anew_and_in_the_end_waits() -> None:
    kept = Kept(losing=2)
    assert take(kept.accounts, NOON, ONE) == (timedelta(0),)
    assert kept.tried == 3
    kept = Kept(losing=10**6)
    assert take(kept.accounts, NOON, ONE, TWO) == (ONE.longest, TWO.longest)
    assert kept.tried == RACES


def test_where_the_first_has_to_wait_the_second_is_not_counted() -> None:
    kept = Kept()
    for _ in range(3):
        take(kept.accounts, NOON, ONE)
    assert take(kept.accounts, NOON, ONE, TWO) == (timedelta(seconds=15), timedelta(seconds=15))
    assert "two" not in kept.counts


def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_it() -> None:
    kept = Kept()
    for _ in range(3):
        take(kept.accounts, after(3600), ONE)
    assert take(kept.accounts, NOON, ONE) == (timedelta(0),)


def test_a_day_without_failures_forgets_them() -> None:
    kept = Kept()
    for _ in range(3):
        take(kept.accounts, NOON, ONE)
    take(kept.accounts, after(24 * 3600), ONE)
    assert kept.counts["one"].failures == 1


def test_what_succeeded_takes_back_its_own_try_and_no_other() -> None:
    kept = Kept()
    for _ in range(3):
        take(kept.accounts, NOON, ONE)
    give_back(kept.store, after(1), ONE)
    assert kept.counts["one"] == Waiting(2, NOON, after(1))
    give_back(kept.store, after(1), ONE)
    give_back(kept.store, after(1), ONE)
    give_back(kept.store, after(1), ONE)
    assert kept.counts == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("not an address", "not an address", True),
        ("", "192.0.2.1", False),
    ],
)
def test_an_address_is_its_owners_network(one: str, other: str, same: bool) -> None:
    assert (of_address(one) == of_address(other)) is same
    assert len(of_address(one).key) == 64


def test_what_is_counted_is_kept_by_digest() -> None:
    assert "192.0.2.1" not in of_address("192.0.2.1").key
    assert "anna" not in tries.of_mails("acme", "anna@acme.dk").key
