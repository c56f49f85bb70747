"""One applied policy version, and the hunt groups it speaks of. Immutable; made by ``policy apply``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pbx_plugin.domain.bridging import NOT_BRIDGED, Bridging
from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.schedule import Schedule

UNDEFINED_DEPARTMENT = ""
"""The department id of users without one ("Undefined" in the policy)."""

DEFAULT_EMERGENCY_NUMBERS = ("112", "911", "999", "000")


class GroupKind(StrEnum):
    """How a hunt group rings."""

    QUEUE = "queue"
    RING_GROUP = "ring group"


class GroupPolicy(StrEnum):
    """Product row D3, with the *trusted route* of ``decision.md``."""

    NOT_APPLICABLE = "not applicable"
    ALWAYS = "always (whitelisted)"
    CONSENT_IVR = "always (consent via IVR)"
    TRUSTED_ROUTE = "always (consent via trusted route)"
    NEVER = "never (refused via IVR)"


class Announce(StrEnum):
    """How hard the outside party must be told before recording starts (product row C2)."""

    OR_DO_NOT_RECORD = "announce or do not record"
    BEST_EFFORT = "best effort"
    NONE = "no announcement"


class BeepTo(StrEnum):
    """Who hears the periodic beep while a call is recorded: the users it is recorded for, or whom they talk to."""

    OTHER = "other party"
    USER = "user"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class HuntGroup:
    """A queue or ring group: ``number`` is what is dialled, ``name`` is the queue's name in Asterisk."""

    id: str
    tenant_id: str
    number: str
    name: str
    kind: GroupKind
    bridging: Bridging = NOT_BRIDGED


@dataclass(frozen=True, slots=True)
class DepartmentRule:
    """Departments whose calls of one direction are recorded: all of them, or the chosen ids."""

    everyone: bool = False
    department_ids: frozenset[str] = frozenset()

    def covers(self, department_id: str) -> bool:
        """Tell whether a user of that department is covered; ``""`` is the department "Undefined"."""
        return self.everyone or department_id in self.department_ids


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A number (or prefix, or user) that is never recorded. ``pattern`` is E.164, or raw digits if not parsable."""

    id: str
    pattern: str = ""
    prefix: bool = False
    user_id: str = ""
    reason: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """What a company applied: immutable and numbered. Version 0 is the safest install: nothing is recorded.

    ``country`` is the ISO 3166 region in which nationally typed numbers are read. ``recording_off`` is product row D6.
    ``can_switch_off`` says whether an on-demand user may stop what rules 9 and 11 started. A sensitive-data pause ends
    by itself after ``pause_seconds``. ``schedule`` is the weekly one, None where recording is on all week.

    How hard somebody is told, and how many days are kept, is said for the company, and may be said otherwise for a
    rule's number, a direction or a department (:func:`announce_for`, :func:`pbx_plugin.domain.retention.days_of`).
    On calls of the directions in ``announce_user`` the users are told as well. Every ``beep_seconds`` (0: never)
    ``beep_to`` hear a beep while they are recorded; either may be said otherwise for a direction (:func:`beep_for`).
    """

    tenant_id: str
    number: int = 0
    country: str = "DK"
    departments: dict[Direction, DepartmentRule] = field(default_factory=dict)
    whitelisted_ddis: frozenset[str] = frozenset()
    groups: dict[str, GroupPolicy] = field(default_factory=dict)
    emergency_numbers: tuple[str, ...] = DEFAULT_EMERGENCY_NUMBERS
    recording_off: bool = False
    can_switch_off: bool = True
    announce: Announce = Announce.OR_DO_NOT_RECORD
    hold_closes_segment: bool = True
    withdrawal_erases: bool = False
    pause_seconds: int = 120
    retention_days: int = 7
    schedule: Schedule | None = None
    announce_rules: dict[int, Announce] = field(default_factory=dict)
    announce_directions: dict[Direction, Announce] = field(default_factory=dict)
    retention_rules: dict[int, int] = field(default_factory=dict)
    retention_departments: dict[str, int] = field(default_factory=dict)
    announce_user: frozenset[Direction] = frozenset()
    beep_seconds: int = 0
    beep_to: BeepTo = BeepTo.BOTH
    beep_seconds_directions: dict[Direction, int] = field(default_factory=dict)
    beep_to_directions: dict[Direction, BeepTo] = field(default_factory=dict)


RECORDING_RULES = (7, 8, 9, 10, 11, 12)
"""The rules that start recordings, of which a policy may speak one by one."""

_SOFTNESS = {Announce.OR_DO_NOT_RECORD: 0, Announce.BEST_EFFORT: 1, Announce.NONE: 2}


def announce_for(policy: PolicyVersion, rule: int, direction: Direction) -> Announce:
    """Return how hard the outside is told before a recording that ``rule`` starts in this direction.

    What the policy says of the rule or of the direction goes before what it says of the company; where it speaks of
    both, the harder one holds.
    """
    by_rule, by_direction = policy.announce_rules.get(rule), policy.announce_directions.get(direction)
    if by_rule is None or by_direction is None:
        return by_rule or by_direction or policy.announce
    return by_rule if _SOFTNESS[by_rule] <= _SOFTNESS[by_direction] else by_direction


def beep_for(policy: PolicyVersion, direction: Direction) -> tuple[int, BeepTo]:
    """Return how many seconds lie between two beeps on calls of a direction (0: there are none), and who hears them."""
    return (
        policy.beep_seconds_directions.get(direction, policy.beep_seconds),
        policy.beep_to_directions.get(direction, policy.beep_to),
    )


def weaker_announcements(before: PolicyVersion, after: PolicyVersion) -> list[tuple[int, Direction, Announce]]:
    """Return each rule and direction of which the outside is told less hard than before, and how it is then told."""
    pairs = [(rule, direction) for rule in RECORDING_RULES for direction in (Direction.INCOMING, Direction.OUTGOING)]
    softer = [(rule, direction, announce_for(after, rule, direction)) for rule, direction in pairs]
    return [
        (rule, direction, now)
        for rule, direction, now in softer
        if _SOFTNESS[now] > _SOFTNESS[announce_for(before, rule, direction)]
    ]
