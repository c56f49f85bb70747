"""The audit as a chain: each entry's digest covers the entry and the digest before it, company by company.

Whoever alters, removes, inserts or reorders an entry breaks the chain from there on. Whoever can write the whole
database could make a whole new chain: against that only helps what was written down elsewhere (:class:`Head`).
The form of the digest can never change: the digests of years are made by it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

FORMAT = "pbx-plugin audit, 1"
BEGINNING = "0" * 64
"""What stands for the digest before a company's first entry."""

_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """How far a company's chain goes: the last entry's number and digest. Written down elsewhere, it proves the past.

    Number 0 with :data:`BEGINNING` is a chain without entries.
    """

    number: int = 0
    digest: str = BEGINNING

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read what :meth:`__str__` wrote. Raises ValueError, saying what is expected."""
        found = _HEAD.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no head of an audit: it looks like 1234:5f0c… with 64 digits of a digest")
        return cls(int(found[1]), found[2])


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the audit with its place in the chain. ``seq`` is the database's own count, over all companies."""

    seq: int
    number: int
    id: str
    tenant_id: str
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain is broken first: the entry's number and id (empty where there is none), and what is wrong."""

    tenant_id: str
    number: int
    id: str
    why: str


def digest_of(link: Link) -> str:
    """Return the SHA-256 (hexadecimal) of an entry's canonical bytes; its own ``digest`` and ``seq`` are left out."""
    return hashlib.sha256(canonical(link)).hexdigest()


def canonical(link: Link) -> bytes:
    """Return the bytes that are digested: JSON with sorted keys, no blanks, ASCII only, the time in UTC to the µs."""
    told = {
        "format": FORMAT,
        "number": link.number,
        "previous": link.previous,
        "id": link.id,
        "tenant_id": link.tenant_id,
        "at": link.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": link.actor,
        "action": link.action,
        "subject": link.subject,
        "detail": link.detail,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def chained(head: Head, links: Iterable[Link]) -> Iterator[Link]:
    """Yield the entries behind ``head`` in this order, each with its number, the digest before it, and its own."""
    number, previous = head.number, head.digest
    for link in links:
        number += 1
        placed = replace(link, number=number, previous=previous)
        previous = digest_of(placed)
        yield replace(placed, digest=previous)


def first_break(tenant_id: str, links: Iterable[Link], head: Head, known: Head | None = None) -> Break | None:
    """Return where one company's chain is broken first, None when it is whole.

    ``links`` are all its entries by number, ``head`` is how far the database says that it goes, ``known`` is a head
    that was written down elsewhere before.
    """
    number, previous, seq = 0, BEGINNING, 0
    for link in links:
        why = _wrong(link, number, previous, seq)
        if not why and known is not None and known.number == link.number and known.digest != link.digest:
            why = "its digest is not the one that was written down: entries up to here were made anew"
        if why:
            # A hole is told by the number that is missing; the entry behind it may be innocent.
            missing = link.number > number + 1
            return Break(tenant_id, number + 1 if missing else link.number, "" if missing else link.id, why)
        number, previous, seq = link.number, link.digest, link.seq
    if known is not None and known.number > number:
        return Break(tenant_id, number + 1, "", f"entries up to {known.number} were written down, and they are gone")
    if head != Head(number, previous):
        if head.number > number:
            return Break(tenant_id, number + 1, "", f"removed: the chain went on to entry {head.number}")
        return Break(tenant_id, number, "", f"the chain's head says entry {head.number} is the last: it was changed")
    return None


def _wrong(link: Link, number: int, previous: str, seq: int) -> str:
    if link.number > number + 1:
        gone = f"entry {number + 1}" if link.number == number + 2 else f"entries {number + 1} to {link.number - 1}"
        return f"{gone} removed"
    if link.number <= number:
        return f"inserted: entry {link.number} is there twice"
    if link.digest != digest_of(link):
        return "altered: its digest does not fit what it says"
    if link.previous != previous:
        return "inserted or reordered: it does not follow the entry before it"
    if link.seq <= seq:
        return "reordered: it was written before the entry before it"
    return ""
