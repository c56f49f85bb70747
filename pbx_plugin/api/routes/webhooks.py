"""Webhooks: addresses that are told what happens, and what became of telling them."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from pbx_plugin.api.caller import Caller, Needs
from pbx_plugin.api.problems import ProblemError, documented
from pbx_plugin.api.words import Body, Limit, Name, Shown, found
from pbx_plugin.services import webhooks as rules
from pbx_plugin.services.tokens import Scope
from pbx_plugin.services.webhooks import DeliveryState, Event

router = APIRouter(prefix="/v1", tags=["webhooks"])

Reader = Annotated[Caller, Depends(Needs(Scope.WEBHOOKS_READ))]
Writer = Annotated[Caller, Depends(Needs(Scope.WEBHOOKS_WRITE))]


class WebhookShown(Shown):
    """A webhook."""

    id: str
    url: str
    events: list[Event]
    created_at: datetime
    created_by: str


class WebhookMade(WebhookShown):
    """A new webhook, with the secret that signs its deliveries: it is shown this once."""

    secret: str


class WebhookNew(Body):
    """An address, and what it is to be told from now on."""

    url: str = Field(max_length=rules.LONGEST_URL)
    events: list[Event] = Field(min_length=1, max_length=len(Event))


class DeliveryShown(Shown):
    """One event for one webhook. ``status`` is HTTP's of the last try, 0 where there was no answer."""

    id: str
    seq: int
    webhook_id: str
    event: Event
    body: str
    state: DeliveryState
    created_at: datetime
    next_try_at: datetime
    tries: int
    status: int
    error: str
    delivered_at: datetime | None


@router.get("/webhooks")
def list_webhooks(caller: Reader) -> list[WebhookShown]:
    """List the webhooks."""
    return [WebhookShown.model_validate(hook) for hook in caller.site.webhooks.of(caller.tenant.id)]


@router.post("/webhooks", status_code=201)
def add_webhook(caller: Writer, body: WebhookNew) -> WebhookMade:
    """Add a webhook; the secret is shown this once."""
    rules.checked_url(body.url, caller.site.settings.webhooks.own_networks)
    secret = secrets.token_urlsafe(32)
    with caller.looking() as desk:
        hook = caller.site.webhooks.add(desk, body.url, body.events, secret)
    return WebhookMade(**WebhookShown.model_validate(hook).model_dump(), secret=secret)


@router.delete("/webhooks/{webhook}", responses=documented(404))
def remove_webhook(caller: Writer, webhook: Name) -> WebhookShown:
    """Remove a webhook, by id; what still waits for it is not sent."""
    if webhook not in [hook.id for hook in caller.site.webhooks.of(caller.tenant.id)]:
        raise ProblemError(404, f"no webhook {webhook!r}: see GET /v1/webhooks")
    with caller.looking() as desk:
        return WebhookShown.model_validate(caller.site.webhooks.remove(desk, webhook))


@router.get("/webhook-deliveries")
def list_deliveries(
    caller: Reader,
    limit: Limit = 50,
    state: DeliveryState | None = None,
    before: Annotated[int | None, Query(ge=0, le=2**62, description="The `seq` of the last one seen.")] = None,
) -> list[DeliveryShown]:
    """List deliveries, newest first; ``state=dead`` are those that nobody took."""
    rows = caller.site.webhooks.deliveries(caller.tenant.id, limit=limit, state=state, before=before)
    return [DeliveryShown.model_validate(row) for row in rows]


@router.post("/webhook-deliveries/{delivery}/retry", status_code=202, responses=documented(404))
def retry(caller: Writer, delivery: Name) -> dict[str, int]:
    """Send one that was not delivered now, with all tries before it."""
    with caller.looking() as desk:
        return {"again": found(caller.site.webhooks.retry, desk, delivery)}
