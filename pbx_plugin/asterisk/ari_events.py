"""Reads Asterisk's event JSON into happenings. Pure; every rule here is a measured fact of Asterisk 22 (see tests)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pbx_plugin.asterisk import variables
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Consent

Json = dict[str, Any]

WANTED_EVENTS = (
    "ApplicationReplaced",
    "ChannelCreated",
    "ChannelDestroyed",
    "ChannelEnteredBridge",
    "ChannelHold",
    "ChannelLeftBridge",
    "ChannelUnhold",
    "ChannelUserevent",
    "Dial",
    "PlaybackFinished",
    "RecordingFailed",
    "RecordingFinished",
    "RecordingStarted",
    "StasisEnd",
    "StasisStart",
)
"""The filter: about 13 events a call instead of 85. It works by type only, and is gone after a reconnect."""

DIALLED_BY = ("AppDial", "AppDial2", "AppQueue")
"""What Asterisk names as the application of a channel that was dialled."""

CONSENT_WORDS = {
    "required": Consent.REQUIRED,
    "given": Consent.GIVEN,
    "refused": Consent.REFUSED,
    "withdrawn": Consent.WITHDRAWN,
}
"""What the variable :data:`variables.CONSENT` may say."""

_DEVICE = re.compile(r"^([A-Za-z0-9]+/.+)-[0-9a-f]{8}$")
_ROW_ID = re.compile(r"[0-9a-f-]{36}")

ASKED = ("call", "user", "deed", "wish", "id", "actor")
"""What a program's question says, each as text."""

_DIALSTRING = re.compile(r"^(?:sip:)?([+0-9*#]{2,32})@")


def time_of(event: Json) -> datetime:
    """Return the event's time stamp, aware (Asterisk writes ``2026-11-22T04:44:40.192+0000``)."""
    return datetime.fromisoformat(event["timestamp"])


def is_ours(channel: Json) -> bool:
    """Tell whether a channel is one of our own snoops, or anybody's: a snoop is never a leg of a call."""
    return str(channel["id"]).startswith(variables.SNOOP_PREFIX) or str(channel["name"]).startswith("Snoop/")


def device_of(name: str) -> str:
    """Return the endpoint of a channel name (``PJSIP/101-0000002a`` is of ``PJSIP/101``), empty for a Local one."""
    found = _DEVICE.match(name)
    return found[1] if found and not name.startswith("Local/") else ""


def linkedid_of(channel: Json) -> str:
    """Return the linkedid that the channel carries; the channel's own id where ``channelvars`` lacks it."""
    return str(channel.get("channelvars", {}).get(variables.LINKEDID) or channel["id"])


def carries_marks(channel: Json) -> bool:
    """Tell whether ari.conf lets all our variables through; where it does not, marks must be asked for."""
    shown = channel.get("channelvars", {})
    return all(name in shown for name in variables.CHANNEL_VARIABLES)


def carried_by(channel: Json) -> h.Carried:
    """Return the marks in the channel's variables.

    A consent word that we never wrote counts as *required*, and so do marks that the channel does not show.
    """
    found = channel.get("channelvars", {})
    word = str(found.get(variables.CONSENT, "unknown"))
    consent = CONSENT_WORDS.get(word, Consent.REQUIRED) if word else Consent.NOT_REQUIRED
    presented = str(found.get(variables.PRESENTED, ""))
    return h.Carried(
        consent=consent,
        evidence_id=str(found.get(variables.EVIDENCE, "")),
        presented_to=tuple(part for part in presented.split(variables.PRESENTED_SEPARATOR) if part),
        ddi=str(found.get(variables.DDI, "")),
    )


def marks_seen(channel: Json, at: datetime) -> h.MarksSeen:
    """Return what a channel carries, and the queue it waits in."""
    plan = channel.get("dialplan", {})
    queue = str(plan.get("app_data", "")).split(",")[0] if plan.get("app_name") == "Queue" else ""
    return h.MarksSeen(at, channel["id"], carried_by(channel), queue)


def appeared(channel: Json, at: datetime) -> h.LegAppeared:
    """Return a channel as a leg. State Ring means that it called in; Down or a dial application, that it was called."""
    plan = channel.get("dialplan", {})
    called = channel.get("state") in ("Down", "Ringing") or plan.get("app_name") in DIALLED_BY
    return h.LegAppeared(
        at=at,
        channel=channel["id"],
        name=channel["name"],
        linkedid=linkedid_of(channel),
        device=device_of(channel["name"]),
        number=str(channel.get("caller", {}).get("number", "")),
        dialled="" if called else str(plan.get("exten", "")),
        originating=not called,
        carried=carried_by(channel),
        shown_name=str(channel.get("caller", {}).get("name", "")),
    )


def _dialled(event: Json, at: datetime) -> h.LegDialled:
    peer, caller = event["peer"], event.get("caller") or {}
    found = _DIALSTRING.match(str(event.get("dialstring", "")))
    number = found[1] if found else str(peer.get("caller", {}).get("number", ""))
    number = number or str(caller.get("dialplan", {}).get("exten", ""))
    return h.LegDialled(at, peer["id"], str(caller.get("id", "")), number, str(event.get("dialstatus", "")))


def _talks(bridge: Json) -> bool:
    return bridge.get("technology") != "holding_bridge" and bridge.get("bridge_type") != "holding"


def _direct(event: Json, at: datetime) -> h.Happening | None:
    channel: Json = event.get("channel") or {}
    match event["type"]:
        case "ChannelEnteredBridge":
            return h.LegJoined(at, channel["id"], event["bridge"]["id"], _talks(event["bridge"]))
        case "ChannelLeftBridge":
            return h.LegLeft(at, channel["id"], event["bridge"]["id"])
        case "ChannelHold" | "ChannelUnhold":
            return h.LegHeld(at, channel["id"], event["type"] == "ChannelHold")
        case "ChannelDestroyed":
            return h.LegGone(at, channel["id"], str(event.get("cause_txt", "")))
        case "ChannelUserevent" if channel and event.get("eventname") == variables.EVENT_TOGGLE:
            return h.TogglePressed(at, channel["id"])
        case "ChannelUserevent" if channel and event.get("eventname") == variables.EVENT_PAUSE:
            return h.PausePressed(at, channel["id"])
        case "ChannelUserevent" if channel and event.get("eventname") == variables.EVENT_WITHDRAW:
            return h.WithdrawPressed(at, channel["id"])
    return None


def _asked(event: Json, at: datetime) -> h.Asked | None:
    """Return what a program asks for. An event with a channel is not from one: the dialplan could have sent it."""
    said: Json = event.get("userevent") or {}
    if event.get("channel") or event.get("eventname") != variables.EVENT_ASK:
        return None
    words = [str(said.get(name, "")) for name in ASKED]
    call_id, user_id, deed, wish, ask_id, actor = words
    if deed not in list(h.Deed) or not _ROW_ID.fullmatch(ask_id):
        return None
    return h.Asked(at, call_id, user_id, h.Deed(deed), wish, ask_id, actor)


def channels_in(event: Json) -> list[Json]:
    """Return the real channels that an event shows, our snoops left out."""
    found = (event.get(role) for role in ("channel", "caller", "peer"))
    return [channel for channel in found if channel and not is_ours(channel)]


def happenings_in(event: Json) -> Iterator[h.Happening]:
    """Yield what an event says about calls, marks first: a verdict must never be older than a refusal."""
    at = time_of(event)
    shown = channels_in(event)
    if event["type"] == "ChannelCreated":
        yield from (appeared(channel, at) for channel in shown)
        return
    if event["type"] == "ChannelUserevent" and (asked := _asked(event, at)) is not None:
        yield asked
    # A channel that shows no marks (it was gone when they were asked for) takes none away.
    yield from (marks_seen(channel, at) for channel in shown if carries_marks(channel))
    if event["type"] == "Dial" and not is_ours(event["peer"]):
        yield _dialled(event, at)
    elif shown:
        direct = _direct(event, at)
        if direct is not None:
            yield direct
