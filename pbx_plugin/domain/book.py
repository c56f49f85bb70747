"""The rulebook, indexed for the questions that a running call asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pbx_plugin.domain.call import Number, User
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.numbers import parse_number
from pbx_plugin.domain.policy import HuntGroup, PolicyVersion
from pbx_plugin.domain.rulebook import DirectNumber, Rulebook, Tenant
from pbx_plugin.domain.schedule import Standing, standing


@dataclass(frozen=True)
class Book:
    """A rulebook with its indexes. ``at`` (for exclusions that expire) is the time at which it was built."""

    rules: Rulebook
    by_device: dict[str, User]
    by_extension: dict[tuple[str, str], User]
    by_queue: dict[str, HuntGroup]
    by_group_number: dict[tuple[str, str], HuntGroup]
    by_ddi: dict[str, DirectNumber]
    exclusions: dict[str, ExclusionIndex]
    internal_numbers: dict[str, str]

    @classmethod
    def of(cls, rules: Rulebook, at: datetime) -> Book:
        """Index ``rules``; exclusions that have expired at ``at`` are left out."""
        internal = {user.extension: user.tenant_id for user in rules.users if user.extension}
        internal |= {group.number: group.tenant_id for group in rules.groups}
        internal |= {number.number: number.tenant_id for number in rules.consent_numbers}
        return cls(
            rules=rules,
            by_device={device: user for user in rules.users for device in user.devices},
            by_extension={(user.tenant_id, user.extension): user for user in rules.users},
            by_queue={group.name: group for group in rules.groups},
            by_group_number={(group.tenant_id, group.number): group for group in rules.groups},
            by_ddi={number.e164: number for number in rules.direct_numbers},
            exclusions={tenant: ExclusionIndex.build(rules.exclusions.get(tenant, ()), at) for tenant in rules.tenants},
            internal_numbers=internal,
        )

    def exclusions_of(self, tenant_id: str) -> ExclusionIndex:
        """Return the company's excluded numbers and users."""
        found = self.exclusions.get(tenant_id)
        return found if found is not None else ExclusionIndex.build((), datetime.min.replace(tzinfo=UTC))

    def standing_of(self, policy: PolicyVersion, at: datetime) -> Standing:
        """Return whether a call that begins at this moment is outside the policy's schedule, or all is switched off."""
        schedule = policy.schedule
        zone = self.rules.zones.get(schedule.time_zone) if schedule else None
        return standing(recording_off=policy.recording_off, schedule=schedule, at=at, zone=zone)

    def tenant_of(self, user: User | None, dialled: str) -> Tenant:
        """Return whose call this is: the user's company, else that of the number dialled, else the site's first."""
        tenants = self.rules.tenants
        if user is not None:
            return tenants.get(user.tenant_id) or Tenant(user.tenant_id, "")
        if dialled in self.internal_numbers:
            return tenants[self.internal_numbers[dialled]]
        for tenant in tenants.values():
            direct = self.by_ddi.get(parse_number(dialled, tenant.country).e164)
            if direct is not None and direct.tenant_id == tenant.id:
                return tenant
        return next(iter(tenants.values()), Tenant("", ""))

    def number(self, raw: str, country: str) -> Number:
        """Return a number as received and in E.164; internal numbers are never read as outside ones."""
        return Number(raw) if raw in self.internal_numbers else parse_number(raw, country)
