"""What the doctor says of one thing: how it is, what is wrong, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``mend`` is empty where nothing needs to be done."""

    name: str
    health: Health
    what: str
    mend: str = ""


def ok(name: str, what: str) -> Check:
    """Return a check that found all well."""
    return Check(name, Health.OK, what)


def warn(name: str, what: str, mend: str) -> Check:
    """Return a check that found something to look at; recording works."""
    return Check(name, Health.WARN, what, mend)


def fail(name: str, what: str, mend: str) -> Check:
    """Return a check that found something broken."""
    return Check(name, Health.FAIL, what, mend)
