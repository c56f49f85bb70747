"""Users and departments: who is recorded how. People data is in force at once, without *apply*."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pbx_plugin.domain.call import Mode
from pbx_plugin.domain.rulebook import DirectNumber
from pbx_plugin.services import enrolment, numbering, units
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import UNDEFINED, Department, Person, RefusedError

REALM = "asterisk"
"""The realm in which Asterisk asks phones for their password, unless somebody changed it."""

LONGEST_EMAIL = 254
LONGEST_DEPARTMENT = 100
_DEVICE = re.compile(r"(PJSIP|SIP)/[A-Za-z0-9_.-]{1,64}")
_PASSWORD = re.compile(r"[!-~]{12,64}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class PersonWish:
    """What to set of a user; ``None`` leaves it. ``ddi`` is in any spelling; departments and units go by name.

    An empty text takes a direct number, an address, a department or a unit away.
    """

    name: str | None = None
    extension: str | None = None
    ddi: str | None = None
    email: str | None = None
    mode: Mode | None = None
    department: str | None = None
    devices: Sequence[str] | None = None
    may_pause: bool | None = None
    language: str | None = None
    district: str | None = None
    cost_centre: str | None = None
    office: str | None = None


def find(desk: Desk, who: str) -> Person:
    """Return the user of that extension, id or exact name. Raises RefusedError when there is none or more than one."""
    people = desk.directory.people(desk.tenant.id)
    found = [p for p in people if who in (p.id, p.extension)] or [p for p in people if p.name == who]
    if len(found) == 1:
        return found[0]
    if found:
        raise RefusedError(
            f"user {who!r} could be several: give the extension ({', '.join(p.extension for p in found)})"
        )
    raise RefusedError(f"no user {who!r}: give an extension, see 'pbx-plugin users list'")


def find_department(desk: Desk, name: str) -> str:
    """Return a department's id by name (or id); ``Undefined`` and an empty name are the department without id."""
    if name in ("", UNDEFINED):
        return ""
    for department in desk.directory.departments(desk.tenant.id):
        if name in (department.name, department.id):
            return department.id
    raise RefusedError(f"no department {name!r}: add it with 'pbx-plugin departments add', or see 'departments list'")


def add(desk: Desk, wish: PersonWish) -> Person:
    """Add a user. They are not enrolled, hence never recorded, until :func:`enrol`.

    Raises RefusedError when name or extension is missing or taken, or any value is not usable.
    """
    if wish.name is None or wish.extension is None:
        raise RefusedError("a user needs a name and an extension")
    extension = numbering.clean_internal(wish.extension, "extension")
    numbering.require_free(desk.directory, desk.tenant.id, extension)
    fresh = Person(
        id=desk.new_id(), tenant_id=desk.tenant.id, name="", extension=extension, language=desk.tenant.language
    )
    person = _granted(desk, fresh, replace(wish, extension=None))
    _keep(desk, fresh, person)
    desk.note("user added", person.id, **plain(person))
    return person


def change(desk: Desk, people: Sequence[Person], wish: PersonWish) -> Sequence[Person]:
    """Set the wished values of one or several users and return them as they now are. Unchanged users are not audited.

    Raises RefusedError when a value is not usable, or when several would get one name, extension, DDI or device.
    """
    own = (wish.name, wish.extension, wish.ddi or None, wish.email or None, wish.devices or None)
    if len(people) > 1 and any(value is not None for value in own):
        raise RefusedError(
            "name, extension, DDI, e-mail and device are one user's own: set them for one user at a time"
        )
    result = []
    for person in people:
        wanted = _granted(desk, person, wish)
        if wanted != person:
            _keep(desk, person, wanted)
            desk.note("user changed", person.id, **changed(plain(person), plain(wanted)))
        result.append(wanted)
    enrolment.tell(
        desk, [after for before, after in zip(people, result, strict=True) if enrolment.is_news(before, after)]
    )
    return result


def remove(desk: Desk, person: Person) -> Person:
    """Let a user go: never recorded from now on, in no group any more; their recordings stay.

    Their extension, devices and direct numbers become free. Raises RefusedError while a consent number sends callers
    to them.
    """
    refuse_if_asked_for(desk, [person])
    for group in desk.directory.groups(desk.tenant.id):
        members = list(desk.directory.members(group.id))
        if person.id in members:
            desk.directory.save_group(group, [m for m in members if m != person.id])
    for circle in desk.directory.recording_groups(desk.tenant.id):
        if person.id in circle.members | circle.supervisors:
            inside, above = circle.members - {person.id}, circle.supervisors - {person.id}
            desk.directory.save_recording_group(replace(circle, members=inside, supervisors=above))
    for number in desk.directory.direct_numbers(desk.tenant.id):
        if number.user_id == person.id and number.e164 != person.ddi:
            desk.directory.delete_direct_number(number)
    enrolment.take_back(desk, [person])
    gone = replace(person, removed=True, enrolled=False, extension="", ddi="", devices=())
    _keep(desk, person, gone)
    desk.note("user removed", person.id, name=person.name, extension=person.extension)
    return gone


def refuse_if_asked_for(desk: Desk, leaving: Sequence[Person]) -> None:
    """Raise RefusedError when a consent number sends callers to one of these users."""
    by_id = {person.id: person for person in leaving}
    for consent in desk.directory.consent_numbers(desk.tenant.id):
        for answer, user_id in (("yes", consent.yes_user_id), ("no", consent.no_user_id)):
            if user_id in by_id:
                who = f"{by_id[user_id].extension} {by_id[user_id].name}"
                raise RefusedError(
                    f"consent number {consent.number} sends callers who say {answer} to user {who}: change that first, "
                    f"with 'pbx-plugin numbers set-consent {consent.number}'"
                )


def enrol(desk: Desk, person: Person, mode: Mode | None = None) -> Person:
    """Enrol a user: from now on their mode counts. Without ``mode``, one who was in *never* starts on demand.

    They are told: a notice is kept, and mailed where they have an address.
    """
    wanted = replace(person, enrolled=True, mode=mode or (Mode.ON_DEMAND if person.mode is Mode.NEVER else person.mode))
    if wanted != person:
        _keep(desk, person, wanted)
        desk.note("user enrolled", person.id, **changed(plain(person), plain(wanted)))
    if enrolment.is_news(person, wanted):
        enrolment.tell(desk, [wanted])
    return wanted


def unenrol(desk: Desk, person: Person) -> Person:
    """Take a user's enrolment back: never recorded from now on; their mode is remembered."""
    wanted = replace(person, enrolled=False)
    if wanted != person:
        _keep(desk, person, wanted)
        desk.note("user unenrolled", person.id)
        enrolment.take_back(desk, [person])
    return wanted


def set_phone_password(desk: Desk, person: Person, device: str, password: str) -> str:
    """Let a phone that we generate log in with this password; only its digest is kept. Return the device.

    Without ``device`` it is the user's only phone. Raises RefusedError when that cannot be told, or for a password
    that is too short or that a configuration file could not hold.
    """
    phones = [one for one in person.devices if one.startswith("PJSIP/")]
    if device and device not in phones:
        raise RefusedError(f"user {person.extension} has no phone {device!r}: there is {', '.join(phones) or 'none'}")
    if not device and len(phones) != 1:
        raise RefusedError(f"user {person.extension} has {len(phones)} phones: name one with --device")
    if not _PASSWORD.fullmatch(password):
        raise RefusedError("the password (not shown) cannot be used: 12 to 64 visible ASCII characters, no blanks")
    chosen = device or phones[0]
    login = f"{chosen.removeprefix('PJSIP/')}:{REALM}:{password}"
    # Not our choice: SIP's digest authentication (RFC 2617) is made of MD5, and Asterisk keeps it so.
    digest = hashlib.md5(login.encode(), usedforsecurity=False).hexdigest()
    desk.directory.save_phone_digest(person, chosen, digest)
    desk.note("phone password set", person.id, device=chosen)
    return chosen


def add_department(desk: Desk, name: str) -> Department:
    """Add a department. Raises RefusedError when the name is taken."""
    name = numbering.clean_name(name, "the department's name")
    if name == UNDEFINED:
        raise RefusedError(f"department {UNDEFINED!r} is always there, for users without one")
    if len(name) > LONGEST_DEPARTMENT:
        raise RefusedError(f"the department's name has {len(name)} characters: at most {LONGEST_DEPARTMENT} are kept")
    if any(name in (d.name, d.id) for d in desk.directory.departments(desk.tenant.id)):
        raise RefusedError(f"department {name!r} is there already")
    department = Department(desk.new_id(), desk.tenant.id, name)
    desk.directory.save_department(department)
    desk.note("department added", department.id, name=name)
    return department


def remove_department(desk: Desk, name: str, *, checked: bool = False) -> Department:
    """Remove a department. Raises RefusedError while users are in it or the policy in force speaks of it.

    With ``checked`` the caller knows from :func:`units_in_use` that it is not so, and has called :func:`forget_units`.
    """
    identity = find_department(desk, name)
    if not identity:
        raise RefusedError(f"department {UNDEFINED!r} cannot be removed: it is where users without one are")
    department = next(d for d in desk.directory.departments(desk.tenant.id) if d.id == identity)
    if not checked:
        inside = [p.extension for p in desk.directory.people(desk.tenant.id) if p.department_id == identity]
        if inside:
            raise RefusedError(f"department {department.name!r} has users ({', '.join(inside[:5])}): move them first")
        if identity in units_in_use(desk):
            raise RefusedError(
                f"the policy in force speaks of department {department.name!r}: apply one without it first"
            )
        forget_units(desk, {identity})
    desk.directory.delete_department(department)
    desk.note("department removed", department.id, name=department.name)
    return department


def units_in_use(desk: Desk) -> frozenset[str]:
    """Return the ids of departments and units that users are in or that the policy in force speaks of."""
    used: set[str] = set()
    for person in desk.directory.people(desk.tenant.id):
        used |= {person.department_id, person.district_id, person.cost_centre_id, person.office_id}
    policies = desk.directory.policies(desk.tenant.id)
    for rule in policies[-1].version.departments.values() if policies else ():
        used |= rule.department_ids
    return frozenset(used)


def forget_units(desk: Desk, ids: Collection[str]) -> None:
    """Let users who left belong to none of these departments and units any more, so that those can be removed."""
    fields = ("department_id", *units.FIELDS.values())
    left = []
    for person in desk.directory.people(desk.tenant.id, removed=True) if ids else ():
        emptied: dict[str, Any] = {name: "" for name in fields if getattr(person, name) in ids}
        if person.removed and emptied:
            left.append(replace(person, **emptied))
    desk.directory.save_people(left)


def _granted(desk: Desk, person: Person, wish: PersonWish) -> Person:
    values: dict[str, Any] = {}
    if wish.name is not None:
        values["name"] = numbering.clean_name(wish.name, "the user's name")
    if wish.extension is not None and wish.extension != person.extension:
        values["extension"] = numbering.clean_internal(wish.extension, "extension")
        numbering.require_free(desk.directory, desk.tenant.id, values["extension"])
    if wish.ddi is not None:
        values["ddi"] = _free_ddi(desk, person, wish.ddi) if wish.ddi else ""
    if wish.email is not None:
        values["email"] = clean_email(wish.email)
    if wish.mode is not None:
        values["mode"] = wish.mode
    if wish.department is not None:
        values["department_id"] = find_department(desk, wish.department)
    for kind, unit in units.wished(wish).items():
        values[units.FIELDS[kind]] = units.find(desk, kind, unit)
    if wish.devices is not None:
        values["devices"] = tuple(_free_device(desk, person, device) for device in sorted(set(wish.devices)))
    if wish.may_pause is not None:
        values["may_pause"] = wish.may_pause
    if wish.language is not None:
        values["language"] = numbering.clean_language(wish.language)
    return replace(person, **values)


def clean_email(text: str) -> str:
    """Return an e-mail address, or nothing for nothing. Raises RefusedError for what is none."""
    if text and (len(text) > LONGEST_EMAIL or not _EMAIL.fullmatch(text)):
        raise RefusedError(f"e-mail {text!r} is not an address: write it as anna@example.com")
    return text


def clean_device(text: str) -> str:
    """Return an Asterisk endpoint such as ``PJSIP/101``. Raises RefusedError for what is none."""
    if not _DEVICE.fullmatch(text):
        raise RefusedError(f"device {text!r} is not an Asterisk endpoint: write it as PJSIP/101")
    return text


def _free_ddi(desk: Desk, person: Person, text: str) -> str:
    e164 = numbering.direct_number(text, desk.tenant)
    for number in desk.directory.direct_numbers(desk.tenant.id):
        if number.e164 == e164 and number.user_id != person.id:
            raise RefusedError(
                f"direct number {e164} leads elsewhere already: remove it first ('numbers remove {e164}')"
            )
    return e164


def _free_device(desk: Desk, person: Person, device: str) -> str:
    clean_device(device)
    for other in desk.directory.people(desk.tenant.id):
        # Asterisk overlooks hyphens in what is dialled: two devices must differ in more than those.
        if other.id != person.id and device.replace("-", "") in (taken.replace("-", "") for taken in other.devices):
            raise RefusedError(f"device {device} belongs to user {other.name} ({other.extension}): free it first")
    return device


def _keep(desk: Desk, before: Person, after: Person) -> None:
    desk.directory.save_person(after)
    if before.ddi == after.ddi:
        return
    if before.ddi:
        desk.directory.delete_direct_number(DirectNumber(before.ddi, desk.tenant.id, user_id=after.id))
    if after.ddi:
        desk.directory.save_direct_number(DirectNumber(after.ddi, desk.tenant.id, user_id=after.id))


def plain(person: Person) -> dict[str, Any]:
    """Return a user's values for the audit."""
    values = asdict(person)
    del values["id"], values["tenant_id"]
    return {**values, "mode": person.mode.value, "devices": list(person.devices)}
