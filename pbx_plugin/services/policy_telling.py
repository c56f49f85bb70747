"""What a policy document says of telling the company's own people, and of the periodic beep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import BeepTo, PolicyVersion
from pbx_plugin.services.policy_words import one_of, texts, whole

KEYS = frozenset({"announce_user", "beep_seconds", "beep_to"})
SHORTEST_BEEP_SECONDS = 10
LONGEST_BEEP_SECONDS = 120
NEVER = 0


def telling_words(policy: PolicyVersion) -> dict[str, Any]:
    """Return these settings as they stand in a document."""
    return {
        "announce_user": [direction.value for direction in Direction if direction in policy.announce_user],
        "beep_seconds": policy.beep_seconds,
        "beep_to": policy.beep_to.value,
    }


def read_telling(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return these settings as the policy's fields. Raises RefusedError naming the value that cannot be."""
    directions = texts(document.get("announce_user", []), "announce_user", 'such as ["incoming"]')
    seconds = document.get("beep_seconds", NEVER)
    if seconds != NEVER or isinstance(seconds, bool):
        seconds = whole(seconds, "beep_seconds", SHORTEST_BEEP_SECONDS, LONGEST_BEEP_SECONDS)
    return {
        "announce_user": frozenset(one_of(Direction, direction, "announce_user") for direction in directions),
        "beep_seconds": int(seconds),
        "beep_to": one_of(BeepTo, document.get("beep_to", BeepTo.BOTH.value), "beep_to"),
    }
