"""What stands beside a policy as comments, for whoever edits it: everything of which it could speak, as it is now."""

from __future__ import annotations

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import DepartmentRule, GroupPolicy, PolicyVersion
from pbx_plugin.domain.retention import days_of
from pbx_plugin.domain.toml_text import toml_value
from pbx_plugin.services.directory import UNDEFINED
from pbx_plugin.services.policy_document import ACROSS, RULE_NAMES, Names
from pbx_plugin.services.policy_telling import telling_notes


def notes_of(policy: PolicyVersion, names: Names) -> dict[str, list[str]]:
    """Return what an editor wants to see beside a policy's tables: every department and group with its present value.

    In the words of :func:`as_toml`: the lines that stand in a table as comments.
    """
    departments = [("", UNDEFINED), *((d.id, d.name) for d in names.departments)]
    held = [(identity, name, days_of(policy, identity, 0)) for identity, name in departments]
    return {
        "departments": [f"{toml_value(name)}: {_recorded(policy, identity)}" for identity, name in departments],
        "groups": [
            f"{toml_value(group.name)} = {toml_value(policy.groups.get(group.id, GroupPolicy.NOT_APPLICABLE).value)}"
            f"  # {group.kind.value} {group.number}"
            for group in names.groups
        ],
        "retention_departments": [f"{toml_value(name)} = {days}" for _, name, days in held],
        "retention_rules": [f"{toml_value(name)} = {_rule_days(policy, rule)}" for rule, name in RULE_NAMES.items()],
        "announce_rules": [
            f"{toml_value(name)} = {toml_value(policy.announce_rules.get(rule, policy.announce).value)}"
            for rule, name in RULE_NAMES.items()
        ],
        "announce_directions": [
            f"{toml_value(direction.value)} = "
            f"{toml_value(policy.announce_directions.get(direction, policy.announce).value)}"
            for direction in ACROSS
        ],
        **telling_notes(policy),
        "schedule": [
            'time_zone = "Europe/Copenhagen"',
            'monday = ["08:00-12:00", "12:30-17:00"]',
            'friday = ["22:00-06:00"]  # goes on into Saturday',
            'holidays = ["2030-12-25"]',
        ]
        if policy.schedule is None
        else [],
    }


def _recorded(policy: PolicyVersion, identity: str) -> str:
    covered = [d.value for d in Direction if policy.departments.get(d, DepartmentRule()).covers(identity)]
    return f"recorded {', '.join(covered)}" if covered else "not recorded"


def _rule_days(policy: PolicyVersion, rule: int) -> int:
    return policy.retention_rules.get(rule, policy.retention_days)
