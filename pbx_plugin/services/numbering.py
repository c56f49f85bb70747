"""A company's numbering plan: which internal number is whose, and how text becomes a number or a name."""

from __future__ import annotations

import re
import unicodedata

from pbx_plugin.domain.numbers import dial_string, number_key, parse_number
from pbx_plugin.domain.policy import DEFAULT_EMERGENCY_NUMBERS, HuntGroup
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.directory import Directory, RefusedError

LONGEST_NAME = 120
_INTERNAL = re.compile(r"[0-9]{2,10}")
_GROUP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_COUNTRY = re.compile(r"[A-Z]{2}")


def clean_name(text: str, what: str, longest: int = LONGEST_NAME) -> str:
    """Return a person's, department's or company's name as it may be kept: any writing, but not empty or endless.

    Raises RefusedError for names that no database or file can hold.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise RefusedError(f"{what} is empty: give a name")
    return clean_words(name, what, longest)


def clean_words(text: str, what: str, longest: int) -> str:
    """Return free text just as it is, line ends and all. Raises RefusedError when it is endless, or when no database
    could keep it so: for zero characters, and for bytes that were no UTF-8."""
    if len(text) > longest:
        raise RefusedError(f"{what} has {len(text)} characters: at most {longest} are kept")
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise RefusedError(f"{what} {text!r} is not valid text: type it again in UTF-8")
    return text


def clean_group_name(text: str) -> str:
    """Return a hunt group's name, which is also the queue's in Asterisk: letters, digits, ``_`` and ``-``."""
    if not _GROUP_NAME.fullmatch(text) or text.lower() == "general":
        raise RefusedError(
            f"group name {text!r} cannot be a queue's in Asterisk: 1 to 64 of a-z, A-Z, 0-9, _ and -, not 'general'"
        )
    return text


def clean_internal(text: str, what: str) -> str:
    """Return an internal number of 2 to 10 digits. Raises RefusedError for anything else."""
    number = text.strip()
    if not number.isascii() or not _INTERNAL.fullmatch(number):
        raise RefusedError(f"{what} {text!r} is not an internal number: 2 to 10 digits, such as 101")
    return number


def clean_language(text: str) -> str:
    """Return a language tag such as ``da`` or ``en-GB``."""
    if not _LANGUAGE.fullmatch(text):
        raise RefusedError(f"language {text!r} is not known: give two letters, such as en or da")
    return text


def clean_country(text: str) -> str:
    """Return an ISO 3166 region of two capital letters."""
    country = text.strip().upper()
    if not _COUNTRY.fullmatch(country) or not country.isascii():
        raise RefusedError(f"country {text!r} is not known: give two letters, such as DK")
    return country


def direct_number(text: str, tenant: Tenant) -> str:
    """Return a direct number (DDI) in E.164, from any spelling. Raises RefusedError when it is not a phone number."""
    number = parse_number(text, tenant.country)
    if not number.e164:
        raise RefusedError(f"direct number {text!r} is not a phone number of {tenant.country}: write it as +4533445566")
    return number.e164


def outside_number(text: str, tenant: Tenant) -> str:
    """Return a number from any spelling, in E.164 where it can be had, else what a phone would dial for it.

    Raises RefusedError when no phone could dial it.
    """
    if not any(sign.isdecimal() for sign in dial_string(text)):
        raise RefusedError(f"{text!r} is not a phone number: write it as +4531200118 or 31200118")
    return parse_number(text, tenant.country).e164 or number_key(text)


def holder(directory: Directory, tenant_id: str, number: str) -> str:
    """Return whose internal number this is, in words; empty when it is free."""
    for person in directory.people(tenant_id):
        if person.extension == number:
            return f"user {person.name}"
    for group in directory.groups(tenant_id):
        if group.number == number:
            return f"{group.kind} {group.name}"
    if any(consent.number == number for consent in directory.consent_numbers(tenant_id)):
        return "a consent number"
    return "the emergency services" if number in emergency_numbers(directory, tenant_id) else ""


def emergency_numbers(directory: Directory, tenant_id: str) -> tuple[str, ...]:
    """Return the numbers that the policy in force keeps free for emergencies."""
    policies = directory.policies(tenant_id)
    return policies[-1].version.emergency_numbers if policies else DEFAULT_EMERGENCY_NUMBERS


def require_free(directory: Directory, tenant_id: str, number: str) -> None:
    """Raise RefusedError when the internal number is somebody's already."""
    whose = holder(directory, tenant_id, number)
    if whose:
        raise RefusedError(f"number {number} is taken by {whose}: choose another, or free it first")


def find_group(directory: Directory, tenant_id: str, who: str) -> HuntGroup:
    """Return the hunt group of that name, number or id. Raises RefusedError when there is none or more than one."""
    groups = directory.groups(tenant_id)
    found = [g for g in groups if who in (g.id, g.number)] or [g for g in groups if g.name == who]
    if len(found) == 1:
        return found[0]
    if found:
        raise RefusedError(f"group {who!r} could be several: give its number ({', '.join(g.number for g in found)})")
    raise RefusedError(f"no group {who!r}: see 'pbx-plugin groups list'")
