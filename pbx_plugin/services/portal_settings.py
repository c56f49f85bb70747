"""A company's rules for signing in and its terms of use; every change is audited, and in force at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pbx_plugin.domain.portal_mails import LANGUAGES
from pbx_plugin.domain.signing import RuleError, Rules, changed_rules, plain_rules
from pbx_plugin.services import numbering
from pbx_plugin.services.account_records import TermsText
from pbx_plugin.services.accounts import Office
from pbx_plugin.services.audit import changed
from pbx_plugin.services.directory import RefusedError

LONGEST_TERMS = 100_000


def change_rules(office: Office, wanted: Mapping[str, Any]) -> Rules:
    """Set rules by name: numbers, booleans, and a list of roles for ``factor_roles``. No change, no audit entry.

    Sessions that are longer than a new limit allows end at once; a password that is too old by a new rule has to be
    changed with the next click. Raises RefusedError naming the rule and its limits.
    """
    desk = office.desk
    before = office.store.rules(desk.tenant.id)
    try:
        after = changed_rules(before, dict(wanted))
    except RuleError as error:
        raise RefusedError(f"{error}; see 'pbx-plugin portal rules show'") from error
    if after != before:
        office.store.save_rules(desk.tenant.id, after, author=desk.actor, at=desk.at)
        desk.note("portal rules changed", desk.tenant.id, **changed(plain_rules(before), plain_rules(after)))
    return after


def set_terms(office: Office, texts: Mapping[str, str]) -> int:
    """Put a new version of the terms in force, by language, and return its number: everybody is asked again."""
    if not texts:
        raise RefusedError("terms need at least one text: give a language and its file, as en=terms.txt")
    version = office.store.terms_version(office.desk.tenant.id) + 1
    _add(office, version, texts, "terms set")
    return version


def translate_terms(office: Office, texts: Mapping[str, str]) -> int:
    """Add further languages to the version in force; who accepted it is not asked again.

    Raises RefusedError where there are no terms, or for a language that they are in already: accepted words stay.
    """
    there = office.store.terms(office.desk.tenant.id)
    if not there:
        raise RefusedError("there are no terms to translate: set them first")
    for language in texts:
        if any(one.language == language for one in there):
            raise RefusedError(f"the terms are in {language!r} already: changed words are a new version")
    _add(office, there[0].version, texts, "terms translated")
    return there[0].version


def drop_terms(office: Office) -> None:
    """Ask nobody for terms any more; what was accepted stays on record. Doing it again changes nothing."""
    desk = office.desk
    if office.store.terms(desk.tenant.id):
        version = office.store.terms_version(desk.tenant.id) + 1
        # An empty text marks the version that asks for nothing: numbers go on, and none is ever used twice.
        office.store.add_terms([TermsText(desk.tenant.id, version, "en", "", _sha256(""), desk.at, desk.actor)])
        desk.note("terms dropped", desk.tenant.id, version=version)


def _add(office: Office, version: int, texts: Mapping[str, str], action: str) -> None:
    desk = office.desk
    made = []
    for language, text in texts.items():
        if language not in LANGUAGES:
            raise RefusedError(f"language {language!r} is not one of the portal's: {', '.join(LANGUAGES)}")
        if not text.strip():
            raise RefusedError(f"the terms in {language!r} are empty: give their text")
        numbering.clean_words(text, f"the text in {language!r}", LONGEST_TERMS)
        made.append(TermsText(desk.tenant.id, version, language, text, _sha256(text), desk.at, desk.actor))
    office.store.add_terms(made)
    desk.note(action, desk.tenant.id, version=version, sha256={one.language: one.sha256 for one in made})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
