"""``pbx-plugin portal``: the portal itself, who may sign in to it, and by which rules."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pbx_plugin.cli import portal_accounts, portal_run, portal_sessions, portal_settings, speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json
from pbx_plugin.cli.portal_office import at_work, shown_link
from pbx_plugin.domain.access import Role
from pbx_plugin.domain.signing import email_key
from pbx_plugin.services import accounts
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(
    help="The portal: running it, accounts, sessions, terms of use and rules for signing in.",
    no_args_is_help=True,
    context_settings=WIDE,
)
app.command("run")(portal_run.run)
app.add_typer(portal_accounts.app, name="accounts")
app.add_typer(portal_sessions.app, name="sessions")
app.add_typer(portal_settings.terms_app, name="terms")
app.add_typer(portal_settings.rules_app, name="rules")


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail address: the account's name.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="Name. [default: the address]")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read a first password, one line; it is changed at first sign-in.")
    ] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Make a superuser (also of an account that is there), and print the link that sets the password, this once."""
    password = _typed() if password_stdin else None
    with at_work(tenant, actor, dry_run=dry_run) as office:
        wish = accounts.AccountWish(email=email, name=name or None, role=Role.SUPERUSER)
        there = office.store.account_called(office.desk.tenant.id, email_key(email))
        account = accounts.add(office, wish) if there is None else accounts.change(office, there, wish)
        if not account.active:
            account = accounts.unlock(office, account)
        if password is not None:
            accounts.set_first_password(office, account, password)
            link = ""
        else:
            token = accounts.invite(office, account, mailed=False)
            link = "" if dry_run else shown_link(office, token)
        rules = office.store.rules(account.tenant_id)
    if json:
        speech.say_json({"id": account.id, "email": account.email, "role": account.role.value, "link": link or None})
    elif link:
        speech.hint(f"{account.email} sets a password here, once, within {rules.invitation_hours} hours:")
        speech.raw_line(link)
    else:
        speech.line(f"{account.email} is a superuser")


def _typed() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise RefusedError("no password on standard input: give one line")
    return password
