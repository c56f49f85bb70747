"""``pbx-plugin portal accounts``: who may sign in, and what each may see and do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json
from pbx_plugin.cli.portal_office import at_work, looking_at, shown_link
from pbx_plugin.domain.access import UNDEFINED_DEPARTMENT, Role
from pbx_plugin.domain.portal_mails import LANGUAGES
from pbx_plugin.services import accounts
from pbx_plugin.services.account_records import Account
from pbx_plugin.services.accounts import AccountWish, Office
from pbx_plugin.services.directory import UNDEFINED, RefusedError

app = typer.Typer(
    help="Accounts of the portal: who may sign in, and what each may see and do.",
    no_args_is_help=True,
    context_settings=WIDE,
)

Who = Annotated[str, typer.Argument(metavar="ACCOUNT", help="E-mail address or id.")]
RoleOption = Annotated[
    Role | None,
    typer.Option("--role", metavar="ROLE", help=f"How far it sees: {', '.join(Role)}.", show_choices=False),
]
NameOption = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name. [default: the address]")]
UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="USER", help="The user that it belongs to: extension, name or id; '' for none."),
]
DepartmentOption = Annotated[
    list[str] | None,
    typer.Option("--department", metavar="NAME", help="A department that a restricted account sees; repeat, '' none."),
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option(
        "--recording-group", metavar="NAME", help="A recording group that a restricted account sees; repeat, '' none."
    ),
]
Listen = Annotated[bool | None, typer.Option("--may-listen/--no-listen", help="May listen.", show_default=False)]
Download = Annotated[
    bool | None, typer.Option("--may-download/--no-download", help="May download.", show_default=False)
]
MailSwitch = Annotated[bool | None, typer.Option("--may-mail/--no-mail", help="May mail links.", show_default=False)]
Language = Annotated[str | None, typer.Option("--language", metavar="LANG", help=f"Language: {', '.join(LANGUAGES)}.")]
ShowLink = Annotated[bool, typer.Option("--show-link", help="Print the link, this once, in place of mailing it.")]


@app.command("list")
def list_accounts(json: Json = False, tenant: Company = "") -> None:
    """List the accounts."""
    with looking_at(tenant) as office:
        found = [_plain(office, account) for account in office.store.accounts(office.desk.tenant.id)]
    if json:
        speech.say_json(found)
        return
    columns = ("e-mail", "name", "role", "user", "sees", "state", "may", "signed in (UTC)")
    rows = [
        (
            one["email"],
            one["name"],
            one["role"],
            one["user"],
            ", ".join([*one["departments"], *one["recording_groups"]]),
            one["state"],
            ", ".join(word for word in ("listen", "download", "mail") if one[f"may_{word}"]),
            one["signed_in"],
        )
        for one in found
    ]
    speech.table(columns, rows, "no accounts yet: make one with 'pbx-plugin portal create-admin'")


@app.command()
def show(account: Who, json: Json = False, tenant: Company = "") -> None:
    """Show one account, with what it accepted."""
    with looking_at(tenant) as office:
        found = accounts.find(office, account)
        told = _plain(office, found)
        told["recovery_codes_left"] = office.store.recovery_codes_left(found)
        told["sessions"] = len(office.store.sessions(found.tenant_id, found.id))
        told["terms_accepted"] = [
            {"version": one.version, "language": one.language, "at": one.at, "sha256": one.sha256}
            for one in office.store.accepted(found)
        ]
    if json:
        speech.say_json(told)
        return
    accepted = ", ".join(f"version {one['version']} on {speech.safe(one['at'])}" for one in told["terms_accepted"])
    lists = {name: ", ".join(told[name]) for name in ("departments", "recording_groups")}
    speech.fields({**told, **lists, "terms_accepted": accepted})


@app.command()
def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail address: the account's name.")],
    name: NameOption = None,
    role: RoleOption = None,
    user: UserOption = None,
    department: DepartmentOption = None,
    recording_group: GroupOption = None,
    may_listen: Listen = None,
    may_download: Download = None,
    may_mail: MailSwitch = None,
    language: Language = None,
    invite_now: Annotated[bool, typer.Option("--invite", help="Mail the invitation at once.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add an account; without more it has no role, may listen, and neither download nor mail."""
    wish = AccountWish(
        email,
        name,
        language,
        role,
        user,
        _chosen(department),
        _chosen(recording_group),
        may_listen,
        may_download,
        may_mail,
    )
    with at_work(tenant, actor, dry_run=dry_run) as office:
        account = accounts.add(office, wish)
        if invite_now:
            accounts.invite(office, account)
        told = _plain(office, account)
    _say(told, f"added account {account.email}" + (", and invited it" if invite_now else ""), json=json)


@app.command()
def change(
    account: Who,
    email: Annotated[str | None, typer.Option(metavar="EMAIL", help="Another e-mail address.")] = None,
    name: NameOption = None,
    role: RoleOption = None,
    user: UserOption = None,
    department: DepartmentOption = None,
    recording_group: GroupOption = None,
    may_listen: Listen = None,
    may_download: Download = None,
    may_mail: MailSwitch = None,
    language: Language = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change what is named; departments and groups replace those before. Another role or address ends sessions."""
    wish = AccountWish(
        email,
        name,
        language,
        role,
        user,
        _chosen(department),
        _chosen(recording_group),
        may_listen,
        may_download,
        may_mail,
    )
    with at_work(tenant, actor, dry_run=dry_run) as office:
        changed = accounts.change(office, accounts.find(office, account), wish)
        told = _plain(office, changed)
    _say(told, f"account {changed.email} is so now", json=json)


@app.command()
def remove(account: Who, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Remove an account for good; what it did and accepted stays on record."""
    with at_work(tenant, actor, dry_run=dry_run) as office:
        found = accounts.find(office, account)
        told = _plain(office, found)
        accounts.remove(office, found)
    _say(told, f"removed account {found.email}", json=json)


@app.command()
def invite(
    account: Who,
    show_link: ShowLink = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Mail an invitation with a one-time link; earlier links are dead."""
    with at_work(tenant, actor, dry_run=dry_run) as office:
        found = accounts.find(office, account)
        token = accounts.invite(office, found, mailed=not show_link)
        link = shown_link(office, token) if show_link and not dry_run else ""
    _say_link(found, link, "an invitation", json=json)


@app.command()
def reset(
    account: Who,
    show_link: ShowLink = False,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Take the second factor away; the password stays, no link is made.")
    ] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Mail a link to set a new password; or take a lost second factor away."""
    if second_factor and show_link:
        raise RefusedError("--second-factor makes no link: leave --show-link out")
    link = ""
    with at_work(tenant, actor, dry_run=dry_run) as office:
        found = accounts.find(office, account)
        if second_factor:
            accounts.drop_factor(office, found)
            told = _plain(office, accounts.find(office, found.id))
        else:
            token = accounts.reset(office, found, mailed=not show_link)
            link = shown_link(office, token) if show_link and not dry_run else ""
    if second_factor:
        _say(told, f"account {found.email} has no second factor any more", json=json)
    else:
        _say_link(found, link, "a link to set a new password", json=json)


@app.command()
def lock(account: Who, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Switch signing in off; sessions and links end at once."""
    with at_work(tenant, actor, dry_run=dry_run) as office:
        found = accounts.lock(office, accounts.find(office, account))
        told = _plain(office, found)
    _say(told, f"account {found.email} cannot sign in", json=json)


@app.command()
def unlock(account: Who, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Switch signing in on, and forget failed tries: nothing has to be waited for."""
    with at_work(tenant, actor, dry_run=dry_run) as office:
        found = accounts.unlock(office, accounts.find(office, account))
        told = _plain(office, found)
    _say(told, f"account {found.email} can sign in", json=json)


def _say(told: dict[str, Any], words: str, *, json: bool) -> None:
    if json:
        speech.say_json(told)
    else:
        speech.line(words)


def _say_link(account: Account, link: str, what: str, *, json: bool) -> None:
    if json:
        speech.say_json({"id": account.id, "email": account.email, "mailed": not link, "link": link or None})
    elif link:
        speech.hint(f"{what} for {account.email}: it is shown this once, and works once")
        speech.raw_line(link)
    else:
        speech.line(f"{account.email} gets {what} with the next 'pbx-plugin mail run'")


def _chosen(words: list[str] | None) -> list[str] | None:
    # Typer gives None or an empty list for an option that was not typed; '' is typed for none at all.
    return [word for word in words if word] if words else None


def _plain(office: Office, account: Account) -> dict[str, Any]:
    directory, tenant_id = office.desk.directory, office.desk.tenant.id
    departments = {one.id: one.name for one in directory.departments(tenant_id)} | {UNDEFINED_DEPARTMENT: UNDEFINED}
    groups = {one.id: one.name for one in directory.recording_groups(tenant_id)}
    person = next((one for one in directory.people(tenant_id) if one.id == account.person_id), None)
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "role": account.role.value,
        "state": _state(account),
        "user": person.extension if person else None,
        "departments": sorted(departments[one] for one in account.department_ids if one in departments),
        "recording_groups": sorted(groups[one] for one in account.recording_group_ids if one in groups),
        "may_listen": account.may_listen,
        "may_download": account.may_download,
        "may_mail": account.may_mail,
        "language": account.language,
        "second_factor": account.factor_at is not None,
        "password_set": account.password_at,
        "signed_in": account.signed_in_at,
        "created": account.created_at,
        "created_by": account.created_by,
    }


def _state(account: Account) -> str:
    if not account.active:
        return "locked"
    return "active" if account.password_at else "no password yet"
