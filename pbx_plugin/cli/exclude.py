"""``pbx-plugin exclude``: numbers and users that are never recorded."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.domain.policy import Exclusion
from pbx_plugin.services import exclusions_service
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(
    help="The excluded list: who is never recorded, whatever the policy says.",
    no_args_is_help=True,
    context_settings=WIDE,
)

Prefix = Annotated[bool, typer.Option("--prefix", help="All numbers that begin so.")]


@app.command("list")
def list_exclusions(json: Json = False, tenant: Company = "") -> None:
    """List what is excluded, expired entries too."""
    with looking(tenant) as desk:
        found = [_plain(desk, exclusion) for exclusion in desk.directory.exclusions(desk.tenant.id)]
    if json:
        speech.say_json(found)
    else:
        _show(found)


@app.command()
def add(
    number: Annotated[str, typer.Argument(metavar="[NUMBER]", help="Number in any spelling.", show_default=False)] = "",
    prefix: Prefix = False,
    user: Annotated[str, typer.Option(metavar="USER", help="One of the users, instead of a number.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who ask later.")] = "",
    expires: Annotated[
        str, typer.Option(metavar="WHEN", help="Day (its end, UTC) or time until which it holds, as 2030-12-31.")
    ] = "",
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Exclude a number, a prefix or a user; it acts at once, and doing it again changes nothing."""
    until = _when(expires) if expires else None
    with changing(tenant, actor, dry_run=dry_run) as desk:
        exclusion = exclusions_service.add(
            desk, number=number, prefix=prefix, user=user, reason=reason, expires_at=until
        )
        shown = _plain(desk, exclusion)
    if json:
        speech.say_json(shown)
    else:
        _show([shown])


@app.command()
def remove(
    who: Annotated[str, typer.Argument(metavar="NUMBER", help="Number in any spelling, id, or with --user a user.")],
    prefix: Prefix = False,
    user: Annotated[bool, typer.Option("--user", help="NUMBER is a user of the company.")] = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Take an exclusion back."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        shown = _plain(desk, exclusions_service.remove(desk, who, prefix=prefix, user=user))
    if json:
        speech.say_json(shown)
    else:
        speech.line(f"no longer excluded: {shown['number'] or shown['user']}")


def _when(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2030-12-31"):
            moment = datetime.combine(moment.date() + timedelta(days=1), time())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RefusedError(f"--expires {text!r} is not a date: write it as 2030-12-31 or 2030-12-31T12:00Z") from error


def _plain(desk: Desk, exclusion: Exclusion) -> dict[str, Any]:
    people = desk.directory.people(desk.tenant.id, removed=True)
    user = next((p.extension or p.name for p in people if p.id == exclusion.user_id), exclusion.user_id)
    return {
        "id": exclusion.id,
        "number": exclusion.pattern,
        "prefix": exclusion.prefix,
        "user": user,
        "reason": exclusion.reason,
        "expires": exclusion.expires_at,
        "expired": exclusion.expires_at is not None and exclusion.expires_at <= desk.at,
    }


def _show(found: list[dict[str, Any]]) -> None:
    rows = []
    for entry in found:
        what = f"user {entry['user']}" if entry["user"] else entry["number"] + ("…" if entry["prefix"] else "")
        state = "expired" if entry["expired"] else entry["expires"] or "for good"
        rows.append((what, state, entry["reason"]))
    speech.table(("excluded", "until (UTC)", "reason"), rows, "nobody is excluded")
