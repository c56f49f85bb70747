"""Reads from Asterisk's lists what there is of our hunts: who waits, which phones ring, who is in which bridge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pbx_plugin.asterisk.ari_events import device_of
from pbx_plugin.domain.hunt_events import FoundCall, FoundLeg
from pbx_plugin.domain.hunt_state import LEG_PREFIX, bridge_name, hunt_of

Json = dict[str, Any]


def group_of(channel: Json, app: str) -> str | None:
    """Return the group whose caller a channel is: what ``Stasis(app,group)`` says; None where it is nobody's."""
    plan = channel.get("dialplan", {})
    if plan.get("app_name") != "Stasis" or hunt_of(channel["id"]):
        return None
    name, _, group_id = str(plan.get("app_data", "")).partition(",")
    return group_id if name == app and group_id else None


def members_of(bridges: list[Json]) -> dict[str, tuple[str, ...]]:
    """Return who is in each of our bridges, by hunt."""
    ours = (bridge for bridge in bridges if str(bridge["id"]).startswith(LEG_PREFIX))
    return {str(b["id"]).removeprefix(LEG_PREFIX): tuple(map(str, b.get("channels", ()))) for b in ours}


def found_calls(channels: list[Json], members: dict[str, tuple[str, ...]], app: str) -> Iterator[FoundCall]:
    """Yield every hunt of which anything is left, the longest waiting caller first."""
    where = {channel: hunt for hunt, inside in members.items() for channel in inside}
    callers: dict[str, tuple[str, str]] = {}
    legs: defaultdict[str, list[FoundLeg]] = defaultdict(list)
    for channel in sorted(channels, key=lambda one: str(one.get("creationtime", ""))):
        channel_id = str(channel["id"])
        hunt = hunt_of(channel_id)
        group_id = group_of(channel, app)
        if hunt:
            joined = where.get(channel_id) == hunt
            legs[hunt].append(FoundLeg(channel_id, device_of(channel["name"]), channel["state"] == "Up", joined))
        elif group_id is not None:
            callers[where.get(channel_id, channel_id)] = channel_id, group_id
    for hunt in dict.fromkeys([*callers, *legs, *members]):
        caller, group_id = callers.get(hunt, ("", ""))
        yield FoundCall(hunt, caller, group_id, len(members.get(hunt, ())), tuple(legs[hunt]))


def bridge_hunt(bridge: Json) -> str:
    """Return the hunt that a bridge was made for, empty when it is none of ours."""
    name = str(bridge["id"])
    return name.removeprefix(LEG_PREFIX) if name == bridge_name(name.removeprefix(LEG_PREFIX)) else ""
