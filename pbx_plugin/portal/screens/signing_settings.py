"""A company's rules for signing in, its terms of use, and the company itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from pbx_plugin.domain.access import Action, Role, Viewer
from pbx_plugin.domain.signing import LIMITS, plain_rules
from pbx_plugin.portal.desks import changing, looking, office
from pbx_plugin.portal.door import Needs
from pbx_plugin.portal.handing import form_of
from pbx_plugin.portal.pages import go, page, tongue_of
from pbx_plugin.portal.words import LANGUAGES
from pbx_plugin.services import company as companies
from pbx_plugin.services import portal_settings
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.portal_settings import LONGEST_TERMS

router = APIRouter()

Setter = Annotated[Viewer, Depends(Needs(Action.SETTINGS))]
Filled = Annotated[FormData, Depends(form_of)]
RULES, TERMS, COMPANY = "/settings/signing", "/settings/terms", "/settings/company"
SWITCHES = ("lower", "upper", "digit", "special", "change_on_first", "confirm_by_mail")


@router.get("/settings")
def settings(request: Request, viewer: Setter) -> Response:
    """Lead to the first page of settings."""
    del viewer
    return go(request, COMPANY)


@router.get(RULES)
def rules(request: Request, viewer: Setter) -> Response:
    """Show the rules for signing in."""
    with office(request, viewer) as opened:
        return _rules(request, plain_rules(opened.store.rules(viewer.tenant_id)))


@router.post(RULES)
def save_rules(request: Request, viewer: Setter, sent: Filled) -> Response:
    """Let these rules be in force at once."""
    wanted: dict[str, Any] = {name: name in sent for name in SWITCHES}
    for name in LIMITS:
        text = str(sent.get(name, "")).strip()
        wanted[name] = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text
    wanted["factor_roles"] = [str(role) for role in sent.getlist("factor_roles")]
    try:
        with office(request, viewer, change=True) as opened:
            portal_settings.change_rules(opened, wanted)
    except RefusedError as error:
        return _rules(request, wanted, str(error))
    return go(request, RULES, said=tongue_of(request).gettext("The settings are saved."))


@router.get(TERMS)
def terms(request: Request, viewer: Setter) -> Response:
    """Show the terms in force in every language, and how many accepted them."""
    return _terms(request, viewer)


@router.post(TERMS)
def save_terms(request: Request, viewer: Setter, sent: Filled) -> Response:
    """Put a new version in force, which everybody accepts with their next click; without any text, none."""
    texts = {language: str(sent.get(language, "")).replace("\r\n", "\n").strip() for language in LANGUAGES}
    texts = {language: text for language, text in texts.items() if text}
    try:
        with office(request, viewer, change=True) as opened:
            before = {one.language: one.text.strip() for one in opened.store.terms(viewer.tenant_id)}
            if not texts:
                portal_settings.drop_terms(opened)
            elif before and before.items() <= texts.items():
                # Words that were accepted are as they were: what is new is a translation, and nobody is asked again.
                fresh = {language: text for language, text in texts.items() if language not in before}
                if fresh:
                    portal_settings.translate_terms(opened, fresh)
            else:
                portal_settings.set_terms(opened, texts)
    except RefusedError as error:
        return _terms(request, viewer, texts, str(error))
    return go(request, TERMS, said=tongue_of(request).gettext("The settings are saved."))


@router.get(COMPANY)
def company(request: Request, viewer: Setter) -> Response:
    """Show the company's name, country and language."""
    with looking(request, viewer) as desk:
        return page(request, "settings_company.html", tenant=desk.tenant, typed=desk.tenant.name, problem="")


@router.post(COMPANY)
def save_company(
    request: Request, viewer: Setter, name: Annotated[str, Form()] = "", language: Annotated[str, Form()] = ""
) -> Response:
    """Change name and language."""
    try:
        with changing(request, viewer) as desk:
            companies.change(desk, name=name, language=language)
    except RefusedError as error:
        with looking(request, viewer) as desk:
            return page(
                request, "settings_company.html", status=422, tenant=desk.tenant, typed=name, problem=str(error)
            )
    return go(request, COMPANY, said=tongue_of(request).gettext("The settings are saved."))


def _rules(request: Request, values: dict[str, Any], problem: str = "") -> Response:
    return page(
        request,
        "settings_signing.html",
        status=422 if problem else 200,
        values=values,
        limits=LIMITS,
        roles=[role.value for role in Role],
        problem=problem,
    )


def _terms(request: Request, viewer: Viewer, typed: dict[str, str] | None = None, problem: str = "") -> Response:
    with office(request, viewer) as opened:
        there = opened.store.terms(viewer.tenant_id)
        everyone = opened.store.accounts(viewer.tenant_id)
        version = there[0].version if there else 0
        accepted = sum(any(one.version == version for one in opened.store.accepted(who)) for who in everyone)
    return page(
        request,
        "settings_terms.html",
        status=422 if problem else 200,
        typed={one.language: one.text for one in there} if typed is None else typed,
        version=version,
        accepted=accepted if version else 0,
        accounts=len(everyone),
        longest=LONGEST_TERMS,
        problem=problem,
    )
