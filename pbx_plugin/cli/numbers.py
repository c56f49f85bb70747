"""``pbx-plugin numbers``: direct numbers and consent numbers, and where each leads."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.domain.rulebook import ConsentNumber, DirectNumber
from pbx_plugin.services import numbers_service
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(help="Direct numbers (DDIs) and consent numbers.", no_args_is_help=True, context_settings=WIDE)

_TARGETS = "a group, user:EXTENSION or dialplan:CONTEXT,EXTENSION,PRIORITY"
Yes = Annotated[str | None, typer.Option(metavar="TARGET", help=f"Where callers who say yes go: {_TARGETS}.")]
No = Annotated[str | None, typer.Option(metavar="TARGET", help=f"Where callers who say no go: {_TARGETS}.")]
Language = Annotated[str | None, typer.Option(metavar="LANGUAGE", help="Language of the prompts, as en or da.")]
Countries = Annotated[
    list[str] | None,
    typer.Option("--country", metavar="COUNTRY=LANGUAGE", help="Callers from there hear that, as SE=sv; repeatable."),
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="KEY=LANGUAGE", help="A key that chooses a language, as 9=en; repeatable."),
]
OneLanguage = Annotated[bool, typer.Option("--one-language", help="Take all countries and keys for languages away.")]
Purpose = Annotated[str | None, typer.Option(metavar="WORD", help="Purpose that the prompt names, as quality.")]
KeepDays = Annotated[int | None, typer.Option(metavar="DAYS", help="Keeping time that the prompt names.")]
Tries = Annotated[int | None, typer.Option(metavar="COUNT", help="How often the question is put in all.")]
TimeoutMs = Annotated[int | None, typer.Option(metavar="MS", help="How long an answer is awaited, in milliseconds.")]


@app.command("list")
def list_numbers(json: Json = False, tenant: Company = "") -> None:
    """List direct numbers and consent numbers, and where they lead."""
    with looking(tenant) as desk:
        found = [_direct(desk, number) for number in desk.directory.direct_numbers(desk.tenant.id)]
        found += [_consent(desk, number) for number in desk.directory.consent_numbers(desk.tenant.id)]
    if json:
        speech.say_json(found)
    else:
        _show(found)


@app.command()
def add_ddi(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Direct number, in any spelling.")],
    user: Annotated[str, typer.Option(metavar="USER", help="Leads to this user.")] = "",
    group: Annotated[str, typer.Option(metavar="GROUP", help="Leads to this hunt group.")] = "",
    consent: Annotated[str, typer.Option(metavar="NUMBER", help="Leads to this consent number.")] = "",
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add a direct number that leads to a user, a hunt group or a consent number."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        shown = _direct(desk, numbers_service.add_ddi(desk, number, user=user, group=group, consent=consent))
    _tell(shown, json)


@app.command()
def add_consent(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Internal number on which callers are asked.")],
    yes: Yes = None,
    no: No = None,
    language: Language = None,
    purpose: Purpose = None,
    keep_days: KeepDays = None,
    tries: Tries = None,
    timeout_ms: TimeoutMs = None,
    country: Countries = None,
    key: Keys = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add a number on which callers are asked for consent; --yes and --no are needed."""
    wish = numbers_service.ConsentWish(
        number, yes, no, language, purpose, keep_days, tries, timeout_ms, country or None, key or None
    )
    with changing(tenant, actor, dry_run=dry_run) as desk:
        shown = _consent(desk, numbers_service.add_consent(desk, wish))
    _tell(shown, json)


@app.command()
def set_consent(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Consent number or id.")],
    new_number: Annotated[str | None, typer.Option("--number", metavar="NUMBER", help="Another number.")] = None,
    yes: Yes = None,
    no: No = None,
    language: Language = None,
    purpose: Purpose = None,
    keep_days: KeepDays = None,
    tries: Tries = None,
    timeout_ms: TimeoutMs = None,
    country: Countries = None,
    key: Keys = None,
    one_language: OneLanguage = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change a consent number; what is not named stays. --country and --key replace all earlier ones of their kind."""
    if one_language and (country or key):
        raise RefusedError("--one-language takes countries and keys away: leave out --country and --key")
    countries = [] if one_language else country or None
    keys = [] if one_language else key or None
    wish = numbers_service.ConsentWish(
        new_number, yes, no, language, purpose, keep_days, tries, timeout_ms, countries, keys
    )
    if wish == numbers_service.ConsentWish():
        raise RefusedError("nothing to set: name at least one option, see 'pbx-plugin numbers set-consent --help'")
    with changing(tenant, actor, dry_run=dry_run) as desk:
        consent = numbers_service.find_consent(desk, number)
        shown = _consent(desk, numbers_service.change_consent(desk, consent, wish))
    _tell(shown, json)


@app.command()
def remove(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Direct number in any spelling, or consent number.")],
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Remove a direct number or a consent number."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        gone = numbers_service.remove(desk, number)
        shown = _direct(desk, gone) if isinstance(gone, DirectNumber) else _consent(desk, gone)
    if json:
        speech.say_json(shown)
    else:
        speech.line(f"removed {shown['kind']} {shown['number']}")


def _direct(desk: Desk, number: DirectNumber) -> dict[str, Any]:
    if number.user_id:
        people = desk.directory.people(desk.tenant.id, removed=True)
        kind, target = "user", next((p.extension for p in people if p.id == number.user_id), number.user_id)
    elif number.group_id:
        groups = desk.directory.groups(desk.tenant.id)
        kind, target = "group", next((g.name for g in groups if g.id == number.group_id), number.group_id)
    else:
        consents = desk.directory.consent_numbers(desk.tenant.id)
        identity = number.consent_number_id
        kind, target = "consent number", next((c.number for c in consents if c.id == identity), identity)
    return {"kind": "ddi", "number": number.e164, "leads_to": kind, "target": target}


def _consent(desk: Desk, number: ConsentNumber) -> dict[str, Any]:
    names = {group.id: group.name for group in desk.directory.groups(desk.tenant.id)}
    names |= {person.id: person.extension for person in desk.directory.people(desk.tenant.id)}
    targets = {}
    for answer in ("yes", "no"):
        kind, value = numbers_service.leads_to(number, answer)
        targets[answer] = names.get(value, value) if kind == "group" else f"{kind}:{names.get(value, value)}"
    return {
        "kind": "consent number",
        "number": number.number,
        "id": number.id,
        "yes": targets["yes"],
        "no": targets["no"],
        "language": number.language,
        "by_country": dict(number.by_country),
        "by_key": dict(number.by_key),
        "purpose": number.purpose,
        "keep_days": number.keep_days,
        "tries": number.tries,
        "timeout_ms": number.timeout_ms,
    }


def _tell(shown: dict[str, Any], json: bool) -> None:
    if json:
        speech.say_json(shown)
    else:
        _show([shown])


def _show(found: list[dict[str, Any]]) -> None:
    rows = []
    for number in found:
        if number["kind"] == "ddi":
            leads = f"{number['leads_to']} {number['target']}"
        else:
            leads = (
                f"1 = {number['yes']}, 2 = {number['no']}; {_languages(number)}, {number['purpose']}, "
                f"{number['keep_days']} days, {number['tries']} tries of {number['timeout_ms']} ms"
            )
        rows.append((number["number"], number["kind"], leads))
    speech.table(("number", "kind", "leads to"), rows, "no numbers yet: see 'pbx-plugin numbers --help'")


def _languages(number: dict[str, Any]) -> str:
    others = [f"{country}: {language}" for country, language in number["by_country"].items()]
    others += [f"key {key}: {language}" for key, language in number["by_key"].items()]
    return f"{number['language']} ({', '.join(others)})" if others else str(number["language"])
