"""Works out what happened while nobody listened: the difference between what we knew and what Asterisk has now.

The answer is ordinary happenings, so that a restart takes the same way through the domain as a live event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pbx_plugin.asterisk.ari_events import appeared, is_ours, linkedid_of, marks_seen
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.callstate import CallState, Phase

Json = dict[str, Any]

ON_HOLD = "CHANNEL(onhold)"
"""What Asterisk answers ``1`` to on a channel that somebody else's phone holds."""


def missed(
    calls: Iterable[CallState],
    channels: list[Json],
    bridges: list[Json],
    at: datetime,
    deaf_since: datetime | None = None,
    proven: Collection[str] = (),
    gone_at: datetime | None = None,
) -> Iterator[h.Happening]:
    """Yield what must have happened: legs gone, legs new, bridges left and entered, marks and holds as they are now.

    A channel of which :data:`ON_HOLD` was asked has the answer as a bool in ``on_hold``. ``at`` is the time of
    looking: what was missed happened at some moment before it, which nobody can tell but for the calls in ``proven``.
    ``gone_at`` is when Asterisk ended, if it did: all that is gone went with it.
    """
    watched = {channel for call in calls if call.call_id in proven for channel in call.legs}

    def unheard(channel: str) -> datetime | None:
        return None if channel in watched else deaf_since

    real = {channel["id"]: channel for channel in channels if not is_ours(channel)}
    where = {
        channel_id: bridge for bridge in bridges for channel_id in bridge.get("channels", ()) if channel_id in real
    }
    known = {channel: leg for call in calls for channel, leg in call.legs.items()}
    for channel_id in known.keys() - real.keys():
        why = "Asterisk ended" if gone_at else "hung up while the recorder was away"
        yield h.LegGone(gone_at or at, channel_id, why, unheard(channel_id))
    for channel_id, channel in sorted(real.items(), key=lambda item: str(item[1].get("creationtime", ""))):
        yield appeared(channel, at)
        yield marks_seen(channel, at)
        bridge = where.get(channel_id)
        leg = known.get(channel_id)
        if leg is not None and leg.bridge and (bridge is None or bridge["id"] != leg.bridge):
            yield h.LegLeft(at, channel_id, leg.bridge, unheard(channel_id))
    for bridge in bridges:
        yield from (h.LegHeld(at, channel_id, held) for channel_id, held in _holds(bridge, real))
    for channel_id, bridge in where.items():
        holding = bridge.get("technology") == "holding_bridge" or bridge.get("bridge_type") == "holding"
        yield h.LegJoined(at, channel_id, bridge["id"], not holding, _talking_since(bridge, unheard(channel_id), at))


def unexplained(calls: Iterable[CallState], channels: list[Json], bridges: list[Json]) -> frozenset[str]:
    """Return the calls that are not as Asterisk has them now: something happened to them that nobody told."""
    real = {channel["id"]: channel for channel in channels if not is_ours(channel)}
    where = {channel_id: bridge["id"] for bridge in bridges for channel_id in bridge.get("channels", ())}
    return frozenset(
        call.call_id
        for call in calls
        if any(channel not in real or where.get(channel, "") != leg.bridge for channel, leg in call.legs.items())
        or any(linkedid_of(one) in call.linkedids for channel, one in real.items() if channel not in call.legs)
    )


def changed_unheard(
    calls: Iterable[CallState],
    before: Mapping[str, Phase],
    deaf_since: datetime | None,
    proven: Collection[str] = (),
) -> Iterator[h.Happening]:
    """Yield captures that the call has left behind, once what was :func:`missed` has happened to it.

    ``before`` are the phases of captures before that, ``deaf_since`` is when Asterisk was last heard. Where the call
    goes on it went on, with whomever. Where all have hung up the recording ended with them if that is ``proven``; if
    not, anybody may have been on the call before they did.
    """
    if deaf_since is None:
        return
    for call in calls:
        for media, capture in call.captures.items():
            recorded = before.get(media) in (Phase.STARTING, Phase.RECORDING)
            if (call.legs or call.call_id not in proven) and recorded and capture.phase is Phase.CLOSING:
                yield h.ChangedUnheard(deaf_since, media)


def _holds(bridge: Json, real: dict[str, Json]) -> Iterator[tuple[str, bool]]:
    """Yield whether each phone in a bridge of two holds the other. Asterisk knows of the held one only."""
    inside = [real[channel_id] for channel_id in bridge.get("channels", ()) if channel_id in real]
    if len(inside) == 2:
        for holder, other in (inside, inside[::-1]):
            if "on_hold" in other and not holder["name"].startswith("Local/"):
                yield holder["id"], other["on_hold"]


def _talking_since(bridge: Json, deaf_since: datetime | None, at: datetime) -> datetime | None:
    """Return from when on a bridge's conversation went unheard: since it was made, if that was later."""
    made = bridge.get("creationtime")
    if not deaf_since or not made:
        return deaf_since
    return min(max(deaf_since, datetime.fromisoformat(made)), at)  # a clock that was set back tells of the future
