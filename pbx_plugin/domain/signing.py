"""Signing in, as rules: what a password must be, how long things last, how failures slow down whoever fails.

A company's :class:`Rules` may be changed at any time and hold from then on. Two of them go against today's guidance
(NIST SP 800-63B): passwords that run out, and what signs a password must have. They are here because companies are
asked for them by their own rules, and each can be switched off.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

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


LIMITS: dict[str, tuple[int, int]] = {
    "length": (0, 128),
    "rotate_days": (0, 3650),
    "history": (0, 50),
    "invitation_hours": (1, 720),
    "reset_minutes": (5, 1440),
    "idle_minutes": (1, 1440),
    "session_hours": (1, 168),
    "keep_days": (0, 365),
    "free_failures": (1, 50),
    "longest_wait_minutes": (1, 1440),
}
"""The least and the most of each number of :class:`Rules`."""

FIRST_WAIT = timedelta(seconds=15)
FORGOTTEN_AFTER = timedelta(hours=24)
"""Failures are forgotten when there was none for so long."""

ADDRESS_FREE_FAILURES = 20
ADDRESS_LONGEST_WAIT = timedelta(minutes=15)
UNFINISHED = timedelta(minutes=15)
"""How long somebody has for the second factor's code, from the password on."""


class RuleError(ValueError):
    """A value that a rule cannot have: says which rule, which value, and what it can have."""


def email_key(email: str) -> str:
    """Return an e-mail address as it is compared, so that neither case nor spelling makes a second account."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).casefold())


def prepared(password: str) -> str:
    """Return a password as it is hashed: the same whatever keyboard composed its signs (NFKC, as SP 800-63B has it)."""
    return unicodedata.normalize("NFKC", password)


def flaws(password: str, rules: Rules, *, email: str = "", name: str = "") -> list[Flaw]:
    """Return everything that is wrong with a password, but for whether it was used before. Nothing is cut or trimmed.

    It may not be the address or the name, whichever rules are off; and never empty.
    """
    text = prepared(password)
    found = []
    if len(text) < max(rules.length, 1):
        found.append(Flaw.SHORT)
    if len(text) > LONGEST_PASSWORD:
        found.append(Flaw.LONG)
    if rules.lower and not any(sign.islower() for sign in text):
        found.append(Flaw.LOWER)
    if rules.upper and not any(sign.isupper() for sign in text):
        found.append(Flaw.UPPER)
    if rules.digit and not any(sign.isdecimal() for sign in text):
        found.append(Flaw.DIGIT)
    if rules.special and all(sign.isalnum() for sign in text):
        found.append(Flaw.SPECIAL)
    folded = text.casefold()
    if folded and folded in {email_key(email), email_key(email).partition("@")[0], name.strip().casefold()}:
        found.append(Flaw.NAME)
    return found


def has_run_out(password_at: datetime | None, rules: Rules, at: datetime) -> bool:
    """Whether a password is due for a new one by its age."""
    return bool(rules.rotate_days) and password_at is not None and at >= password_at + timedelta(days=rules.rotate_days)


def wait_after(failures: int, free: int, longest: timedelta) -> timedelta:
    """Return how long nothing is tried after so many failures in a row: nothing at first, then doubling."""
    if failures < free:
        return timedelta(0)
    # Beyond some doublings it is the longest wait anyway, and no number grows out of bounds.
    doublings: int = 2 ** min(failures - free, 20)
    return min(FIRST_WAIT * doublings, longest)


def session_end(at: datetime, rules: Rules, *, keep: bool) -> datetime:
    """Return when a session that begins now ends, however much it is used."""
    return at + (timedelta(days=rules.keep_days) if keep else timedelta(hours=rules.session_hours))


def session_alive(
    *, created_at: datetime, seen_at: datetime, ends_at: datetime, keep: bool, rules: Rules, at: datetime
) -> bool:
    """Whether a session still is one, by the rules of now: a shorter limit ends those that are longer at once."""
    if at >= min(ends_at, session_end(created_at, rules, keep=keep)):
        return False
    return keep or at < seen_at + timedelta(minutes=rules.idle_minutes)


def stage(*, code_due: bool, password_due: bool, factor_due: bool, terms_due: bool) -> Stage:
    """Return what a session waits for: who has a second factor gives it before anything else is told or changed."""
    if code_due:
        return Stage.SECOND_FACTOR
    if password_due:
        return Stage.PASSWORD
    if factor_due:
        return Stage.SET_UP_FACTOR
    return Stage.TERMS if terms_due else Stage.OPEN


def rules_from_plain(plain: dict[str, Any]) -> Rules:
    """Return the rules that were kept so; what is not named, or cannot be read any more, is as usual."""
    rules = Rules()
    for name, value in plain.items():
        try:
            rules = changed_rules(rules, {name: value})
        except RuleError:
            continue
    return rules


def plain_rules(rules: Rules) -> dict[str, Any]:
    """Return the rules as JSON-able values."""
    return {
        item.name: sorted(value) if isinstance(value, frozenset) else value
        for item in fields(rules)
        for value in (getattr(rules, item.name),)
    }


def changed_rules(rules: Rules, wanted: dict[str, Any]) -> Rules:
    """Return rules with these values set: numbers, booleans, and role names for ``factor_roles``.

    Raises RuleError for a rule or a value that there cannot be.
    """
    known = {item.name for item in fields(rules)}
    values: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in known:
            raise RuleError(f"no rule {name!r}: one of {', '.join(sorted(known))}")
        if name == "factor_roles":
            values[name] = _roles(value)
        elif name in LIMITS:
            values[name] = _number(name, value)
        elif isinstance(value, bool):
            values[name] = value
        else:
            raise RuleError(f"rule {name} is yes or no, not {value!r}")
    return replace(rules, **values)


def _number(name: str, value: object) -> int:
    least, most = LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RuleError(f"rule {name} is a whole number from {least} to {most}, not {value!r}")
    return value


def _roles(value: object) -> frozenset[Role]:
    known = [role.value for role in Role]
    if not isinstance(value, list | tuple | set | frozenset) or not all(role in known for role in value):
        raise RuleError(f"rule factor_roles is a list of roles ({', '.join(known)}), not {value!r}")
    return frozenset(Role(role) for role in value)
