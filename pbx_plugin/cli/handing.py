"""``pbx-plugin handing``: what a company allows of downloads, links, deleting by hand, and listening at once."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, engine, looking, named
from pbx_plugin.db.handing import DatabaseHanding
from pbx_plugin.domain.handing import MOST_LINK_HOURS, Rules
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.handing import differences, set_rules

app = typer.Typer(
    help="Downloads, links by mail, deleting by hand, listeners: what a company allows.",
    no_args_is_help=True,
    context_settings=WIDE,
)


@app.command()
def show(json: Json = False, tenant: Company = "") -> None:
    """Show what the company allows."""
    with engine() as opened, looking(tenant) as desk:
        rules = DatabaseHanding(opened).rules(desk.tenant.id)
    _tell(rules, json=json)


@app.command("set")
def change(
    downloads: Annotated[bool | None, typer.Option(help="May recordings be downloaded?")] = None,
    links: Annotated[bool | None, typer.Option(help="May links to recordings be mailed?")] = None,
    link_hours: Annotated[int | None, typer.Option(help="Hours that a link works unless it is said otherwise.")] = None,
    link_hours_most: Annotated[int | None, typer.Option(help=f"Hours at most, up to {MOST_LINK_HOURS}.")] = None,
    deleting: Annotated[bool | None, typer.Option(help="May superusers delete recordings by hand?")] = None,
    second_person: Annotated[bool | None, typer.Option(help="Must a second superuser confirm?")] = None,
    listeners_most: Annotated[int | None, typer.Option(help="Listeners at the same time; 0 is any number.")] = None,
    dry_run: DryRun = False,
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change what the company allows, from now on; what is not named stays."""
    wanted: dict[str, Any] = {
        "downloads": downloads,
        "links": links,
        "link_hours": link_hours,
        "link_hours_most": link_hours_most,
        "deleting": deleting,
        "second_person": second_person,
        "listeners_most": listeners_most,
    }
    named_ones = {name: value for name, value in wanted.items() if value is not None}
    with engine() as opened:
        store = DatabaseHanding(opened)
        with looking(tenant) as desk:
            who = Desk(desk.directory, desk.tenant, named(actor), desk.at, desk.new_id)
        before = store.rules(who.tenant.id)
        after = replace(before, **named_ones)
        set_rules(store, who, after, dry_run=dry_run)
    if not json:
        for name, (old, new) in differences(before, after).items():
            speech.line(f"{name.replace('_', ' ')}: {speech.safe(old)} -> {speech.safe(new)}")
    _tell(after, json=json)
    if dry_run:
        speech.hint("dry run: nothing was changed")


def _tell(rules: Rules, *, json: bool) -> None:
    if json:
        speech.say_json(asdict(rules))
        return
    speech.fields(
        {
            "downloads": rules.downloads,
            "links by mail": rules.links,
            "a link works": f"{rules.link_hours} hours, at most {rules.link_hours_most}",
            "deleting by hand": rules.deleting,
            "second person": rules.second_person,
            "listeners at once": str(rules.listeners_most or "any number"),
        }
    )
