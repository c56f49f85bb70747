"""What is to be rendered, judged and joined: the rulebook as numbers that lead somewhere."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Self, TypeVar

from pbx_plugin.asterisk import escape
from pbx_plugin.asterisk.escape import RenderError, Safe
from pbx_plugin.domain.call import User
from pbx_plugin.domain.policy import DEFAULT_EMERGENCY_NUMBERS, GroupKind, HuntGroup
from pbx_plugin.domain.rulebook import ConsentNumber, Rulebook

T = TypeVar("T")

_AND = Safe("&")

LONGEST_DIAL = 1500
"""Characters of devices that one Dial() may name; beyond this Asterisk's own buffers become the limit."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A user's device, with what its caller id shows."""

    device: Safe
    extension: Safe
    caller_id: Safe

    @property
    def technology(self) -> Safe:
        """``PJSIP`` or ``SIP``."""
        return Safe(self.device.partition("/")[0])

    @property
    def name(self) -> Safe:
        """The endpoint's name."""
        return Safe(self.device.partition("/")[2])


@dataclass(frozen=True, slots=True)
class UserPlan:
    """A user's number; ``devices`` is what Dial() rings, empty where there is none."""

    extension: Safe
    devices: Safe
    phones: tuple[Phone, ...]


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A hunt group's number; ``queue`` is empty for a ring group. ``bridged`` ones go to our own application first."""

    number: Safe
    id: Safe
    queue: Safe
    devices: Safe
    bridged: bool


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """A queue and who is in it."""

    name: Safe
    members: tuple[Phone, ...]


@dataclass(frozen=True, slots=True)
class ConsentPlan:
    """A consent number and where yes and no lead, as ``context,extension,priority``."""

    number: Safe
    id: Safe
    yes: Safe
    no: Safe
    from_outside: bool


@dataclass(frozen=True, slots=True)
class DirectPlan:
    """A direct number and the inside number it leads to."""

    e164: Safe
    leads_to: Safe


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the templates speak of. Each number leads to exactly one thing."""

    users: tuple[UserPlan, ...]
    groups: tuple[GroupPlan, ...]
    queues: tuple[QueuePlan, ...]
    consents: tuple[ConsentPlan, ...]
    direct_numbers: tuple[DirectPlan, ...]
    emergency_numbers: tuple[Safe, ...]

    @classmethod
    def of(cls, rulebook: Rulebook) -> Self:
        """Judge a rulebook. Raises RenderError when a value is unsafe, a number is given twice, or leads nowhere."""
        users = {user.id: _user(user) for user in rulebook.users}
        members = _members(rulebook, users)
        groups = {group.id: _group(group, members[group.id]) for group in rulebook.groups}
        outside = {d.e164 for d in rulebook.direct_numbers}
        consents = {}
        for number in rulebook.consent_numbers:
            told = f"consent number {number.number!r}"
            consents[number.id] = ConsentPlan(
                escape.extension(number.number, "consent number"),
                escape.identifier(number.id, f"id of {told}"),
                _answered(number, "yes", users, groups, told),
                _answered(number, "no", users, groups, told),
                number.number not in outside,
            )
        direct_numbers = []
        for direct in rulebook.direct_numbers:
            told = f"direct number {direct.e164!r}"
            if bool(direct.user_id) + bool(direct.group_id) + bool(direct.consent_number_id) != 1:
                raise RenderError(f"{told}: must lead to one user, one group or one consent number")
            if direct.user_id:
                target = _leading(users, direct.user_id, told).extension
            elif direct.group_id:
                target = _leading(groups, direct.group_id, told).number
            else:
                target = _leading(consents, direct.consent_number_id, told).number
            direct_numbers.append(DirectPlan(escape.e164(direct.e164, "direct number"), target))
        queues = tuple(QueuePlan(g.queue, members[key]) for key, g in groups.items() if g.queue)
        plan = cls(
            tuple(users.values()),
            tuple(groups.values()),
            queues,
            tuple(consents.values()),
            tuple(direct_numbers),
            _emergency_numbers(rulebook),
        )
        plan._refuse_doubles()
        return plan

    @property
    def consent_numbers(self) -> tuple[Safe, ...]:
        """The consent numbers that can be dialled from outside as they stand."""
        return tuple(consent.number for consent in self.consents if consent.from_outside)

    def phones(self) -> tuple[Phone, ...]:
        """Return every PJSIP device of a user."""
        return tuple(phone for user in self.users for phone in user.phones if phone.technology == "PJSIP")

    def for_extensions(self) -> dict[str, object]:
        """Return the values of the template ``extensions.conf``."""
        return {
            "users": self.users,
            "groups": self.groups,
            "consents": self.consents,
            "direct_numbers": self.direct_numbers,
            "emergency_numbers": self.emergency_numbers,
            "devices": tuple(phone for user in self.users for phone in user.phones),
        }

    def _refuse_doubles(self) -> None:
        numbers = [(number, "an emergency number") for number in self.emergency_numbers]
        numbers += [(user.extension, "a user's extension") for user in self.users]
        numbers += [(group.number, "a hunt group's number") for group in self.groups]
        numbers += [(consent.number, "a consent number") for consent in self.consents]
        _refuse_twice("number", numbers)
        _refuse_twice("direct number", [(d.e164, "a direct number") for d in self.direct_numbers])
        # Asterisk overlooks hyphens in what is dialled, and takes queue names as they come.
        phones = [phone for user in self.users for phone in user.phones]
        _refuse_twice("device", [(Safe(p.device.replace("-", "")), f"a phone of {p.extension}") for p in phones])
        _refuse_twice("queue", [(Safe(queue.name.lower()), "a queue's name") for queue in self.queues])


def _answered(
    number: ConsentNumber, answer: str, users: dict[str, UserPlan], groups: dict[str, GroupPlan], told: str
) -> Safe:
    told = f"{told}, {answer}"
    group_id, user_id, place = (getattr(number, f"{answer}_{field}") for field in ("group_id", "user_id", "place"))
    if bool(group_id) + bool(user_id) + bool(place) != 1:
        raise RenderError(f"{told}: must lead to one group, one user or one place in the dialplan")
    if place:
        return escape.place(place, told)
    inside = _leading(groups, group_id, told).number if group_id else _leading(users, user_id, told).extension
    return Safe(f"pbxrec-inside,{inside},1")


def _user(user: User) -> UserPlan:
    number = escape.extension(user.extension, f"extension of user {user.id!r}")
    shown = escape.caller_id(user.name, number)
    phones = tuple(Phone(escape.device(d, f"device of user {user.id!r}"), number, shown) for d in user.devices)
    return UserPlan(number, _dialled(phones, f"user {number}"), phones)


def _group(group: HuntGroup, members: tuple[Phone, ...]) -> GroupPlan:
    number = escape.extension(group.number, f"number of hunt group {group.id!r}")
    identifier = escape.identifier(group.id, f"id of hunt group {number}")
    if group.kind is GroupKind.QUEUE:
        queue = escape.queue_name(group.name, f"queue of hunt group {number}")
        return GroupPlan(number, identifier, queue, Safe(), group.bridging.on)
    return GroupPlan(number, identifier, Safe(), _dialled(members, f"hunt group {number}"), group.bridging.on)


def _dialled(phones: tuple[Phone, ...], told: str) -> Safe:
    devices = escape.joined(_AND, (phone.device for phone in phones))
    if len(devices) > LONGEST_DIAL:
        raise RenderError(f"{told}: {len(phones)} devices are too many to ring at once; make it a queue")
    return devices


def _members(rulebook: Rulebook, users: dict[str, UserPlan]) -> defaultdict[str, tuple[Phone, ...]]:
    members: defaultdict[str, tuple[Phone, ...]] = defaultdict(tuple)
    for member in sorted(rulebook.members, key=lambda one: (one.group_id, one.position)):
        user = _leading(users, member.user_id, f"member of hunt group {member.group_id!r}")
        members[member.group_id] += tuple(p for p in user.phones if p not in members[member.group_id])
    return members


def _emergency_numbers(rulebook: Rulebook) -> tuple[Safe, ...]:
    # A company without a policy has version 0, which knows the usual ones; a site without a company has them too.
    lists = [rulebook.policy_of(tenant).emergency_numbers for tenant in {**rulebook.tenants, **rulebook.policies}]
    numbers = {number for listed in lists or [DEFAULT_EMERGENCY_NUMBERS] for number in listed}
    return tuple(escape.emergency_number(number, "emergency number") for number in sorted(numbers))


def _leading(things: dict[str, T], key: str, told: str) -> T:
    try:
        return things[key]
    except KeyError:
        raise RenderError(f"{told}: leads to {key!r}, which does not exist") from None


def _refuse_twice(what: str, claims: list[tuple[Safe, str]]) -> None:
    owners: dict[Safe, str] = {}
    for value, owner in claims:
        if value in owners:
            raise RenderError(f"{what} {value!r}: is {owners[value]} and also {owner}")
        owners[value] = owner
