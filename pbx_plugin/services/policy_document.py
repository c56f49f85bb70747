"""A policy as people edit it: a document of names, not ids (TOML or JSON), and what differs between two policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.decide import RULES
from pbx_plugin.domain.policy import (
    RECORDING_RULES,
    Announce,
    DepartmentRule,
    GroupPolicy,
    HuntGroup,
    PolicyVersion,
)
from pbx_plugin.domain.retention import LONGEST_DAYS, SHORTEST_DAYS
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.toml_text import toml_value
from pbx_plugin.services import numbering
from pbx_plugin.services.directory import UNDEFINED, Department, RefusedError
from pbx_plugin.services.policy_schedule import read_schedule, schedule_words
from pbx_plugin.services.policy_telling import KEYS as TELLING_KEYS
from pbx_plugin.services.policy_telling import read_telling, telling_tables, telling_words
from pbx_plugin.services.policy_words import flag, one_of, table, text, texts, whole

EVERYONE = "all"
_EMERGENCY = re.compile(r"[0-9]{2,8}")
SHORTEST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 900
RULE_NAMES = {rule.number: rule.name for rule in RULES if rule.number in RECORDING_RULES}
ACROSS = (Direction.INCOMING, Direction.OUTGOING)
_Said = TypeVar("_Said")
_TABLES = ("announce_rules", "announce_directions", "retention_rules", "retention_departments", "schedule")
_FLAGS = ("recording_off", "can_switch_off", "hold_closes_segment", "withdrawal_erases")


@dataclass(frozen=True, slots=True)
class Names:
    """What a policy may speak of in one company: departments, hunt groups, direct numbers (E.164), time zones."""

    tenant: Tenant
    departments: Sequence[Department]
    groups: Sequence[HuntGroup]
    ddis: frozenset[str]
    knows_zone: Callable[[str], bool] = bool

    def department(self, text: str) -> str:
        """Return a department's id by name or id; "Undefined" is ``""``. Raises RefusedError for unknown ones."""
        if text == UNDEFINED:
            return ""
        for department in self.departments:
            if text in (department.name, department.id):
                return department.id
        raise RefusedError(f"policy: no department {text!r}: add it first, or see 'pbx-plugin departments list'")

    def department_name(self, identity: str) -> str:
        """Return a department's name; its id where it no longer exists."""
        names = {d.id: d.name for d in self.departments}
        return names.get(identity, identity) if identity else UNDEFINED

    def group(self, text: str) -> str:
        """Return a hunt group's id by name, number or id. Raises RefusedError for unknown ones."""
        for group in self.groups:
            if text in (group.name, group.number, group.id):
                return group.id
        raise RefusedError(f"policy: no group {text!r}: add it first, or see 'pbx-plugin groups list'")

    def group_name(self, identity: str) -> str:
        """Return a hunt group's name; its id where it no longer exists."""
        return {g.id: g.name for g in self.groups}.get(identity, identity)


def as_document(policy: PolicyVersion, names: Names) -> dict[str, Any]:
    """Return the policy as plain JSON-able data with names for ids, as :func:`from_document` reads it."""
    groups = sorted((names.group_name(identity), chosen.value) for identity, chosen in policy.groups.items())
    return {
        "country": policy.country,
        "recording_off": policy.recording_off,
        "can_switch_off": policy.can_switch_off,
        "announce": policy.announce.value,
        "hold_closes_segment": policy.hold_closes_segment,
        "withdrawal_erases": policy.withdrawal_erases,
        "pause_seconds": policy.pause_seconds,
        "retention_days": policy.retention_days,
        **telling_words(policy),
        "emergency_numbers": list(policy.emergency_numbers),
        "whitelisted_ddis": sorted(policy.whitelisted_ddis),
        "announce_rules": {RULE_NAMES[rule]: how.value for rule, how in sorted(policy.announce_rules.items())},
        "announce_directions": {
            direction.value: policy.announce_directions[direction].value
            for direction in ACROSS
            if direction in policy.announce_directions
        },
        **telling_tables(policy),
        "retention_rules": {RULE_NAMES[rule]: days for rule, days in sorted(policy.retention_rules.items())},
        "retention_departments": dict(
            sorted((names.department_name(i), days) for i, days in policy.retention_departments.items())
        ),
        "schedule": schedule_words(policy.schedule),
        "departments": {d.value: _rule_words(policy.departments.get(d, DepartmentRule()), names) for d in Direction},
        "groups": dict(groups),
    }


def from_document(document: Mapping[str, Any], number: int, names: Names) -> PolicyVersion:
    """Return the policy that a document describes; what it leaves out has its safest value.

    Raises RefusedError naming the first key or value that cannot be: unknown keys, departments, groups and DDIs too.
    """
    known = {"country", "announce", "retention_days", "pause_seconds"}
    known |= {"emergency_numbers", "whitelisted_ddis", "departments", "groups", *_TABLES, *TELLING_KEYS}
    for key in document:
        if key not in known and key not in _FLAGS:
            raise RefusedError(f"policy: {key!r} is not a setting: 'pbx-plugin policy show --draft' has them all")
    default = PolicyVersion(names.tenant.id)
    emergency = document.get("emergency_numbers", default.emergency_numbers)
    flags: dict[str, Any] = {name: flag(document.get(name, getattr(default, name)), name) for name in _FLAGS}
    return PolicyVersion(
        tenant_id=names.tenant.id,
        number=number,
        country=numbering.clean_country(text(document.get("country", names.tenant.country), "country")),
        departments=_departments(document.get("departments", {}), names),
        whitelisted_ddis=_ddis(texts(document.get("whitelisted_ddis", []), "whitelisted_ddis"), names),
        groups=_groups(document.get("groups", {}), names),
        emergency_numbers=_emergency(texts(emergency, "emergency_numbers")),
        announce=one_of(Announce, document.get("announce", default.announce.value), "announce"),
        retention_days=_days(document.get("retention_days", default.retention_days), "retention_days"),
        pause_seconds=whole(
            document.get("pause_seconds", default.pause_seconds),
            "pause_seconds",
            SHORTEST_PAUSE_SECONDS,
            LONGEST_PAUSE_SECONDS,
        ),
        schedule=read_schedule(document.get("schedule", {}), names.knows_zone),
        announce_rules=_by_rule(document, "announce_rules", partial(one_of, Announce)),
        announce_directions=_announced(document.get("announce_directions", {})),
        retention_rules=_by_rule(document, "retention_rules", _days),
        retention_departments=_kept(document.get("retention_departments", {}), names),
        **read_telling(document),
        **flags,
    )


def as_toml(document: Mapping[str, Any], heading: str, notes: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the document as TOML to edit, with ``heading`` as its comment, and ``notes`` as those of its tables."""
    lines = [f"# {line}" for line in heading.splitlines()] + [""]
    lines += [f"{key} = {toml_value(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for key, inner in document.items():
        if isinstance(inner, dict):
            said = [f"# {note}" for note in (notes or {}).get(key, ())]
            set_ = [f"{toml_value(name)} = {toml_value(value)}" for name, value in inner.items()]
            lines += ["", f"[{key}]", *said, *set_]
    return "\n".join(lines) + "\n"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what differs between two documents, as (setting, before, after); ``None`` where a setting is not there."""
    old, new = _flat(before), _flat(after)
    keys = list(old) + [key for key in new if key not in old]
    return [(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat |= {f"{key}: {name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat


def _rule_words(rule: DepartmentRule, names: Names) -> str | list[str]:
    return EVERYONE if rule.everyone else sorted(names.department_name(d) for d in rule.department_ids)


def _departments(value: object, names: Names) -> dict[Direction, DepartmentRule]:
    rules = {}
    for key, chosen in table(value, "departments").items():
        direction = one_of(Direction, key, "departments")
        if chosen == EVERYONE:
            rules[direction] = DepartmentRule(everyone=True)
        else:
            named = texts(chosen, f"departments.{key}", 'or "all"')
            rules[direction] = DepartmentRule(department_ids=frozenset(names.department(name) for name in named))
    return {d: rule for d, rule in rules.items() if rule != DepartmentRule()}


def _groups(value: object, names: Names) -> dict[str, GroupPolicy]:
    policies: dict[str, GroupPolicy] = {}
    for key, chosen in table(value, "groups").items():
        identity = names.group(key)
        if identity in policies:
            raise RefusedError(f"policy: group {key!r} stands twice: name each group once")
        policies[identity] = one_of(GroupPolicy, chosen, f"groups.{key}")
    return policies


def _ddis(numbers: Sequence[str], names: Names) -> frozenset[str]:
    chosen = set()
    for number in numbers:
        e164 = numbering.direct_number(number, names.tenant)
        if e164 not in names.ddis:
            raise RefusedError(f"policy: no direct number {number!r}: add it first, or see 'pbx-plugin numbers list'")
        chosen.add(e164)
    return frozenset(chosen)


def _emergency(numbers: Sequence[str]) -> tuple[str, ...]:
    for number in numbers:
        if not _EMERGENCY.fullmatch(number):
            raise RefusedError(f"policy: emergency number {number!r} is not one: 2 to 8 digits, such as 112")
    if not numbers:
        raise RefusedError("policy: emergency_numbers is empty: name at least one, such as 112")
    return tuple(dict.fromkeys(numbers))


def _days(value: object, key: str) -> int:
    return whole(value, key, SHORTEST_DAYS, LONGEST_DAYS)


def _by_rule(document: Mapping[str, Any], key: str, read: Callable[[object, str], _Said]) -> dict[int, _Said]:
    said: dict[int, _Said] = {}
    for name, value in table(document.get(key, {}), key).items():
        rule = _rule(name, key)
        if rule in said:
            raise RefusedError(f"policy: {key} speaks of rule {rule} twice: name each rule once")
        said[rule] = read(value, f"{key}.{name}")
    return said


def _rule(name: str, key: str) -> int:
    for number, known in RULE_NAMES.items():
        if name in (known, str(number)):
            return number
    choices = ", ".join(f"{number} or {known!r}" for number, known in RULE_NAMES.items())
    raise RefusedError(f"policy: {key} knows no rule {name!r}: one of {choices}")


def _announced(value: object) -> dict[Direction, Announce]:
    said = {}
    for key, how in table(value, "announce_directions").items():
        direction = one_of(Direction, key, "announce_directions")
        if direction not in ACROSS:
            raise RefusedError("policy: announce_directions: on internal calls nobody is outside to be told")
        said[direction] = one_of(Announce, how, f"announce_directions.{key}")
    return said


def _kept(value: object, names: Names) -> dict[str, int]:
    said: dict[str, int] = {}
    for key, days in table(value, "retention_departments").items():
        department = names.department(key)
        if department in said:
            raise RefusedError(f"policy: department {key!r} stands twice: name each once")
        said[department] = _days(days, f"retention_departments.{key}")
    return said
