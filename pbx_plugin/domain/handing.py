"""Handing recordings on and letting them go: a company's switches, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from pbx_plugin.domain.retention import latest_expiry, tomorrow_after

LINK_HOURS = 24
MOST_LINK_HOURS = 30 * 24
MOST_LISTENERS = 10_000


class DeletionState(StrEnum):
    """How far a deletion has come. From *confirmed* on nobody sees the recording; *done* means that nothing is left."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    DONE = "done"


class ExportState(StrEnum):
    """How far an export has come."""

    ASKED = "asked"
    RUNNING = "running"
    DONE = "done"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a company allows. ``listeners_most`` 0 is any number; a link lives ``link_hours`` unless less is asked for,
    and never longer than ``link_hours_most``."""

    downloads: bool = False
    links: bool = True
    link_hours: int = LINK_HOURS
    link_hours_most: int = 7 * 24
    deleting: bool = True
    second_person: bool = False
    listeners_most: int = 0

    def faults(self) -> list[str]:
        """Return what is wrong with these values, in words; empty when they can be used."""
        found = []
        if not 1 <= self.link_hours_most <= MOST_LINK_HOURS:
            found.append(f"the longest life of a link is {self.link_hours_most} hours: give 1 to {MOST_LINK_HOURS}")
        if not 1 <= self.link_hours <= self.link_hours_most:
            found.append(f"the life of a link is {self.link_hours} hours: give 1 to {self.link_hours_most}")
        if not 0 <= self.listeners_most <= MOST_LISTENERS:
            found.append(f"{self.listeners_most} listeners at once: give 0 (any number) to {MOST_LISTENERS}")
        return found


class Obstacle(StrEnum):
    """Why a recording cannot be deleted by hand."""

    FORBIDDEN = "the company forbids deleting by hand: recordings go when they expire"
    PROTECTED = "it is a call to a number whose recordings cannot be deleted by hand; it goes when it expires"
    HELD = "it is held: a legal hold must be released first"
    GOING_ON = "it is not stored yet: delete it when the call has ended"
    DELETED = "it was deleted already"
    ASKED = "somebody has asked for it already: another superuser confirms or refuses"


@dataclass(frozen=True, slots=True)
class Deletable:
    """What deleting asks of a recording. ``settled`` means that nothing more will be written of its sound."""

    recording_id: str
    media_id: str
    settled: bool
    deletable_by_hand: bool
    held: bool
    deleted: bool
    asked: bool


def obstacle(rules: Rules, found: Deletable) -> Obstacle | None:
    """Return the first thing that speaks against deleting a recording by hand, None when nothing does."""
    for speaks, why in (
        (found.deleted, Obstacle.DELETED),
        (not rules.deleting, Obstacle.FORBIDDEN),
        (not found.deletable_by_hand, Obstacle.PROTECTED),
        (found.held, Obstacle.HELD),
        (not found.settled, Obstacle.GOING_ON),
        (found.asked, Obstacle.ASKED),
    ):
        if speaks:
            return why
    return None


@dataclass(frozen=True, slots=True)
class Keeping:
    """What changing an expiry asks of a recording; ``told_days`` is the keeping time that its caller accepted."""

    start: datetime
    expires_at: datetime | None
    told_days: int | None
    deletable_by_hand: bool
    deleted: bool = False


def wrong_expiry(kept: Keeping, wanted: datetime, today: date) -> str:
    """Return what is wrong with letting a recording go at ``wanted``, in words; empty when it may (product row W8).

    Never before tomorrow has begun (UTC), never later than the caller was told or than a year allows, and a recording
    that cannot be deleted by hand only later than now.
    """
    if kept.deleted:
        return "it was deleted already"
    latest = latest_expiry(kept.start, kept.told_days)
    if wanted > latest:
        why = (
            f"the caller was told {kept.told_days} days"
            if kept.told_days
            else "no recording is kept longer than a year"
        )
        return f"{wanted:%Y-%m-%d} is too late: {why}, so {latest:%Y-%m-%d %H:%M} UTC is the latest"
    if wanted < tomorrow_after(today):
        return f"{wanted:%Y-%m-%d} is too early: give tomorrow or later"
    if not kept.deletable_by_hand and kept.expires_at is not None and wanted < kept.expires_at:
        return f"{wanted:%Y-%m-%d} is earlier than {kept.expires_at:%Y-%m-%d}: this recording may only be kept longer"
    return ""
