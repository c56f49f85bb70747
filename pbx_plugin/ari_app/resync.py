"""Works out what happened while nobody listened: the difference between what we knew and what Asterisk has now.

The answer is ordinary happenings, so that a restart takes the same way through the domain as a live event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pbx_plugin.asterisk.ari_events import appeared, is_ours, marks_seen
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import CallState

Json = dict[str, Any]


def missed(
    calls: Iterable[CallState],
    channels: list[Json],
    bridges: list[Json],
    at: datetime,
    deaf_since: datetime | None = None,
) -> Iterator[h.Happening]:
    """Yield what must have happened: legs gone, legs new, bridges left and entered, marks as they are now.

    ``at`` is the time of looking: what was missed happened at some moment before it, which nobody can tell, but after
    ``deaf_since``, when Asterisk was last heard (None where it never was).
    """
    real = {channel["id"]: channel for channel in channels if not is_ours(channel)}
    where = {
        channel_id: bridge for bridge in bridges for channel_id in bridge.get("channels", ()) if channel_id in real
    }
    known = {channel: leg for call in calls for channel, leg in call.legs.items()}
    for channel_id in known.keys() - real.keys():
        yield h.LegGone(at, channel_id, "hung up while the recorder was away", deaf_since)
    for channel_id, channel in sorted(real.items(), key=lambda item: str(item[1].get("creationtime", ""))):
        yield appeared(channel, at)
        yield marks_seen(channel, at)
        bridge = where.get(channel_id)
        leg = known.get(channel_id)
        if leg is not None and leg.bridge and (bridge is None or bridge["id"] != leg.bridge):
            yield h.LegLeft(at, channel_id, leg.bridge, deaf_since)
    for channel_id, bridge in where.items():
        holding = bridge.get("technology") == "holding_bridge" or bridge.get("bridge_type") == "holding"
        yield h.LegJoined(at, channel_id, bridge["id"], not holding, _talking_since(bridge, deaf_since))


def _talking_since(bridge: Json, deaf_since: datetime | None) -> datetime | None:
    """Return from when on a bridge's conversation went unheard: since it was made, if that was later."""
    made = bridge.get("creationtime")
    return max(deaf_since, datetime.fromisoformat(made)) if deaf_since and made else deaf_since
