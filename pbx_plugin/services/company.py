"""The company itself: its name, by which people sign in where there are several, and its language."""

from __future__ import annotations

from dataclasses import replace

from pbx_plugin.domain.portal_mails import LANGUAGES
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services import numbering
from pbx_plugin.services.audit import Desk, changed
from pbx_plugin.services.directory import RefusedError


def change(desk: Desk, *, name: str, language: str) -> Tenant:
    """Set name and language; no change, no audit entry. Raises RefusedError for a name that another company has.

    The country stays: numbers were read by it.
    """
    before = desk.tenant
    name = numbering.clean_name(name, "the company's name")
    if language not in LANGUAGES:
        raise RefusedError(f"language {language!r} is not one of the portal's: {', '.join(LANGUAGES)}")
    if any(one.id != before.id and one.name.casefold() == name.casefold() for one in desk.directory.tenants()):
        raise RefusedError(f"another company here is called {name!r} already")
    after = replace(before, name=name, language=language)
    if after != before:
        desk.directory.save_tenant(after)
        was, now = ({"name": one.name, "language": one.language} for one in (before, after))
        desk.note("company changed", before.id, **changed(was, now))
    return after
