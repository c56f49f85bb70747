"""Reads the traces in ``traces/``: what a real Asterisk said of one call, and what it showed when it was asked."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari_events import channels_in, device_of, happenings_in, is_ours, time_of
from pbx_plugin.domain.happenings import Happening
from pbx_plugin.domain.rulebook import Rulebook

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "traces"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.jsonl")))
WORDS = {
    "ChannelEnteredBridge": "enter",
    "ChannelLeftBridge": "leave",
    "ChannelDestroyed": "gone",
    "ChannelHold": "hold",
    "ChannelUnhold": "unhold",
    "ChannelUserevent": "press",
}


@dataclass(frozen=True)
class Look:
    """Asterisk's channels and bridges, asked for when ``after`` events had come."""

    after: int
    at: datetime
    channels: list[Json]
    bridges: list[Json]


@dataclass(frozen=True)
class Recorded:
    """One capture of the trace: on whose leg, and at which events both sides had begun and both had ended."""

    anchor: str
    in_at: datetime
    out_at: datetime
    began: int
    ended: int


@dataclass(frozen=True)
class Told:
    """One announcement of the trace: to whom, and at which event it was over."""

    anchor: str
    over: int
    ok: bool


@dataclass(frozen=True)
class Trace:
    """One call. ``events`` are as Asterisk sent them."""

    name: str
    what: str
    asterisk_id: str
    rules: Rulebook
    events: tuple[Json, ...]
    looks: tuple[Look, ...]

    def look_from(self, index: int) -> Look:
        """Return what a recorder finds that hears events from ``index`` on: it is told of no event before its look."""
        return next(look for look in self.looks if look.after >= index)

    @cached_property
    def times(self) -> tuple[datetime, ...]:
        """Return when each event happened."""
        return tuple(time_of(event) for event in self.events)

    @cached_property
    def happenings(self) -> tuple[tuple[Happening, ...], ...]:
        """Return what each event says to the recorder."""
        return tuple(tuple(happenings_in(event)) for event in self.events)

    @cached_property
    def devices(self) -> dict[str, str]:
        """Return the name of the phone (or ``trunk``) of each real channel; the last, where it was picked up."""
        found = {c["id"]: device_of(c["name"]).removeprefix("PJSIP/") for e in self.events for c in channels_in(e)}
        return {channel: device for channel, device in found.items() if device}

    @cached_property
    def moments(self) -> dict[str, datetime]:
        """Return when what happened: ``enter 201``, ``press 211 2`` (the second), ``told 1``, ``gone trunk`` …"""
        found: dict[str, datetime] = {}
        counts: dict[str, int] = defaultdict(int)
        for event in self.events:
            channel = event.get("channel")
            if event["type"] == "PlaybackFinished" and event["playback"]["target_uri"].endswith("-tell"):
                what = "told"
            elif event["type"] in WORDS and channel and not is_ours(channel):
                what = f"{WORDS[event['type']]} {device_of(channel['name']).removeprefix('PJSIP/')}"
            else:
                continue
            counts[what] += 1
            found.setdefault(what, time_of(event))
            found[f"{what} {counts[what]}"] = time_of(event)
        return found

    @cached_property
    def recorded(self) -> tuple[Recorded, ...]:
        """Return the captures that were made in the trace, in the order in which they began."""
        spied = self._spied
        sides: dict[str, dict[str, tuple[int, datetime]]] = defaultdict(dict)
        ends: dict[str, int] = {}
        for index, event in enumerate(self.events):
            if not event["type"].startswith("Recording"):
                continue
            snoop = event["recording"]["target_uri"].removeprefix("channel:")
            media, _, side = snoop.removeprefix(variables.SNOOP_PREFIX).rpartition("-")
            if event["type"] == "RecordingStarted":
                sides[media][side] = index, time_of(event)
                sides[media]["anchor of " + spied[snoop]] = index, time_of(event)
            else:
                ends[media] = index
        found = []
        for media, side in sides.items():
            anchor = next(key.removeprefix("anchor of ") for key in side if key.startswith("anchor of "))
            began = max(side["in"][0], side["out"][0])
            found.append(Recorded(anchor, side["in"][1], side["out"][1], began, ends[media]))
        return tuple(found)

    @cached_property
    def told(self) -> tuple[Told, ...]:
        """Return the announcements that were played in the trace."""
        found = []
        for index, event in enumerate(self.events):
            if event["type"] == "PlaybackFinished" and event["playback"]["target_uri"].endswith("-tell"):
                snoop = event["playback"]["target_uri"].removeprefix("channel:")
                found.append(Told(self._spied[snoop], index, event["playback"]["state"] == "done"))
        return tuple(found)

    @cached_property
    def _spied(self) -> dict[str, str]:
        """Return whom each snoop listens to: Asterisk names it ``Snoop/CHANNEL-0000002a``."""
        shown = [event["channel"] for event in self.events if event["type"] == "ChannelCreated"]
        names = {channel["id"]: channel["name"] for channel in shown if is_ours(channel)}
        return {snoop: name.removeprefix("Snoop/").rpartition("-")[0] for snoop, name in names.items()}


@cache
def read_trace(name: str) -> Trace:
    """Return the trace of that name."""
    head, *lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    known: dict[str, Json] = {}
    looks = []
    for line in lines:
        if "look" in line:
            seen = line["look"]
            channels = [known[channel] if isinstance(channel, str) else channel for channel in seen["channels"]]
            known |= {channel["id"]: channel for channel in channels}
            looks.append(Look(seen["after"], datetime.fromisoformat(seen["at"]), channels, seen["bridges"]))
    return Trace(
        name=head["call"],
        what=head["what"],
        asterisk_id=head["asterisk_id"],
        rules=TypeAdapter(Rulebook).validate_python(head["rulebook"]),
        events=tuple(line for line in lines if "type" in line),
        looks=tuple(looks),
    )
