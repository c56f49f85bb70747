"""Whether the interface works, and what a token may do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy import text

from pbx_plugin.api.caller import Caller, Door, Needs
from pbx_plugin.api.problems import documented
from pbx_plugin.api.words import Shown
from pbx_plugin.services.tokens import Scope

router = APIRouter()


class Health(Shown):
    """The interface answers, and so does its database."""

    status: str = "ok"


class Account(Shown):
    """The token that was sent, and its company."""

    token: str
    company: str
    scopes: list[Scope]
    expires_at: datetime | None


@router.get("/health", tags=["account"], responses=documented(429, 503))
def health(request: Request) -> Health:
    """Tell whether requests can be answered; needs no token. 503 while the database is away."""
    door: Door = request.app.state.door
    with door.site.engine.connect() as connection:
        connection.execute(text("SELECT number FROM revision"))
    return Health()


@router.get("/v1/me", tags=["account"], responses=documented(400, 401, 429, 503))
def me(caller: Annotated[Caller, Depends(Needs(None))]) -> Account:
    """Show what the token may do."""
    token = caller.token
    scopes = [scope for scope in Scope if scope in token.scopes]
    return Account(token=token.name, company=caller.tenant.name, scopes=scopes, expires_at=token.expires_at)
