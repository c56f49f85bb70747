"""The excluded list: numbers, prefixes and users that are never recorded. Changes act at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pbx_plugin.domain.numbers import number_key
from pbx_plugin.domain.policy import Exclusion
from pbx_plugin.services import numbering, people
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError

SHORTEST_PREFIX = 3
LONGEST_REASON = 500


def add(
    desk: Desk,
    *,
    number: str = "",
    prefix: bool = False,
    user: str = "",
    reason: str = "",
    expires_at: datetime | None = None,
) -> Exclusion:
    """Exclude a number (any spelling), all numbers that begin so, or a user. Repeating it changes nothing.

    Excluding again with another reason or expiry changes those. Raises RefusedError when it is neither or both, when
    the number is none, or the expiry (UTC) is past.
    """
    if bool(number) == bool(user):
        raise RefusedError("exclude either a number or, with --user, one of the users")
    if expires_at is not None and expires_at <= desk.at:
        raise RefusedError(f"expiry {expires_at.isoformat()} is past: give a later date, or none")
    clean_reason(reason)
    if user:
        pattern, prefix, user_id = "", False, people.find(desk, user).id
    else:
        pattern, user_id = clean_pattern(desk, number, prefix=prefix), ""
    for old in desk.directory.exclusions(desk.tenant.id):
        if (old.pattern, old.prefix, old.user_id) == (pattern, prefix, user_id):
            wanted = replace(old, reason=reason or old.reason, expires_at=expires_at)
            break
    else:
        old = None
        wanted = Exclusion(desk.new_id(), pattern, prefix, user_id, reason, expires_at)
    if wanted != old:
        desk.directory.save_exclusion(desk.tenant.id, wanted, author=desk.actor, at=desk.at)
        expiry = expires_at.isoformat() if expires_at else None
        detail = {"pattern": pattern, "prefix": prefix, "user": user_id, "reason": wanted.reason, "expires": expiry}
        desk.note("exclusion changed" if old else "exclusion added", wanted.id, **detail)
    return wanted


def remove(desk: Desk, who: str, *, prefix: bool = False, user: bool = False) -> Exclusion:
    """Take an exclusion back, by number (any spelling), by user or by id. Raises RefusedError when there is none."""
    exclusions = desk.directory.exclusions(desk.tenant.id)
    found = [e for e in exclusions if e.id == who]
    if not found and user:
        identity = people.find(desk, who).id
        found = [e for e in exclusions if e.user_id == identity]
    elif not found:
        pattern = clean_pattern(desk, who, prefix=prefix)
        found = [e for e in exclusions if not e.user_id and e.pattern == pattern and e.prefix == prefix]
    if not found:
        raise RefusedError(f"{who!r} is not on the excluded list: see 'pbx-plugin exclude list'")
    desk.directory.delete_exclusion(desk.tenant.id, found[0], author=desk.actor, at=desk.at)
    detail = {"pattern": found[0].pattern, "prefix": found[0].prefix, "user": found[0].user_id}
    desk.note("exclusion removed", found[0].id, **detail)
    return found[0]


def clean_reason(text: str) -> str:
    """Return why somebody is excluded. Raises RefusedError when it is endless or no text."""
    return numbering.clean_words(text, "the reason", LONGEST_REASON)


def clean_pattern(desk: Desk, text: str, *, prefix: bool) -> str:
    """Return a number or the beginning of one as the excluded list keeps it. Raises RefusedError for what is none."""
    if not prefix:
        return numbering.outside_number(text, desk.tenant)
    bare = number_key(text)
    if not bare.removeprefix("+").isdecimal() or not bare.isascii():
        raise RefusedError(f"prefix {text!r} is not the beginning of a number: write it as +45312")
    if len(bare.removeprefix("+")) < SHORTEST_PREFIX:
        raise RefusedError(
            f"prefix {text!r} is too short: at least {SHORTEST_PREFIX} digits, so that it means few callers"
        )
    return bare
