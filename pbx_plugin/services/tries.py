"""Counting tries before they are made, so that guessing gets slower however many guess at once.

A try is written down first and taken back when it succeeds: neither a restart nor a hundred requests in the same
moment give anybody more of them. What is counted lies in the database, by digests.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pbx_plugin.domain.signing import (
    ADDRESS_FREE_FAILURES,
    ADDRESS_LONGEST_WAIT,
    FORGOTTEN_AFTER,
    Rules,
    wait_after,
)
from pbx_plugin.services.account_records import Accounts, AccountStore, Waiting, token_digest

RACES = 50
"""How often a try is counted anew when others count at the same moment; then it has to wait."""

MAILS_FREE = 3
MAILS_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Counter:
    """Something of which failures are counted, and how patient we are with it."""

    key: str
    tenant_id: str
    free: int
    longest: timedelta


class _QuickerError(Exception):
    """Somebody else counted in the same moment: look again."""


def of_address(address: str) -> Counter:
    """Return what is counted for a visitor's address; for IPv6 their network of 64 bits, which is one customer's."""
    text = address
    with suppress(ValueError):
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(parsed, ipaddress.IPv6Address):
            mapped = parsed.ipv4_mapped
            text = str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return Counter(token_digest(f"address {text}"), "", ADDRESS_FREE_FAILURES, ADDRESS_LONGEST_WAIT)


def by_rules(key: str, tenant_id: str, rules: Rules) -> Counter:
    """Return what is counted under a key as the company's rules say."""
    return Counter(key, tenant_id, rules.free_failures, timedelta(minutes=rules.longest_wait_minutes))


def of_mails(tenant_id: str, email_key: str) -> Counter:
    """Return what is counted so that nobody can fill somebody's mail box."""
    return Counter(token_digest(f"mail {tenant_id} {email_key}"), tenant_id, MAILS_FREE, MAILS_LONGEST_WAIT)


def take(accounts: Accounts, at: datetime, *counters: Counter) -> tuple[timedelta, ...]:
    """Count one try of each, and return how long each would have had to wait (zero: go on).

    Where the first has to wait the others are not counted. What has to wait is not counted again: waiting ends.
    """
    for _ in range(RACES):
        with suppress(_QuickerError), accounts.writing() as store:
            waits: list[timedelta] = []
            for counter in counters:
                waits.append(_take(store, at, counter))
                if waits[0]:
                    break
            return (*waits, *(waits[0] for _ in counters[len(waits) :]))
    return tuple(counter.longest for counter in counters)


def give_back(store: AccountStore, at: datetime, counter: Counter) -> None:
    """Take a try back that was none: it succeeded, and says nothing about the others."""
    seen = store.waiting(counter.key)
    if seen is None:
        return
    if seen.failures <= 1:
        store.forget_tries(counter.key)
    else:
        store.take_try(counter.key, counter.tenant_id, Waiting(seen.failures - 1, seen.last_at, at), seen)


def _take(store: AccountStore, at: datetime, counter: Counter) -> timedelta:
    seen = store.waiting(counter.key)
    failures = 0
    if seen is not None and at < seen.last_at + FORGOTTEN_AFTER:
        # A clock that was set back must not let anybody wait for hours that have passed already.
        if seen.last_at <= at < seen.until:
            return seen.until - at
        failures = seen.failures
    failures += 1
    now = Waiting(failures, at, at + wait_after(failures, counter.free, counter.longest))
    if not store.take_try(counter.key, counter.tenant_id, now, seen):
        raise _QuickerError
    return timedelta(0)
