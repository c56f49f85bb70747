"""What a policy document says of telling the company's own people, and of the periodic beep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import BeepTo, PolicyVersion, beep_for
from pbx_plugin.services.policy_words import one_of, table, texts, whole

KEYS = frozenset({"announce_user", "beep_seconds", "beep_to", "beep_seconds_directions", "beep_to_directions"})
SHORTEST_BEEP_SECONDS = 10
LONGEST_BEEP_SECONDS = 120
NEVER = 0
_Said = TypeVar("_Said")


def telling_words(policy: PolicyVersion) -> dict[str, Any]:
    """Return these settings as they stand in a document."""
    return {
        "announce_user": [direction.value for direction in Direction if direction in policy.announce_user],
        "beep_seconds": policy.beep_seconds,
        "beep_to": policy.beep_to.value,
    }


def telling_tables(policy: PolicyVersion) -> dict[str, dict[str, Any]]:
    """Return the tables of these settings as they stand in a document."""
    seconds, hearers = policy.beep_seconds_directions, policy.beep_to_directions
    return {
        "beep_seconds_directions": {d.value: seconds[d] for d in Direction if d in seconds},
        "beep_to_directions": {d.value: hearers[d].value for d in Direction if d in hearers},
    }


def telling_notes(policy: PolicyVersion) -> dict[str, list[str]]:
    """Return for each of these tables the lines that say how things stand, as comments for an editor."""
    now = {direction: beep_for(policy, direction) for direction in Direction}
    return {
        "beep_seconds_directions": [f'"{d.value}" = {seconds}' for d, (seconds, _) in now.items()],
        "beep_to_directions": [f'"{d.value}" = "{to.value}"' for d, (_, to) in now.items()],
    }


def read_telling(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return these settings as the policy's fields. Raises RefusedError naming the value that cannot be."""
    directions = texts(document.get("announce_user", []), "announce_user", 'such as ["incoming"]')
    every, hearers = "beep_seconds_directions", "beep_to_directions"
    return {
        "announce_user": frozenset(one_of(Direction, direction, "announce_user") for direction in directions),
        "beep_seconds": _seconds(document.get("beep_seconds", NEVER), "beep_seconds"),
        "beep_to": one_of(BeepTo, document.get("beep_to", BeepTo.BOTH.value), "beep_to"),
        every: _by_direction(document, every, _seconds),
        hearers: _by_direction(document, hearers, partial(one_of, BeepTo)),
    }


def _seconds(value: object, key: str) -> int:
    if value == NEVER and not isinstance(value, bool | float):
        return NEVER
    return whole(value, key, SHORTEST_BEEP_SECONDS, LONGEST_BEEP_SECONDS)


def _by_direction(
    document: Mapping[str, Any], key: str, read: Callable[[object, str], _Said]
) -> dict[Direction, _Said]:
    said = table(document.get(key, {}), key)
    return {one_of(Direction, name, key): read(value, f"{key}.{name}") for name, value in said.items()}
