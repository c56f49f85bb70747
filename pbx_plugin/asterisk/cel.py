"""Reads Asterisk's own channel event log (CEL): what happened to calls while nobody of ours listened. Pure.

Asterisk writes a line for each event into a file that the generated ``cel_custom.conf`` names. It knows channels,
bridges and, by ``CELGenUserEvent``, what our dialplan and scripts tell it: marks and pressed codes. It knows no hold.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari_events import CONSENT_WORDS, DIALLED_BY, device_of
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.call import Consent

FORMAT = "pbxrec1"
"""First field of each line; another version of the columns gets another name."""

_HARMLESS = r"${FILTER(\x2d\x2f\x3b0-9a-zA-Z@+*#_.:,"
"""Begins a filter: letters, digits and - / ; @ + * # _ . : stay. What a caller can choose never holds a line end."""

COLUMNS = (
    FORMAT,
    "${eventtype}",
    "${CSV_QUOTE(${eventtime})}",
    "${STRFTIME(,UTC,%Y-%m-%dT%H:%M:%S.%6q)}",
    "${CSV_QUOTE(${CHANNEL(linkedid)})}",
    "${CSV_QUOTE(${CHANNEL(uniqueid)})}",
    _HARMLESS + "${CHANNEL(channame)})}",
    _HARMLESS + "${CALLERID(num)})}",
    _HARMLESS + "${CHANNEL(exten)})}",
    "${CSV_QUOTE(${CHANNEL(appname)})}",
    r"${CSV_QUOTE(${FILTER(\x2c\x2d0-9a-zA-Z@_.,${CHANNEL(appdata)})})}",
    "${CSV_QUOTE(${userdeftype})}",
    "${CSV_QUOTE(${eventextra})}",
)
"""What a line holds. The time is written twice: ``eventtime`` is exact, and readable only where cel.conf sets no
``dateformat``; the other is the time of writing, a fraction of a millisecond later."""

CLIMB = "../" * 16
"""Leads from Asterisk's ``cel-custom`` folder to the root: older versions know no absolute names."""

EVENTS = ("CHAN_START", "CHAN_END", "ANSWER", "HANGUP", "BRIDGE_ENTER", "BRIDGE_EXIT", "USER_DEFINED")
"""What ``events`` of cel.conf must name, at least. ``DTMF`` had better not be there: it logs card numbers."""

_EPOCH = re.compile(r"\d{9,11}\.\d{6}")
_HOLDING = "holding_bridge"
_PRESSES: dict[str, type[h.TogglePressed | h.PausePressed | h.WithdrawPressed]] = {
    variables.EVENT_TOGGLE: h.TogglePressed,
    variables.EVENT_PAUSE: h.PausePressed,
    variables.EVENT_WITHDRAW: h.WithdrawPressed,
}


@dataclass(frozen=True, slots=True)
class CelEvent:
    """One line. ``at`` is aware UTC; ``told`` the name of an event of ours or of an administrator's dialplan."""

    at: datetime
    kind: str
    linkedid: str
    channel: str
    name: str
    number: str
    exten: str
    app: str
    app_data: str
    told: str
    extra: str

    @property
    def ours(self) -> bool:
        """Whether the channel is a snoop: never a leg of a call."""
        return self.channel.startswith(variables.SNOOP_PREFIX) or self.name.startswith("Snoop/")


def events_in(text: str) -> Iterator[CelEvent]:
    """Yield the events of a log in its order. What is no whole line of ours is left out: a torn or a foreign one."""
    # The log's own line ends are \n; a field never holds one, whatever Asterisk's version does with quotes.
    for line in text.split("\n"):
        if not line.startswith(f"{FORMAT},"):
            continue
        try:
            row = next(csv.reader([line.replace("\r", " ").replace("\0", " ")], strict=True))
            yield _event(row)
        except (csv.Error, ValueError):
            continue


def happenings_in(event: CelEvent, carried: h.Carried) -> Iterator[h.Happening]:
    """Yield what an event says of a call, marks first. ``carried`` are the channel's marks as they are known so far."""
    if event.ours:
        return
    at, channel = event.at, event.channel
    if event.kind == "CHAN_START" and not event.told:
        yield _appeared(event)
        return
    if event.app == "Queue":
        yield h.MarksSeen(at, channel, carried, event.app_data.split(",")[0])
    # An administrator's own events have names of their own choice: none of them passes for one of Asterisk's.
    match event.told or event.kind:
        case variables.CEL_MARKS:
            yield h.MarksSeen(at, channel, _marks(_extra(event.extra, "extra")))
        case told if told in _PRESSES:
            yield _PRESSES[told](at, channel)
        case _ if event.told:
            return
        case "ANSWER" if event.app in DIALLED_BY:
            yield h.LegDialled(at, channel, "", event.number, "ANSWER")
        case "BRIDGE_ENTER" if bridge := _extra(event.extra, "bridge_id"):
            talking = _extra(event.extra, "bridge_technology") != _HOLDING
            yield h.LegJoined(at, channel, bridge, talking)
        case "BRIDGE_EXIT" if bridge := _extra(event.extra, "bridge_id"):
            yield h.LegLeft(at, channel, bridge)
        case "HANGUP" | "CHAN_END":
            yield h.LegGone(at, channel)


def _event(row: list[str]) -> CelEvent:
    if len(row) != len(COLUMNS):
        raise ValueError("another number of columns")
    _, kind, exact, written, linkedid, channel, name, number, exten, app, app_data, told, extra = row
    if not channel:
        raise ValueError("no channel")
    if _EPOCH.fullmatch(exact):
        seconds, _, micros = exact.partition(".")
        at = datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(micros))
    else:
        at = datetime.fromisoformat(written).replace(tzinfo=UTC)
    return CelEvent(at, kind, linkedid or channel, channel, name, number, exten, app, app_data, told, extra)


def _appeared(event: CelEvent) -> h.LegAppeared:
    originating = event.linkedid == event.channel
    return h.LegAppeared(
        at=event.at,
        channel=event.channel,
        name=event.name,
        linkedid=event.linkedid,
        device=device_of(event.name),
        number=event.number,
        dialled=event.exten if originating else "",
        originating=originating,
    )


def _extra(extra: str, name: str) -> str:
    """Return one of the particulars that Asterisk adds to an event, empty where there is none."""
    try:
        return str(json.loads(extra)[name])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _marks(extra: str) -> h.Carried:
    """Return the marks as the dialplan told them; a word that we never write counts as *required*."""
    word, evidence, presented, ddi = [*extra.split(variables.CEL_SEPARATOR), "", "", "", ""][:4]
    return h.Carried(
        consent=CONSENT_WORDS.get(word, Consent.REQUIRED) if word else Consent.NOT_REQUIRED,
        evidence_id=evidence,
        presented_to=tuple(part for part in presented.split(variables.PRESENTED_SEPARATOR) if part),
        ddi=ddi,
    )
