"""``pbx-plugin tokens``: the keys by which other programs work on a company through the REST interface."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, Json, engine, looking, named
from pbx_plugin.db.tokens import DatabaseTokens
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.tokens import PREFIX, Scope, Token

app = typer.Typer(
    help="Tokens of the REST interface: which program may do what.", no_args_is_help=True, context_settings=WIDE
)

LONGEST_LIFE_DAYS = 3650


@app.command("list")
def list_tokens(json: Json = False, tenant: Company = "") -> None:
    """List the tokens, with when and from where each was used last; revoked and expired ones too."""
    with _tokens(tenant, "") as (tokens, desk):
        found, at = tokens.of(desk.tenant.id), desk.at
    if json:
        speech.say_json([_plain(token, at) for token in found])
        return
    columns = ("token", "name", "state", "expires (UTC)", "last used (UTC)", "from", "scopes")
    rows = [
        (t.id[:8], t.name, _state(t, at), t.expires_at or "never", t.used_at, t.used_from, ", ".join(t.scopes))
        for t in found
    ]
    speech.table(columns, rows, "no tokens yet: create one with 'pbx-plugin tokens create'")


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for; the audit calls the program so.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help=f"A right, repeat for several: {', '.join(Scope)}."),
    ] = None,
    days: Annotated[int, typer.Option(metavar="DAYS", help="How long it opens anything; 0 is for good.", min=0)] = 365,
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Create a token and print it: this once, for only its SHA-256 is kept."""
    if days > LONGEST_LIFE_DAYS:
        raise RefusedError(f"{days} days are too many: at most {LONGEST_LIFE_DAYS}, or 0 for good")
    secret = PREFIX + secrets.token_urlsafe(32)
    with _tokens(tenant, actor) as (tokens, desk):
        expiry = desk.at + timedelta(days=days) if days else None
        token = tokens.create(desk, secret, name, scope or [], expiry)
    if json:
        speech.say_json({**_plain(token, desk.at), "secret": secret})
    else:
        speech.hint(f"token {token.name}: it is shown this once; send it as 'Authorization: Bearer TOKEN'")
        speech.raw_line(secret)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Name or id.")],
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Revoke a token: it opens nothing from now on."""
    with _tokens(tenant, actor) as (tokens, desk):
        gone = tokens.revoke(desk, token)
    if json:
        speech.say_json({"id": gone.id, "name": gone.name})
    else:
        speech.line(f"revoked token {gone.name}")


@contextmanager
def _tokens(company: str, actor: str) -> Iterator[tuple[DatabaseTokens, Desk]]:
    with looking(company) as seen:
        desk = Desk(seen.directory, seen.tenant, named(actor), clock.now(), seen.new_id)
    with engine() as opened:
        yield DatabaseTokens(opened), desk


def _state(token: Token, at: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "in force" if token.alive(at) else "expired"


def _plain(token: Token, at: datetime) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "state": _state(token, at),
        "scopes": list(token.scopes),
        "created": token.created_at,
        "created_by": token.created_by,
        "expires": token.expires_at,
        "revoked": token.revoked_at,
        "used": token.used_at,
        "used_from": token.used_from,
    }
