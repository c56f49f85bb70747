"""``pbx-plugin portal terms`` and ``portal rules``: what is asked of those who sign in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json
from pbx_plugin.cli.portal_office import at_work, looking_at
from pbx_plugin.domain.signing import LIMITS, Rules, plain_rules
from pbx_plugin.services import portal_settings
from pbx_plugin.services.directory import RefusedError

terms_app = typer.Typer(
    help="Terms of use: accepted at the first sign-in, and again when they are new.",
    no_args_is_help=True,
    context_settings=WIDE,
)
rules_app = typer.Typer(
    help="Rules for signing in: passwords, sessions, second factor, waiting after failures.",
    no_args_is_help=True,
    context_settings=WIDE,
)

LARGEST_FILE = 1_000_000
_YES_NO = {"yes": True, "no": False}


@terms_app.command("set")
def set_terms(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[LANG=FILE]...", help="A language and its text file (UTF-8).")
    ] = None,
    translation: Annotated[
        bool, typer.Option("--translation", help="Add languages to the version in force; nobody is asked again.")
    ] = False,
    none: Annotated[bool, typer.Option("--none", help="Ask for no terms from now on.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Put a new version of the terms in force: everybody is asked with their next click."""
    if none and (texts or translation):
        raise RefusedError("--none takes no texts: leave them out")
    read = _read(texts or [])
    version = None
    with at_work(tenant, actor, dry_run=dry_run) as office:
        if none:
            portal_settings.drop_terms(office)
        elif translation:
            version = portal_settings.translate_terms(office, read)
        else:
            version = portal_settings.set_terms(office, read)
    if json:
        speech.say_json({"version": version, "languages": sorted(read)})
    elif none:
        speech.line("nobody is asked for terms")
    else:
        speech.line(f"version {version} of the terms is in force, now with {', '.join(sorted(read))}")


@terms_app.command()
def show(
    language: Annotated[str, typer.Option(metavar="LANG", help="Print the text in this language.")] = "",
    json: Json = False,
    tenant: Company = "",
) -> None:
    """Show the version in force, its languages and how many accepted it."""
    with looking_at(tenant) as office:
        texts = office.store.terms(office.desk.tenant.id)
        everyone = office.store.accounts(office.desk.tenant.id)
        version = texts[0].version if texts else 0
        accepted = sum(any(one.version == version for one in office.store.accepted(who)) for who in everyone)
    if language:
        text = next((one.text for one in texts if one.language == language), None)
        if text is None:
            there = ", ".join(one.language for one in texts) or "none at all"
            raise RefusedError(f"there are no terms in {language!r}: there are {there}")
        speech.block(text)
        return
    if json:
        plain = [{"language": t.language, "sha256": t.sha256, "text": t.text} for t in texts]
        speech.say_json({"version": version or None, "accepted": accepted, "accounts": len(everyone), "texts": plain})
    elif not texts:
        speech.line("there are no terms: nobody is asked")
    else:
        speech.fields(
            {
                "version": version,
                "since (UTC)": texts[0].created_at,
                "by": texts[0].created_by,
                "languages": ", ".join(one.language for one in texts),
                "accepted by": f"{accepted} of {len(everyone)} accounts",
            }
        )


@rules_app.command("show")
def show_rules(json: Json = False, tenant: Company = "") -> None:
    """Show the rules, and what each may be."""
    with looking_at(tenant) as office:
        rules = office.store.rules(office.desk.tenant.id)
    _say(rules, json=json)


@rules_app.command("set")
def set_rules(
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="RULE=VALUE...", help="A number, yes or no, or for factor_roles roles with commas ('' none)."
        ),
    ],
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Set rules by name, in force at once; 0 switches off what can be off."""
    wanted = dict(_typed(value) for value in values)
    with at_work(tenant, actor, dry_run=dry_run) as office:
        rules = portal_settings.change_rules(office, wanted)
    _say(rules, json=json)


def _say(rules: Rules, *, json: bool) -> None:
    plain = plain_rules(rules)
    if json:
        speech.say_json(plain)
        return
    rows = [
        (name, _word(value), _word(plain_rules(Rules())[name]), _limits(name, value)) for name, value in plain.items()
    ]
    speech.table(("rule", "value", "usual", "may be"), rows, "")


def _limits(name: str, value: object) -> str:
    if name in LIMITS:
        return "{} to {}".format(*LIMITS[name])
    return "yes or no" if isinstance(value, bool) else "none, own, restricted, superuser"


def _word(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value


def _typed(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise RefusedError(f"{text!r} is no rule and value: write it as length=10")
    if name == "factor_roles":
        return name, [role.strip() for role in value.split(",") if role.strip()]
    if value in _YES_NO:
        return name, _YES_NO[value]
    return name, int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else value


def _read(texts: list[str]) -> dict[str, str]:
    read: dict[str, str] = {}
    for text in texts:
        language, sign, file = text.partition("=")
        if not sign or not file:
            raise RefusedError(f"{text!r} is no language and file: write it as en=terms.txt")
        if language in read:
            raise RefusedError(f"language {language!r} is there twice: give each once")
        path = Path(file)
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise RefusedError(f"{file} is too large for terms: at most {LARGEST_FILE} bytes")
            read[language] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RefusedError(f"{file} cannot be read as text: {error}") from error
    return read
