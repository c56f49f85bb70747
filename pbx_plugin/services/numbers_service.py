"""Direct numbers (DDIs) and consent numbers: what outside callers dial, and where it leads."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pbx_plugin.domain.consent_ivr import KEY_NO, KEY_YES
from pbx_plugin.domain.numbers import parse_number
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber
from pbx_plugin.services import numbering, people
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError

SHORTEST_TIMEOUT_MS = 1000
LONGEST_TIMEOUT_MS = 30_000
MOST_TRIES = 10
LONGEST_KEEPING_DAYS = 365
MOST_COUNTRIES = 25
LONGEST_PURPOSE = 80
DIALPLAN = "dialplan:"
"""Begins a target that is a place in the dialplan."""

_PLACE = re.compile(r"(?P<context>[A-Za-z0-9_-]{1,60}),(?P<extension>[A-Za-z0-9*#+-]{1,40}),[1-9][0-9]{0,3}", re.ASCII)
_OWN_CONTEXT = "pbxrec-"
_REGION = re.compile(r"[A-Z]{2}", re.ASCII)
_LANGUAGE_KEY = re.compile(r"[03-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConsentWish:
    """What to set of a consent number; ``None`` leaves it.

    ``yes`` and ``no`` are groups by name or number, or ``user:EXTENSION``, or ``dialplan:CONTEXT,EXTENSION,PRIORITY``
    (``group:`` may stand before a group). ``by_country`` are pairs such as ``SE=sv``, ``by_key`` such as ``9=en``; an
    empty list takes the languages away.
    """

    number: str | None = None
    yes: str | None = None
    no: str | None = None
    language: str | None = None
    purpose: str | None = None
    keep_days: int | None = None
    tries: int | None = None
    timeout_ms: int | None = None
    by_country: Sequence[str] | None = None
    by_key: Sequence[str] | None = None


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
        raise RefusedError("a consent number needs its number, and where yes and no lead")
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
        values |= _target(desk, "yes", wish.yes, values.get("number", consent.number))
    if wish.no is not None:
        values |= _target(desk, "no", wish.no, values.get("number", consent.number))
    if wish.by_country is not None:
        values["by_country"] = _pairs(wish.by_country, _country, "country")
        if len(values["by_country"]) > MOST_COUNTRIES:
            raise RefusedError(f"{len(wish.by_country)} countries are too many: at most {MOST_COUNTRIES}")
    if wish.by_key is not None:
        values["by_key"] = _pairs(wish.by_key, _key, "key")
    if wish.language is not None:
        values["language"] = numbering.clean_language(wish.language)
    if wish.purpose is not None:
        values["purpose"] = numbering.clean_name(wish.purpose, "the purpose", LONGEST_PURPOSE)
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
    if leads_to(wanted, "yes") == leads_to(wanted, "no"):
        raise RefusedError("yes and no lead to the same place: callers who refuse need an unrecorded one of their own")
    return wanted


def leads_to(consent: ConsentNumber, answer: str) -> tuple[str, str]:
    """Return where ``yes`` or ``no`` leads: ``group`` or ``user`` and its id, or ``dialplan`` and the place."""
    for kind, field in (("group", "group_id"), ("user", "user_id"), ("dialplan", "place")):
        value = getattr(consent, f"{answer}_{field}")
        if value:
            return kind, value
    return "group", ""


def _target(desk: Desk, answer: str, text: str, number: str) -> dict[str, str]:
    kind, colon, name = text.partition(":")
    if not colon or kind not in ("group", "user", "dialplan"):
        kind, name = "group", text
    found = {"group_id": "", "user_id": "", "place": ""}
    if kind == "group":
        found["group_id"] = numbering.find_group(desk.directory, desk.tenant.id, name).id
    elif kind == "user":
        person = people.find(desk, name)
        if not person.extension:
            raise RefusedError(f"user {person.name!r} has no extension to which a caller could be sent")
        found["user_id"] = person.id
    else:
        found["place"] = _place(desk, name, number)
    return {f"{answer}_{field}": value for field, value in found.items()}


def _place(desk: Desk, text: str, number: str) -> str:
    split = _PLACE.fullmatch(text)
    if split is None or split["context"].lower() in ("general", "globals"):
        raise RefusedError(
            f"dialplan place {text!r} cannot be used: write CONTEXT,EXTENSION,PRIORITY, such as my-menu,s,1"
        )
    if split["context"].startswith(_OWN_CONTEXT):
        raise RefusedError(f"dialplan place {text!r} is in a generated context: name the group or user instead")
    asking = {one.number for one in desk.directory.consent_numbers(desk.tenant.id)} | {number}
    if split["extension"] in asking:
        # Who refused is not asked again, and would go round for ever.
        raise RefusedError(f"dialplan place {text!r} leads back to a consent number")
    return text


def _pairs(texts: Sequence[str], left: Callable[[str], str], what: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        if not equals:
            raise RefusedError(
                f"{text!r} is no {what} and language: write it as {'SE=sv' if what == 'country' else '9=en'}"
            )
        name = left(before)
        if name in found:
            raise RefusedError(f"{what} {name} is named twice")
        found[name] = numbering.clean_language(after.strip())
    return tuple(sorted(found.items()))


def _country(text: str) -> str:
    region = text.strip().upper()
    if not _REGION.fullmatch(region):
        raise RefusedError(f"country {text!r} is not known: give two letters, such as SE")
    return region


def _key(text: str) -> str:
    key = text.strip()
    if not _LANGUAGE_KEY.fullmatch(key):
        raise RefusedError(f"key {text!r} cannot choose a language: {KEY_YES} and {KEY_NO} answer; use 0 or 3 to 9")
    return key


def _plain(consent: ConsentNumber) -> dict[str, Any]:
    values = asdict(consent)
    del values["id"], values["tenant_id"]
    return values
