"""What a policy document says of telling the company's own people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import PolicyVersion
from pbx_plugin.services.policy_words import one_of, texts

KEYS = frozenset({"announce_user"})


def telling_words(policy: PolicyVersion) -> dict[str, Any]:
    """Return these settings as they stand in a document."""
    return {"announce_user": [direction.value for direction in Direction if direction in policy.announce_user]}


def read_telling(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return these settings as the policy's fields. Raises RefusedError naming the value that cannot be."""
    directions = texts(document.get("announce_user", []), "announce_user", 'such as ["incoming"]')
    return {"announce_user": frozenset(one_of(Direction, direction, "announce_user") for direction in directions)}
