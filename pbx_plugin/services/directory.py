"""The site's people, groups, numbers and policies as the use cases see them: records, and the port to them.

A *directory* is one open transaction. What a use case writes through it becomes true together, with its audit entry
and a new revision of the rulebook, or not at all. Every lookup is within one company (tenant); removed users are kept
for their recordings and are seen only where asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.entries import Audited
from pbx_plugin.domain.policy import Exclusion, HuntGroup, PolicyVersion
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber, Tenant
from pbx_plugin.services.people_records import PeopleStore
from pbx_plugin.services.policy_records import PolicyStore

UNDEFINED = "Undefined"
"""What people call the department of users without one; no department may be named so."""


class RefusedError(Exception):
    """What was asked for cannot be done as asked: one line saying what is wrong, with the value, and what to do."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user as they stand in the directory, devices sorted. ``removed`` ones are never recorded; recordings stay."""

    id: str
    tenant_id: str
    name: str
    extension: str
    ddi: str = ""
    email: str = ""
    mode: Mode = Mode.NEVER
    enrolled: bool = False
    department_id: str = ""
    devices: tuple[str, ...] = ()
    may_pause: bool = False
    language: str = "en"
    removed: bool = False
    district_id: str = ""
    cost_centre_id: str = ""
    office_id: str = ""


@dataclass(frozen=True, slots=True)
class Department:
    """A department; users without one belong to "Undefined", which is not kept."""

    id: str
    tenant_id: str
    name: str


@dataclass(frozen=True, slots=True)
class AppliedPolicy:
    """A policy version as it was applied: by whom, when (UTC), with which words."""

    version: PolicyVersion
    author: str
    at: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What other companies of the same Asterisk hold, of that of which there can be only one."""

    devices: frozenset[str]
    direct_numbers: frozenset[str]
    group_names: frozenset[str]


class Directory(PeopleStore, PolicyStore, Protocol):
    """One open transaction over the directory. Writing methods make the whole row so, whether it was there or not."""

    def tenants(self) -> Sequence[Tenant]:
        """Return all companies, by name."""
        ...

    def save_tenant(self, tenant: Tenant) -> None:
        """Write a company."""
        ...

    def departments(self, tenant_id: str) -> Sequence[Department]:
        """Return the departments, by name."""
        ...

    def save_department(self, department: Department) -> None:
        """Write a department."""
        ...

    def delete_department(self, department: Department) -> None:
        """Delete a department that no user has."""
        ...

    def people(self, tenant_id: str, *, removed: bool = False) -> Sequence[Person]:
        """Return the users, by extension; with ``removed`` also those who left."""
        ...

    def save_person(self, person: Person) -> None:
        """Write a user, with their devices and direct number."""
        ...

    def save_people(self, people: Sequence[Person]) -> None:
        """Write many users at once, with their devices; extensions and devices may change hands among them."""
        ...

    def taken_elsewhere(self, tenant_id: str) -> Elsewhere:
        """Return what other companies hold."""
        ...

    def save_phone_digest(self, person: Person, device: str, digest: str) -> None:
        """Write the digest of a phone's password; the device is one of the user's."""
        ...

    def groups(self, tenant_id: str) -> Sequence[HuntGroup]:
        """Return the hunt groups, by number."""
        ...

    def members(self, group_id: str) -> Sequence[str]:
        """Return the ids of a group's users in the order in which they are rung."""
        ...

    def memberships(self, tenant_id: str) -> Mapping[str, Sequence[str]]:
        """Return the users (ids) of every group that has any, in ringing order, by the group's id."""
        ...

    def save_group(self, group: HuntGroup, members: Sequence[str]) -> None:
        """Write a hunt group and its users (ids) in ringing order."""
        ...

    def delete_group(self, group: HuntGroup) -> None:
        """Delete a hunt group to which no number leads."""
        ...

    def direct_numbers(self, tenant_id: str) -> Sequence[DirectNumber]:
        """Return the direct numbers (DDIs), also those that lead to a user, by number."""
        ...

    def save_direct_number(self, number: DirectNumber) -> None:
        """Write a direct number and where it leads."""
        ...

    def delete_direct_number(self, number: DirectNumber) -> None:
        """Delete a direct number."""
        ...

    def change_direct_numbers(self, gone: Sequence[DirectNumber], wanted: Sequence[DirectNumber]) -> None:
        """Delete these direct numbers, then write those; a number may be in both."""
        ...

    def consent_numbers(self, tenant_id: str) -> Sequence[ConsentNumber]:
        """Return the consent numbers, by number."""
        ...

    def save_consent_number(self, number: ConsentNumber) -> None:
        """Write a consent number."""
        ...

    def delete_consent_number(self, number: ConsentNumber) -> None:
        """Delete a consent number to which no direct number leads."""
        ...

    def exclusions(self, tenant_id: str) -> Sequence[Exclusion]:
        """Return all exclusions that were not taken back, also expired ones, in the order in which they were added."""
        ...

    def save_exclusion(self, tenant_id: str, exclusion: Exclusion, *, author: str, at: datetime) -> None:
        """Write an exclusion; it acts at once."""
        ...

    def add_exclusions(self, tenant_id: str, exclusions: Sequence[Exclusion], *, author: str, at: datetime) -> None:
        """Add many exclusions that are not there yet."""
        ...

    def delete_exclusion(self, tenant_id: str, exclusion: Exclusion, *, author: str, at: datetime) -> None:
        """Take an exclusion back; that it was there is remembered."""
        ...

    def delete_exclusions(self, tenant_id: str, ids: Sequence[str], *, author: str, at: datetime) -> None:
        """Take many exclusions (ids) back."""
        ...

    def policies(self, tenant_id: str) -> Sequence[AppliedPolicy]:
        """Return all applied policy versions, oldest first; the last one is in force."""
        ...

    def add_policy(self, policy: AppliedPolicy) -> None:
        """Add a policy version, which is then in force. Versions are never changed or deleted."""
        ...

    def audit(self, entry: Audited) -> None:
        """Add an audit entry."""
        ...

    def audit_all(self, entries: Iterable[Audited]) -> None:
        """Add many audit entries."""
        ...
