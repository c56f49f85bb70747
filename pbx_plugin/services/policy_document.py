"""A policy as people edit it: a document of names, not ids (TOML or JSON), and what differs between two policies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.policy import (
    Announce,
    DepartmentRule,
    GroupPolicy,
    HuntGroup,
    PolicyVersion,
)
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.domain.toml_text import toml_value
from pbx_plugin.services import numbering
from pbx_plugin.services.directory import UNDEFINED, Department, RefusedError

EVERYONE = "all"
_EMERGENCY = re.compile(r"[0-9]{2,8}")
SHORTEST_RETENTION_DAYS = 7
LONGEST_RETENTION_DAYS = 365
SHORTEST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 900
_FLAGS = ("recording_off", "can_switch_off", "hold_closes_segment", "withdrawal_erases")
_Member = TypeVar("_Member", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Names:
    """What a policy may speak of in one company: its departments, hunt groups and direct numbers (E.164)."""

    tenant: Tenant
    departments: Sequence[Department]
    groups: Sequence[HuntGroup]
    ddis: frozenset[str]

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
        "emergency_numbers": list(policy.emergency_numbers),
        "whitelisted_ddis": sorted(policy.whitelisted_ddis),
        "departments": {d.value: _rule_words(policy.departments.get(d, DepartmentRule()), names) for d in Direction},
        "groups": dict(groups),
    }


def from_document(document: Mapping[str, Any], number: int, names: Names) -> PolicyVersion:
    """Return the policy that a document describes; what it leaves out has its safest value.

    Raises RefusedError naming the first key or value that cannot be: unknown keys, departments, groups and DDIs too.
    """
    known = {"country", "announce", "retention_days", "pause_seconds"}
    known |= {"emergency_numbers", "whitelisted_ddis", "departments", "groups"}
    for key in document:
        if key not in known and key not in _FLAGS:
            raise RefusedError(f"policy: {key!r} is not a setting: 'pbx-plugin policy show --draft' has them all")
    default = PolicyVersion(names.tenant.id)
    emergency = document.get("emergency_numbers", default.emergency_numbers)
    flags = {flag: _flag(document, flag, getattr(default, flag)) for flag in _FLAGS}
    return PolicyVersion(
        tenant_id=names.tenant.id,
        number=number,
        country=numbering.clean_country(_text(document.get("country", names.tenant.country), "country")),
        departments=_departments(document.get("departments", {}), names),
        whitelisted_ddis=_ddis(_texts(document.get("whitelisted_ddis", []), "whitelisted_ddis"), names),
        groups=_groups(document.get("groups", {}), names),
        emergency_numbers=_emergency(_texts(emergency, "emergency_numbers")),
        announce=_one_of(Announce, document.get("announce", default.announce.value), "announce"),
        retention_days=_whole(document, "retention_days", SHORTEST_RETENTION_DAYS, LONGEST_RETENTION_DAYS, default),
        pause_seconds=_whole(document, "pause_seconds", SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, default),
        **flags,
    )


def as_toml(document: Mapping[str, Any], heading: str) -> str:
    """Return the document as TOML to edit, with ``heading`` as its comment."""
    lines = [f"# {line}" for line in heading.splitlines()] + [""]
    lines += [f"{key} = {toml_value(value)}" for key, value in document.items() if not isinstance(value, dict)]
    for key, table in document.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]", *(f"{toml_value(name)} = {toml_value(value)}" for name, value in table.items())]
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


def _departments(table: object, names: Names) -> dict[Direction, DepartmentRule]:
    rules = {}
    for key, value in _table(table, "departments").items():
        direction = _one_of(Direction, key, "departments")
        if value == EVERYONE:
            rules[direction] = DepartmentRule(everyone=True)
        else:
            chosen = _texts(value, f"departments.{key}", 'or "all"')
            rules[direction] = DepartmentRule(department_ids=frozenset(names.department(name) for name in chosen))
    return {d: rule for d, rule in rules.items() if rule != DepartmentRule()}


def _groups(table: object, names: Names) -> dict[str, GroupPolicy]:
    policies: dict[str, GroupPolicy] = {}
    for key, value in _table(table, "groups").items():
        identity = names.group(key)
        if identity in policies:
            raise RefusedError(f"policy: group {key!r} stands twice: name each group once")
        policies[identity] = _one_of(GroupPolicy, value, f"groups.{key}")
    return policies


def _ddis(numbers: Sequence[str], names: Names) -> frozenset[str]:
    chosen = set()
    for text in numbers:
        e164 = numbering.direct_number(text, names.tenant)
        if e164 not in names.ddis:
            raise RefusedError(f"policy: no direct number {text!r}: add it first, or see 'pbx-plugin numbers list'")
        chosen.add(e164)
    return frozenset(chosen)


def _emergency(numbers: Sequence[str]) -> tuple[str, ...]:
    for number in numbers:
        if not _EMERGENCY.fullmatch(number):
            raise RefusedError(f"policy: emergency number {number!r} is not one: 2 to 8 digits, such as 112")
    if not numbers:
        raise RefusedError("policy: emergency_numbers is empty: name at least one, such as 112")
    return tuple(dict.fromkeys(numbers))


def _whole(document: Mapping[str, Any], key: str, least: int, most: int, default: PolicyVersion) -> int:
    value = document.get(key, getattr(default, key))
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusedError(f"policy: {key} is {value!r}: give a whole number")
    if not least <= value <= most:
        raise RefusedError(f"policy: {key} {value} is out of range: {least} to {most}")
    return value


def _one_of(kind: type[_Member], value: object, key: str) -> _Member:
    for member in kind:
        if member.value == value:
            return member
    choices = ", ".join(repr(member.value) for member in kind)
    raise RefusedError(f"policy: {key} knows no {value!r}: one of {choices}")


def _flag(document: Mapping[str, Any], key: str, default: bool) -> bool:
    value = document.get(key, default)
    if not isinstance(value, bool):
        raise RefusedError(f"policy: {key} is {value!r}: give true or false")
    return value


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise RefusedError(f"policy: {key} is {value!r}: give a text in quotes")
    return value


def _texts(value: object, key: str, other: str = "") -> Sequence[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise RefusedError(f"policy: {key} is {value!r}: give a list of texts in quotes {other}".rstrip())
    return value


def _table(value: object, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RefusedError(f"policy: {key} is {value!r}: give a table of settings")
    return value
