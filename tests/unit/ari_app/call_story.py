"""Calls told in the field's notation: one line an event, seconds first. A switchboard hears them; we keep its answers.

0.0 ring    T1 trunk +4531200118 > +4570100101     a channel called in, from a number, to a number
0.1 down    A1 101                                  a channel is dialled at that endpoint
0.1 dial    T1 A1 101                               T1 dials A1 (a status may follow)
3.0 join    T1 B1                                   entered a bridge      (park: a holding bridge)
5.0 mark    T1 consent=refused groups=ring          its variables, as an event shows them
6.0 press   A1                                      the star code (pause, withdraw: the other two)
6.5 full                                            the disk is nearly full (room: not any more)
6.5 clock                                           the recorder looks at the time
7.0 told    1                                       the announcement of capture 1 was heard (untold: it was not)
8.0 left    T1 B1
9.0 hold    A1                                      (unhold)
9.0 gone    T1
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pbx_plugin.ari_app.switchboard import Switchboard
from pbx_plugin.domain import commands as c
from pbx_plugin.domain import entries as e
from pbx_plugin.domain import happenings as h
from pbx_plugin.domain.book import Book
from pbx_plugin.domain.call import Consent, Mode, User
from pbx_plugin.domain.callstate import CallState
from pbx_plugin.domain.capacity import Room
from pbx_plugin.domain.policy import Announce, Exclusion, GroupKind, GroupPolicy, HuntGroup, PolicyVersion
from pbx_plugin.domain.rulebook import DirectNumber, Rulebook, Tenant
from pbx_plugin.domain.settling import SETTLES_WITHIN

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TENANT = "7f000001-0000-4000-8000-000000000001"
T = TypeVar("T")


def user(extension: str, mode: Mode) -> User:
    return User(
        id=f"u{extension}",
        tenant_id=TENANT,
        name=f"User {extension}",
        extension=extension,
        mode=mode,
        enrolled=True,
        devices=(f"PJSIP/{extension}",),
    )


def rules(**changes: Any) -> Rulebook:
    policy = PolicyVersion(
        TENANT,
        number=3,
        announce=Announce.NONE,
        groups={"g-ring": GroupPolicy.CONSENT_IVR, "g-refused": GroupPolicy.NEVER},
    )
    return Rulebook(
        revision=1,
        tenants={TENANT: Tenant(TENANT, "Acme")},
        users=(
            user("101", Mode.ALWAYS),
            user("102", Mode.ALWAYS),
            replace(user("103", Mode.ALWAYS), may_pause=True),
            user("111", Mode.ON_DEMAND),
            user("112", Mode.ON_DEMAND),
            user("121", Mode.NEVER),
        ),
        groups=(
            HuntGroup("g-ring", TENANT, "601", "ring", GroupKind.RING_GROUP),
            HuntGroup("g-refused", TENANT, "602", "refused", GroupKind.QUEUE),
        ),
        direct_numbers=tuple(DirectNumber(f"+4570100{x}", TENANT, user_id=f"u{x}") for x in (101, 103, 111, 121)),
        policies={TENANT: replace(policy, **changes)},
    )


class Story:
    """A switchboard, and everything it said and asked for."""

    def __init__(self, book: Rulebook | None = None, *, answers: bool = True, most: int = 0) -> None:
        self.book = book or rules()
        self.said: list[e.Entry] = []
        self.asked: list[c.Command] = []
        self.answers = answers
        self.at = NOON
        self.board = Switchboard("pbx", Book.of(self.book, NOON), self._perform, most)
        self._todo: list[h.Happening] = []
        self._later: list[h.Settled] = []

    @property
    def call(self) -> CallState:
        (only,) = self.board.calls.values()
        return only

    def entries(self, kind: type[T]) -> list[T]:
        return [entry for entry in self.said if isinstance(entry, kind)]

    def commands(self, kind: type[T]) -> list[T]:
        return [command for command in self.asked if isinstance(command, kind)]

    def verdicts(self) -> list[tuple[str, str, int]]:
        return [(entry.user_id, entry.verdict, entry.rule) for entry in self.entries(e.Decided)]

    def segments(self) -> list[tuple[str, float, float | None, str]]:
        """Who was recorded, from which second to which, and why it ended."""
        found: list[tuple[str, float, float | None, str]] = []
        closed = {entry.media_id: entry for entry in self.entries(e.RecordingClosed)}
        for entry in self.entries(e.RecordingIntended):
            end = closed.get(entry.media_id)
            until = (end.at - NOON).total_seconds() if end else None
            found.append((entry.user_id, (entry.at - NOON).total_seconds(), until, end.reason if end else ""))
        return found

    def gaps(self) -> list[e.Gap]:
        """What was missed, in the order in which it began; each as it was last told."""
        latest = {entry.gap_id: entry for entry in self.entries(e.Gap)}
        return sorted(latest.values(), key=lambda gap: (gap.since, gap.user_id))

    def missed(self) -> list[tuple[str, float, float | None, str]]:
        """Who was not recorded, from which second to which, and why."""
        return [
            (
                gap.user_id,
                (gap.since - NOON).total_seconds(),
                (gap.until - NOON).total_seconds() if gap.until else None,
                gap.reason,
            )
            for gap in self.gaps()
        ]

    def tones(self) -> list[str]:
        return [command.tone for command in self.commands(c.PlayTone)]

    def tell(self, text: str) -> Story:
        for line in text.splitlines():
            words = line.split()
            if words and not words[0].startswith("#"):
                self._pass_to(NOON + timedelta(seconds=float(words[0])))
                match words[1]:
                    case "full" | "room":
                        self.board.room = Room.NONE if words[1] == "full" else Room.ENOUGH
                    case "clock":
                        self.board.time_passed(self.at)
                        self._answer()
                    case verb:
                        self.happen(self._read(verb, words[2:]))
        return self

    def _pass_to(self, at: datetime) -> None:
        """Let time pass; what was to be looked at again meanwhile is."""
        while self._later and self._later[0].at <= at:
            settled = self._later.pop(0)
            self.at = settled.at
            self.happen(settled)
        self.at = at

    def happen(self, happening: h.Happening) -> None:
        self.board.happen(happening)
        self._answer()

    def _answer(self) -> None:
        while self._todo:
            self.board.happen(self._todo.pop(0))

    def exclude(self, seconds: float, number: str) -> Story:
        """An exclusion comes into force in the middle of the call."""
        self.at = NOON + timedelta(seconds=seconds)
        self.book = replace(self.book, exclusions={TENANT: (Exclusion("x1", number),)})
        self.board.rules_changed(Book.of(self.book, self.at), self.at)
        self._answer()
        return self

    def _read(self, verb: str, rest: list[str]) -> h.Happening:
        channel = rest[0]
        match verb:
            case "ring":
                caller, dialled = ("", rest[-1]) if rest[2] == ">" else (rest[2], rest[-1])
                name = f"PJSIP/{rest[1]}-0000000{len(self.said) % 10}"
                return h.LegAppeared(self.at, channel, name, self._linked(channel), f"PJSIP/{rest[1]}", caller, dialled)
            case "down":
                linked = rest[2] if len(rest) > 2 else next(iter(self.board.calls.values())).linkedids[0]
                name = rest[1] if rest[1].startswith("Local/") else f"PJSIP/{rest[1]}-00000001"
                device = "" if rest[1].startswith("Local/") else f"PJSIP/{rest[1]}"
                return h.LegAppeared(self.at, channel, name, linked, device, "", originating=False)
            case "dial":
                return h.LegDialled(self.at, rest[1], channel, rest[2], rest[3] if len(rest) > 3 else "")
            case "join" | "park":
                return h.LegJoined(self.at, channel, rest[1], verb == "join")
            case "left":
                return h.LegLeft(self.at, channel, rest[1])
            case "hold" | "unhold":
                return h.LegHeld(self.at, channel, verb == "hold")
            case "gone":
                return h.LegGone(self.at, channel)
            case "press":
                return h.TogglePressed(self.at, channel)
            case "pause":
                return h.PausePressed(self.at, channel)
            case "withdraw":
                return h.WithdrawPressed(self.at, channel)
            case "mark":
                return h.MarksSeen(self.at, channel, self._carried(rest[1:]))
            case "told" | "untold":
                announced = self.commands(c.PlayAnnouncement)[int(channel) - 1]
                return h.AnnouncementDone(self.at, announced.media, verb == "told", "" if verb == "told" else "gone")
        raise ValueError(verb)

    def _linked(self, channel: str) -> str:
        return f"linked-{channel}"

    @staticmethod
    def _carried(words: list[str]) -> h.Carried:
        found = dict(word.split("=", 1) for word in words)
        groups = tuple(group for group in found.get("groups", "").split("+") if group)
        return h.Carried(Consent(found.get("consent", "not required")), found.get("evidence", ""), groups)

    def _perform(self, call: CallState, commands: list[c.Command]) -> None:
        for command in commands:
            if isinstance(command, c.Write):
                self.said.extend(command.entries)
                continue
            if isinstance(command, c.LookAgain):
                self._later.append(h.Settled(command.since + SETTLES_WITHIN, command.linkedid, command.since))
                continue
            self.asked.append(command)
            if not self.answers:
                continue
            match command:
                case c.StartCapture():
                    self._todo.append(h.CaptureStarted(self.at, command.media, self.at, self.at))
                case c.StopCapture():
                    self._todo.append(h.CaptureEnded(self.at, command.media))
                case c.EraseMedia():
                    self._todo.append(h.MediaErased(self.at, command.media))
                case c.FinaliseMedia():
                    self._todo.append(h.MediaSettled(self.at, command.media))
