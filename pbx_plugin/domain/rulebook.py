"""Everything about a company that a call is judged by, as one immutable snapshot read from the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from pbx_plugin.domain.call import User
from pbx_plugin.domain.policy import Exclusion, HuntGroup, PolicyVersion


@dataclass(frozen=True, slots=True)
class ConsentNumber:
    """A number on which our IVR asks for consent, and where it sends the caller.

    Yes and no lead to one thing each: a hunt group (``yes_group_id``), a user (``yes_user_id``) or a place in the
    dialplan (``yes_place``, as ``context,extension,priority``). ``language`` is the number's own; ``by_country`` pairs
    the region of a caller's number (ISO 3166) with the language that such a caller hears, ``by_key`` a key with the
    language that it chooses. ``keep_days`` is the keeping time told in the prompt. ``tries`` is how often the question
    is put in all; ``timeout_ms`` is the wait after each prompt.
    """

    id: str
    tenant_id: str
    number: str
    language: str
    yes_group_id: str
    no_group_id: str
    purpose: str = "quality"
    keep_days: int = 7
    tries: int = 3
    timeout_ms: int = 5000
    by_country: tuple[tuple[str, str], ...] = ()
    by_key: tuple[tuple[str, str], ...] = ()
    yes_user_id: str = ""
    no_user_id: str = ""
    yes_place: str = ""
    no_place: str = ""

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language in which the number may be heard, its own first."""
        others = (language for _, language in (*self.by_country, *self.by_key))
        return tuple(dict.fromkeys((self.language, *others)))

    def language_for(self, region: str) -> str:
        """Return the language in which a caller of that region is spoken to first."""
        return dict(self.by_country).get(region, self.language)


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A user in a hunt group, in the order in which they are rung."""

    group_id: str
    user_id: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class DirectNumber:
    """A DDI (E.164) and where it leads: to a user, a hunt group or a consent number (exactly one is set)."""

    e164: str
    tenant_id: str
    user_id: str = ""
    group_id: str = ""
    consent_number_id: str = ""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A company. ``country`` is the ISO 3166 region for its nationally written numbers."""

    id: str
    name: str
    country: str = "DK"
    language: str = "en"


@dataclass(frozen=True)
class Rulebook:
    """One site's people, groups, numbers and policies. ``revision`` grows with every change in the database.

    ``zones`` are the time zones that the policies' schedules name, as far as this machine knows them.
    """

    revision: int = 0
    tenants: dict[str, Tenant] = field(default_factory=dict)
    users: tuple[User, ...] = ()
    groups: tuple[HuntGroup, ...] = ()
    members: tuple[GroupMember, ...] = ()
    consent_numbers: tuple[ConsentNumber, ...] = ()
    direct_numbers: tuple[DirectNumber, ...] = ()
    policies: dict[str, PolicyVersion] = field(default_factory=dict)
    exclusions: dict[str, tuple[Exclusion, ...]] = field(default_factory=dict)
    zones: dict[str, ZoneInfo] = field(default_factory=dict)

    def policy_of(self, tenant_id: str) -> PolicyVersion:
        """Return the applied policy, or version 0 (nothing is recorded) where none was applied."""
        return self.policies.get(tenant_id) or PolicyVersion(tenant_id)
