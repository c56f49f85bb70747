"""Direct numbers (DDIs) and consent numbers: what outside callers dial, and where it leads."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from pbx_plugin.domain.numbers import parse_number
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber
from pbx_plugin.services import numbering, people
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError

SHORTEST_TIMEOUT_MS = 1000
LONGEST_TIMEOUT_MS = 30_000
MOST_TRIES = 10
LONGEST_KEEPING_DAYS = 365


@dataclass(frozen=True, slots=True)
class ConsentWish:
    """What to set of a consent number; ``None`` leaves it. ``yes`` and ``no`` are groups by name or number."""

    number: str | None = None
    yes: str | None = None
    no: str | None = None
    language: str | None = None
    purpose: str | None = None
    keep_days: int | None = None
    tries: int | None = None
    timeout_ms: int | None = None


def add_ddi(desk: Desk, text: str, *, user: str = "", group: str = "", consent: str = "") -> DirectNumber:
    """Add a direct number that leads to a user, a group or a consent number (exactly one).

    A user's first direct number becomes their own. Raises RefusedError when the number leads somewhere already.
    """
    if sum(map(bool, (user, group, consent))) != 1:
        raise RefusedError(f"direct number {text!r} must lead to one thing: give one of --user, --group and --consent")
    e164 = numbering.direct_number(text, desk.tenant)
    if any(d.e164 == e164 for d in desk.directory.direct_numbers(desk.tenant.id)):
        raise RefusedError(f"direct number {e164} is there already: remove it first ('numbers remove {e164}')")
    if user:
        person = people.find(desk, user)
        if not person.ddi:
            desk.directory.save_person(replace(person, ddi=e164))
        number = DirectNumber(e164, desk.tenant.id, user_id=person.id)
    elif group:
        found = numbering.find_group(desk.directory, desk.tenant.id, group)
        number = DirectNumber(e164, desk.tenant.id, group_id=found.id)
    else:
        number = DirectNumber(e164, desk.tenant.id, consent_number_id=find_consent(desk, consent).id)
    desk.directory.save_direct_number(number)
    desk.note("direct number added", e164, user=number.user_id, group=number.group_id, consent=number.consent_number_id)
    return number


def find_consent(desk: Desk, who: str) -> ConsentNumber:
    """Return the consent number of that number or id. Raises RefusedError when there is none."""
    for consent in desk.directory.consent_numbers(desk.tenant.id):
        if who in (consent.number, consent.id):
            return consent
    raise RefusedError(f"no consent number {who!r}: see 'pbx-plugin numbers list'")


def add_consent(desk: Desk, wish: ConsentWish) -> ConsentNumber:
    """Add a number on which callers are asked, and where yes and no lead. Raises RefusedError on unusable values."""
    if not (wish.number and wish.yes and wish.no):
        raise RefusedError("a consent number needs its number and the groups for yes and no")
    fresh = ConsentNumber(desk.new_id(), desk.tenant.id, "", desk.tenant.language, "", "")
    consent = _granted(desk, fresh, wish)
    desk.directory.save_consent_number(consent)
    desk.note("consent number added", consent.id, **_plain(consent))
    return consent


def change_consent(desk: Desk, consent: ConsentNumber, wish: ConsentWish) -> ConsentNumber:
    """Set what is wished of a consent number. Nothing is audited when nothing changes."""
    wanted = _granted(desk, consent, wish)
    if wanted != consent:
        desk.directory.save_consent_number(wanted)
        desk.note("consent number changed", consent.id, **changed(_plain(consent), _plain(wanted)))
    return wanted


def remove(desk: Desk, text: str) -> DirectNumber | ConsentNumber:
    """Remove a direct number (any spelling) or a consent number. Raises RefusedError when unknown or still in use."""
    for consent in desk.directory.consent_numbers(desk.tenant.id):
        if text in (consent.number, consent.id):
            return _remove_consent(desk, consent)
    e164 = parse_number(text, desk.tenant.country).e164
    for direct in desk.directory.direct_numbers(desk.tenant.id):
        if e164 and direct.e164 == e164:
            return _remove_direct(desk, direct)
    raise RefusedError(f"no direct or consent number {text!r}: see 'pbx-plugin numbers list'")


def _remove_consent(desk: Desk, consent: ConsentNumber) -> ConsentNumber:
    for direct in desk.directory.direct_numbers(desk.tenant.id):
        if direct.consent_number_id == consent.id:
            raise RefusedError(f"direct number {direct.e164} leads to consent number {consent.number}: remove it first")
    desk.directory.delete_consent_number(consent)
    desk.note("consent number removed", consent.id, number=consent.number)
    return consent


def _remove_direct(desk: Desk, direct: DirectNumber) -> DirectNumber:
    policies = desk.directory.policies(desk.tenant.id)
    if policies and direct.e164 in policies[-1].version.whitelisted_ddis:
        raise RefusedError(f"the policy in force whitelists {direct.e164}: apply one without it first")
    for person in desk.directory.people(desk.tenant.id):
        if person.id == direct.user_id and person.ddi == direct.e164:
            desk.directory.save_person(replace(person, ddi=""))
    desk.directory.delete_direct_number(direct)
    desk.note("direct number removed", direct.e164)
    return direct


def _granted(desk: Desk, consent: ConsentNumber, wish: ConsentWish) -> ConsentNumber:
    values: dict[str, Any] = {}
    if wish.number is not None and wish.number != consent.number:
        values["number"] = numbering.clean_internal(wish.number, "consent number")
        numbering.require_free(desk.directory, desk.tenant.id, values["number"])
    if wish.yes is not None:
        values["yes_group_id"] = numbering.find_group(desk.directory, desk.tenant.id, wish.yes).id
    if wish.no is not None:
        values["no_group_id"] = numbering.find_group(desk.directory, desk.tenant.id, wish.no).id
    if wish.language is not None:
        values["language"] = numbering.clean_language(wish.language)
    if wish.purpose is not None:
        values["purpose"] = numbering.clean_name(wish.purpose, "the purpose")
    for name, least, most in (
        ("keep_days", 1, LONGEST_KEEPING_DAYS),
        ("tries", 1, MOST_TRIES),
        ("timeout_ms", SHORTEST_TIMEOUT_MS, LONGEST_TIMEOUT_MS),
    ):
        value = getattr(wish, name)
        if value is not None:
            if not least <= value <= most:
                raise RefusedError(f"{name.replace('_', ' ')} {value} is out of range: {least} to {most}")
            values[name] = value
    wanted = replace(consent, **values)
    if wanted.yes_group_id == wanted.no_group_id:
        raise RefusedError(
            "yes and no lead to the same group: callers who refuse need an unrecorded group of their own"
        )
    return wanted


def _plain(consent: ConsentNumber) -> dict[str, Any]:
    values = asdict(consent)
    del values["id"], values["tenant_id"]
    return values
