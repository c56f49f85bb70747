"""How long a recording is kept: the days that a policy says, and the moment at which it goes (product row T1)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from pbx_plugin.domain.policy import PolicyVersion

SHORTEST_DAYS = 7
LONGEST_DAYS = 365


def days_of(policy: PolicyVersion, department_id: str, rule: int) -> int:
    """Return how many days a recording is kept that ``rule`` started for a user of the department.

    What the policy says of the rule or of the department goes before what it says of the company; where it speaks of
    both, the shorter time holds.
    """
    said = [
        days
        for days in (policy.retention_departments.get(department_id), policy.retention_rules.get(rule))
        if days is not None
    ]
    return min(said, default=policy.retention_days)


def expiry(start: datetime, days: int, told_days: int | None, today: date) -> datetime:
    """Return when (UTC) a recording goes that began at ``start``, as worked out on ``today`` (UTC).

    ``days`` after its start, but not before tomorrow has begun, so that nobody finds that a shorter time has already
    taken what was to be heard today. ``told_days`` is the keeping time that the caller accepted, None or 0 where none
    was told: it is an upper limit, also for the day's grace.
    """
    wanted = max(start.astimezone(UTC) + timedelta(days=days), tomorrow_after(today))
    return min(wanted, start.astimezone(UTC) + timedelta(days=told_days)) if told_days else wanted


def tomorrow_after(today: date) -> datetime:
    """Return the beginning of the day after ``today`` (UTC): nothing goes before it."""
    return datetime.combine(today + timedelta(days=1), time(), UTC)


def latest_expiry(start: datetime, told_days: int | None) -> datetime:
    """Return how long (UTC) a recording that began at ``start`` may be kept at most, whoever wants it kept longer."""
    return start.astimezone(UTC) + timedelta(days=min(told_days or LONGEST_DAYS, LONGEST_DAYS))
