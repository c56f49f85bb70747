"""``pbx-plugin mail``: the outbox of notices to users."""

from __future__ import annotations

import signal
import threading
from typing import Annotated, Any

import typer

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Company, Json, TroubleError, engine, looking
from pbx_plugin.db.mail_outbox import DatabaseOutbox
from pbx_plugin.mail.smtp import SmtpSender
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.mailing import Delivered, deliver
from pbx_plugin.services.people_records import Mail, MailState
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.settings import load_settings

app = typer.Typer(help="The outbox: notices to users, by e-mail.", no_args_is_help=True, context_settings=WIDE)


@app.command("list")
def list_mails(
    state: Annotated[MailState | None, typer.Option(help="Only mails of this state.")] = None,
    json: Json = False,
    tenant: Company = "",
) -> None:
    """List the last 1000 mails, newest first. One-time codes are never shown."""
    with looking(tenant) as desk:
        mails = desk.directory.mails(desk.tenant.id)
    found = [_plain(mail) for mail in mails if state is None or mail.state is state]
    if json:
        speech.say_json(found)
        return
    columns = ("id", "at", "address", "subject", "state", "attempts", "due_at", "error")
    rows = [[mail["id"][:8], *(mail[column] for column in columns[1:])] for mail in found]
    speech.table(columns, rows, "the outbox is empty")


@app.command()
def run(
    stay: Annotated[bool, typer.Option("--stay", help="Go on until told to end, looking every 10 seconds.")] = False,
    json: Json = False,
) -> None:
    """Send what is due, all companies' mails; for cron, or as a service with --stay."""
    settings = load_settings().mail
    if not settings.host:
        raise RefusedError("no mail server is set: give [mail] host in the configuration; until then mails wait")
    stopping = threading.Event()
    if stay:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
    with engine() as opened, SmtpSender(settings) as sender:
        outbox = DatabaseOutbox(opened)
        done = _once(outbox, sender, stay=stay)
        while stay and not stopping.wait(10.0):
            done = _once(outbox, sender, stay=stay)
    if json:
        speech.say_json({"sent": done.sent, "later": done.later, "failed": done.failed, "trouble": done.trouble})
    elif not stay:
        speech.line(f"{done.sent} sent, {done.later} to be tried again, {done.failed} given up")
    if done.trouble and not stay:
        raise TroubleError(done.trouble)


@app.command()
def retry(
    mail: Annotated[str, typer.Argument(metavar="MAIL", help="Beginning of the mail's id.")],
    json: Json = False,
    tenant: Company = "",
) -> None:
    """Let a mail that waits be tried at the next run. One that was given up is sent anew by 'users notify'."""
    with looking(tenant) as desk:
        found = [one for one in desk.directory.mails(desk.tenant.id) if one.id.startswith(mail)]
        company = desk.tenant.id
    if len(found) != 1:
        raise RefusedError(f"{'several mails begin' if found else 'no mail begins'} with {mail!r}: see 'mail list'")
    with engine() as opened:
        if not DatabaseOutbox(opened).retry(company, found[0].id, clock.now()):
            raise RefusedError(f"mail {mail!r} is {found[0].state}: only one that waits can be tried again")
    if json:
        speech.say_json(_plain(found[0]))
    else:
        speech.line(f"mail to {found[0].address} will be tried at the next run")


def _once(outbox: DatabaseOutbox, sender: SmtpSender, *, stay: bool) -> Delivered:
    try:
        done = deliver(outbox, sender, clock.now)
    except StoreUnavailableError as error:
        if not stay:
            raise
        done = Delivered(trouble=str(error))
    if stay and (done.sent or done.failed or done.trouble):
        speech.hint(f"{done.sent} sent, {done.later} later, {done.failed} given up {done.trouble}".rstrip())
    return done


def _plain(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "user_id": mail.about,
        "at": mail.at,
        "address": mail.address,
        "subject": mail.subject,
        "state": mail.state.value,
        "attempts": mail.attempts,
        "due_at": mail.due_at if mail.state is MailState.PENDING else None,
        "ended_at": mail.ended_at,
        "error": mail.error,
    }
