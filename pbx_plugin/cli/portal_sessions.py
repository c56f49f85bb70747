"""``pbx-plugin portal sessions``: who is signed in, and ending it."""

from __future__ import annotations

from typing import Annotated

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json
from pbx_plugin.cli.portal_office import at_work, looking_at
from pbx_plugin.domain.signing import session_alive
from pbx_plugin.services import accounts
from pbx_plugin.services.account_records import Session
from pbx_plugin.services.accounts import Office
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(help="Who is signed in to the portal.", no_args_is_help=True, context_settings=WIDE)

AccountOption = Annotated[
    str, typer.Option("--account", metavar="ACCOUNT", help="Only of this account: e-mail address or id.")
]


@app.command("list")
def list_sessions(account: AccountOption = "", json: Json = False, tenant: Company = "") -> None:
    """List the living sessions, latest used first."""
    with looking_at(tenant) as office:
        emails = {one.id: one.email for one in office.store.accounts(office.desk.tenant.id)}
        found = [
            {
                "id": one.id,
                "email": emails[one.account_id],
                "begun": one.created_at,
                "seen": one.seen_at,
                "ends": one.ends_at,
                "keep": one.keep,
                "address": one.address,
                "agent": one.agent,
            }
            for one in _living(office, account)
        ]
    if json:
        speech.say_json(found)
        return
    columns = ("session", "account", "begun (UTC)", "last used (UTC)", "from", "browser")
    rows = [
        (str(one["id"])[:8], one["email"], one["begun"], one["seen"], one["address"], one["agent"]) for one in found
    ]
    speech.table(columns, rows, "nobody is signed in")


@app.command()
def revoke(
    session: Annotated[
        list[str] | None, typer.Argument(metavar="[SESSION]...", help="Ids or their beginnings; none with --account.")
    ] = None,
    account: AccountOption = "",
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """End sessions: those named, or all of one account."""
    if bool(session) == bool(account):
        raise RefusedError("say which: sessions by id, or all of one account with --account")
    with at_work(tenant, actor, dry_run=dry_run) as office:
        living = _living(office, account)
        chosen = [_one(living, wanted) for wanted in session] if session else living
        for one in chosen:
            office.desk.note("session ended", one.account_id, session=one.id)
        ended = office.store.end_sessions(office.desk.tenant.id, [one.id for one in chosen])
    if json:
        speech.say_json({"ended": [one.id for one in chosen]})
    else:
        speech.line(f"ended {ended} session{'' if ended == 1 else 's'}")


def _living(office: Office, account: str) -> list[Session]:
    tenant_id = office.desk.tenant.id
    rules = office.store.rules(tenant_id)
    whose = accounts.find(office, account).id if account else None
    return [
        one
        for one in office.store.sessions(tenant_id, whose)
        if session_alive(
            created_at=one.created_at,
            seen_at=one.seen_at,
            ends_at=one.ends_at,
            keep=one.keep,
            rules=rules,
            at=office.desk.at,
        )
    ]


def _one(living: list[Session], wanted: str) -> Session:
    found = [one for one in living if one.id.startswith(wanted)]
    if len(found) != 1:
        told = "there is no such session" if not found else "several sessions begin so"
        raise RefusedError(f"session {wanted!r}: {told}, see 'pbx-plugin portal sessions list'")
    return found[0]
