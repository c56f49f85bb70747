"""``pbx-plugin users notify`` and ``acknowledge``: telling users that they are recorded, and that they know."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.cli.users import Everyone, Who, chosen
from pbx_plugin.services import enrolment, people
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.people_records import Notice

Department = Annotated[
    str | None, typer.Option("--in-department", metavar="NAME", help="Everybody in this department.")
]
How = Annotated[str, typer.Option(metavar="TEXT", help="How they acknowledged, as 'signed on paper'.")]
Code = Annotated[str, typer.Option(metavar="CODE", help="The one-time code that was mailed, instead of naming users.")]


def add_commands(app: typer.Typer) -> None:
    """Give the users' group these commands."""
    app.command("notify")(notify)
    app.command("acknowledge")(acknowledge)
    app.command("notices")(notices)


def notify(
    users: Everyone = None,
    in_department: Department = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Tell enrolled users again that they are recorded; an earlier acknowledgement stays with the earlier notice."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        picked = chosen(desk, users or [], in_department)
        strangers = [person.extension for person in picked if not person.enrolled]
        if strangers:
            raise RefusedError(
                f"user {strangers[0]} is not enrolled: 'pbx-plugin users enrol {strangers[0]}' tells them"
            )
        shown = [_plain(notice) for notice in enrolment.tell(desk, picked)]
        without = [person.extension for person in picked if not person.email]
    if json:
        speech.say_json(shown)
        return
    speech.line(f"{len(shown)} notices written; 'pbx-plugin mail run' sends what has an address")
    if without:
        speech.hint(f"{len(without)} without an e-mail address ({', '.join(without[:5])}): tell them in another way")


def acknowledge(
    users: Everyone = None,
    in_department: Department = None,
    how: How = "",
    code: Code = "",
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Keep that users acknowledged their last notice: in a way that you name, or by the code that was mailed to one."""
    if bool(code) == bool(how) or (code and (users or in_department is not None)):
        raise RefusedError("name users and --how they acknowledged, or give the --code of one of them")
    with changing(tenant, actor, dry_run=dry_run) as desk:
        if code:
            done = [enrolment.acknowledge_by_code(desk, code)]
        else:
            done = [enrolment.acknowledge(desk, one, how) for one in chosen(desk, users or [], in_department)]
        names = {person.id: person for person in desk.directory.people(desk.tenant.id)}
        shown = [{**_plain(notice), "extension": names[notice.person_id].extension} for notice in done]
    if json:
        speech.say_json(shown)
        return
    for notice in shown:
        who, when = notice["acknowledged_by"], notice["acknowledged_at"]
        speech.line(
            f"user {notice['extension']}: acknowledged {speech.safe(when)} by {who}, {notice['acknowledged_how']}"
        )


def notices(user: Who, json: Json = False, tenant: Company = "") -> None:
    """Show what a user was told, word for word, and what they acknowledged."""
    with looking(tenant) as desk:
        person = people.find(desk, user)
        found = [_plain(notice) for notice in desk.directory.notices(desk.tenant.id, person.id)]
    if json:
        speech.say_json(found)
        return
    for notice in found:
        speech.fields({name: value for name, value in notice.items() if name not in ("text", "user_id")})
        speech.block(notice["text"] + "\n")
    if not found:
        speech.line(f"user {person.extension} was never told anything")


def _plain(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "user_id": notice.person_id,
        "at": notice.at,
        "author": notice.author,
        "mode": notice.mode.value,
        "language": notice.language,
        "text_version": notice.text_version,
        "text_sha256": notice.text_sha256,
        "code_until": notice.code_until,
        "acknowledged_at": notice.acknowledged_at,
        "acknowledged_by": notice.acknowledged_by,
        "acknowledged_how": notice.acknowledged_how,
        "acknowledged_sha256": notice.acknowledged_sha256,
        "text": notice.text,
    }
