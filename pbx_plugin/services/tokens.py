"""Tokens: the keys by which other programs work on one company, and what each may do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pbx_plugin.services import numbering
from pbx_plugin.services.directory import RefusedError

PREFIX = "pbxp_"
"""How every token begins, so that scanners for leaked secrets can know one."""


LONGEST_NAME = 100


class Scope(StrEnum):
    """A right that a token may have. There is none that leads out of the token's own company."""

    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    GROUPS_READ = "groups:read"
    GROUPS_WRITE = "groups:write"
    NUMBERS_READ = "numbers:read"
    NUMBERS_WRITE = "numbers:write"
    EXCLUSIONS_READ = "exclusions:read"
    EXCLUSIONS_WRITE = "exclusions:write"
    POLICY_READ = "policy:read"
    POLICY_DRAFT = "policy:draft"
    POLICY_APPLY = "policy:apply"
    CALLS_READ = "calls:read"
    RECORDINGS_READ = "recordings:read"
    RECORDINGS_DELETE = "recordings:delete"
    AUDIO_READ = "audio:read"
    TAGS_WRITE = "tags:write"
    NOTES_WRITE = "notes:write"
    LIVE_TOGGLE = "live:toggle"
    LIVE_PAUSE = "live:pause"
    LIVE_WITHDRAW = "live:withdraw"
    RECEIPTS_READ = "receipts:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    RECORDING_GROUPS_READ = "recording-groups:read"
    RECORDING_GROUPS_WRITE = "recording-groups:write"
    IMPORTS_READ = "imports:read"
    IMPORTS_WRITE = "imports:write"
    AUDIT_READ = "audit:read"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: never the secret itself. ``used_at`` is exact to a minute. Times are UTC."""

    id: str
    tenant_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    used_from: str = ""

    def alive(self, at: datetime) -> bool:
        """Tell whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def digest(secret: str) -> str:
    """Return what is kept of a token. It has 256 random bits: a slow hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def chosen(words: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes that were typed, each once, in their own order. Raises RefusedError for unknown ones."""
    wanted = set(words)
    known = [scope.value for scope in Scope]
    for word in sorted(wanted):
        if word not in known:
            raise RefusedError(f"no scope {word!r}: one of {', '.join(known)}")
    if not wanted:
        raise RefusedError("a token without scopes opens nothing: give at least one, such as calls:read")
    return tuple(scope for scope in known if scope in wanted)


def checked_name(text: str, others: Sequence[Token]) -> str:
    """Return a token's name, by which the audit calls it. Raises RefusedError when a living one has it."""
    name = numbering.clean_name(text, "the token's name", LONGEST_NAME)
    if any(name == other.name and other.revoked_at is None for other in others):
        raise RefusedError(f"token {name!r} is there already: revoke it first, or choose another name")
    return name
