"""Which groups we bridge, and whom they ring: read out of the rulebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pbx_plugin.domain.bridging import Bridging
from pbx_plugin.domain.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Agent:
    """A user of a group, and the phones that ring for them."""

    user_id: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A group that we bridge: its settings, and who is rung, in the company's order."""

    group_id: str
    bridging: Bridging
    agents: tuple[Agent, ...]


Plans = Mapping[str, Plan]
"""The groups that we bridge, by id."""


def plans_of(rules: Rulebook) -> dict[str, Plan]:
    """Return the groups that are set to be bridged; users without a phone are left out."""
    users = {user.id: Agent(user.id, user.devices) for user in rules.users if user.devices}
    members = sorted(rules.members, key=lambda member: member.position)
    return {
        group.id: Plan(
            group.id,
            group.bridging,
            tuple(users[m.user_id] for m in members if m.group_id == group.id and m.user_id in users),
        )
        for group in rules.groups
        if group.bridging.on
    }
