"""``pbx-plugin webhooks``: addresses that are told what happens, and what became of telling them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.cli.calls import Limit
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, engine, looking, named
from pbx_plugin.db.webhooks import DatabaseWebhooks, Delivery, Webhook
from pbx_plugin.services import webhooks as rules
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.webhooks import DeliveryState, Event
from pbx_plugin.settings import load_settings

app = typer.Typer(
    help="Webhooks: addresses that are told what happens; 'pbx-plugin api' sends.",
    no_args_is_help=True,
    context_settings=WIDE,
)


@app.command("list")
def list_webhooks(json: Json = False, tenant: Company = "") -> None:
    """List the webhooks."""
    with _webhooks(tenant, "") as (webhooks, desk):
        found = webhooks.of(desk.tenant.id)
    if json:
        speech.say_json([_plain(hook) for hook in found])
        return
    rows = [(hook.id[:8], hook.url, ", ".join(hook.events), hook.created_at, hook.created_by) for hook in found]
    speech.table(("webhook", "address", "events", "since (UTC)", "by"), rows, "no webhooks yet")


@app.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https address; http only in webhooks.own_networks.")],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="EVENT", help=f"Repeat for several: {', '.join(Event)}. [default: all]"),
    ] = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Add a webhook and print the secret that signs its deliveries: this once."""
    rules.checked_url(url, load_settings().webhooks.own_networks)
    events = rules.chosen(event or list(Event))
    secret = secrets.token_urlsafe(32)
    with _webhooks(tenant, actor) as (webhooks, desk):
        hook = webhooks.add(desk, url, events, secret, dry_run=dry_run)
    if dry_run:
        speech.hint("dry run: nothing was changed")
    if json:
        speech.say_json({**_plain(hook), "secret": "" if dry_run else secret})
    elif dry_run:
        speech.line(f"webhook {hook.url} can be added for {', '.join(hook.events)}")
    else:
        speech.hint(f"webhook {hook.id}: its secret is shown this once")
        speech.raw_line(secret)


@app.command()
def remove(
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id or address.")],
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Remove a webhook; what still waits for it is not sent."""
    with _webhooks(tenant, actor) as (webhooks, desk):
        gone = webhooks.remove(desk, webhook, dry_run=dry_run)
    if dry_run:
        speech.hint("dry run: nothing was changed")
    if json:
        speech.say_json(_plain(gone))
    else:
        speech.line(f"removed webhook {gone.url}")


@app.command()
def deliveries(
    state: Annotated[DeliveryState | None, typer.Option(help="Only those; dead ones nobody took.")] = None,
    limit: Limit = 50,
    json: Json = False,
    tenant: Company = "",
) -> None:
    """List deliveries, newest first."""
    with _webhooks(tenant, "") as (webhooks, desk):
        found = webhooks.deliveries(desk.tenant.id, limit=limit, state=state)
    if json:
        speech.say_json([asdict(delivery) for delivery in found])
        return
    columns = ("delivery", "of (UTC)", "event", "state", "tries", "next try (UTC)", "last answer", "webhook")
    speech.table(columns, [_row(delivery) for delivery in found], "nothing was to be told yet")


@app.command()
def retry(
    delivery: Annotated[
        str, typer.Argument(metavar="[DELIVERY]", help="Id. [default: all dead ones]", show_default=False)
    ] = "",
    json: Json = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Send dead deliveries again, now and with all tries before them."""
    with _webhooks(tenant, actor) as (webhooks, desk):
        chosen = _whole_id(webhooks, desk, delivery) if delivery else None
        count = webhooks.retry(desk, chosen)
    if json:
        speech.say_json({"again": count})
    else:
        speech.line(f"{count} deliveries are sent again")


def _whole_id(webhooks: DatabaseWebhooks, desk: Desk, begins: str) -> str:
    found = [one.id for one in webhooks.deliveries(desk.tenant.id, limit=0) if one.id.startswith(begins)]
    if len(found) > 1:
        raise RefusedError(f"delivery {begins!r} could be several: give more of its id")
    return found[0] if found else begins


@contextmanager
def _webhooks(company: str, actor: str) -> Iterator[tuple[DatabaseWebhooks, Desk]]:
    with looking(company) as seen:
        desk = Desk(seen.directory, seen.tenant, named(actor), clock.now(), seen.new_id)
    with engine() as opened:
        yield DatabaseWebhooks(opened), desk


def _plain(hook: Webhook) -> dict[str, Any]:
    return {"id": hook.id, "url": hook.url, "events": list(hook.events), "created": hook.created_at}


def _row(one: Delivery) -> tuple[Any, ...]:
    next_try = one.next_try_at if one.state is DeliveryState.WAITING else ""
    answer = one.error or (one.status or "")
    return one.id[:8], one.created_at, one.event, one.state, one.tries, next_try, answer, one.webhook_id[:8]
