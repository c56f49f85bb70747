"""Signing in, as rules: what a password must be, how long things last, how failures slow down whoever fails.

A company's :class:`Rules` may be changed at any time and hold from then on. Two of them go against today's guidance
(NIST SP 800-63B): passwords that run out, and what signs a password must have. They are here because companies are
asked for them by their own rules, and each can be switched off.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pbx_plugin.domain.access import Role

LONGEST_PASSWORD = 256
"""Characters; hashing an endless one would be work that anybody could give us."""


class LinkPurpose(StrEnum):
    """What a one-time link is for; both end in a password being set."""

    INVITATION = "invitation"
    RESET = "reset"


class Stage(StrEnum):
    """What a session waits for. Only an ``open`` one shows anything of the company."""

    SECOND_FACTOR = "second factor"
    PASSWORD = "password"  # noqa: S105  (the name of a stage)
    SET_UP_FACTOR = "set up second factor"
    TERMS = "terms"
    OPEN = "open"


class Flaw(StrEnum):
    """What is wrong with a password that somebody wants to have."""

    SHORT = "short"
    LONG = "long"
    LOWER = "lower"
    UPPER = "upper"
    DIGIT = "digit"
    SPECIAL = "special"
    USED = "used"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a company asks of those who sign in. A number of 0 switches its rule off, where the rule can be off.

    ``length`` counts characters. ``rotate_days`` is after how long a new password is asked for, ``history`` how many of
    the last ones are not taken again. ``idle_minutes`` and ``session_hours`` end a session that nobody uses, and any;
    for somebody who stays signed in ``keep_days`` takes the place of both, 0 forbids it. ``factor_roles`` must have a
    second factor. Up to ``free_failures`` wrong passwords cost nothing, then each makes the next wait longer, up to
    ``longest_wait_minutes``.
    """

    length: int = 8
    lower: bool = True
    upper: bool = True
    digit: bool = True
    special: bool = True
    rotate_days: int = 100
    history: int = 10
    change_on_first: bool = True
    confirm_by_mail: bool = True
    invitation_hours: int = 72
    reset_minutes: int = 60
    idle_minutes: int = 30
    session_hours: int = 12
    keep_days: int = 30
    factor_roles: frozenset[Role] = frozenset()
    free_failures: int = 5
    longest_wait_minutes: int = 15
