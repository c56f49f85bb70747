"""Who asks: the token's company and rights, and the desk at which its requests work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pbx_plugin.api.limits import Buckets
from pbx_plugin.api.middleware import address_of
from pbx_plugin.api.problems import ProblemError
from pbx_plugin.api.site import ApiSite
from pbx_plugin.db.directory import change_directory, read_directory
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.services.tokens import Scope, Token

log = structlog.get_logger(__name__)

WRONG_TOKEN_COSTS = 10.0
"""What a wrong token takes from its address's bucket beside the request itself."""
USE_NOTED_EVERY = timedelta(minutes=1)

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token of 'pbx-plugin tokens create'.")


class Door:
    """Lets tokens in. One an application."""

    def __init__(self, site: ApiSite, addresses: Buckets) -> None:
        self.site = site
        self._tokens = site.buckets_of_tokens()
        self._addresses = addresses
        self._noted: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def enter(self, secret: str | None, address: str) -> tuple[Token, Tenant]:
        """Return the token of a secret and its company. Raises ProblemError 401 or 429."""
        at = self.site.now()
        token = self.site.tokens.find(secret) if secret else None
        tenant = self.site.tokens.tenant(token) if token is not None and token.alive(at) else None
        if token is None or tenant is None:
            if secret:
                self._addresses.charge(address, WRONG_TOKEN_COSTS)
            why = "unknown, revoked or expired" if secret else "missing"
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"' if secret else "Bearer"}
            raise ProblemError(401, f"the token is {why}: send 'Authorization: Bearer TOKEN'", challenge)
        wait = self._tokens.take(token.id)
        if wait:
            detail = f"too many requests with token {token.name!r}: wait {wait} s"
            raise ProblemError(429, detail, {"Retry-After": str(wait)})
        self._note(token, at, address)
        return token, tenant

    def _note(self, token: Token, at: datetime, address: str) -> None:
        with self._lock:
            last = self._noted.get(token.id)
            if last is not None and at - last < USE_NOTED_EVERY:
                return
            self._noted[token.id] = at
        try:
            self.site.tokens.used(token, at, address)
        except StoreUnavailableError as error:
            log.warning("a token's use could not be noted", error=str(error))


@dataclass(frozen=True)
class Caller:
    """The program at work: everything that it reads or changes is its own company's."""

    site: ApiSite
    token: Token
    tenant: Tenant

    @property
    def actor(self) -> str:
        """How the audit calls it."""
        return f"API token {self.token.name}"[:100]

    @contextmanager
    def looking(self) -> Iterator[Desk]:
        """Open the company's directory for looking only."""
        with read_directory(self.site.engine) as directory:
            yield Desk(directory, self.tenant, self.actor, self.site.now(), self.site.new_id)

    @contextmanager
    def changing(self, *, dry_run: bool = False) -> Iterator[Desk]:
        """Open the company's directory for a change, in force as a whole at the end; nothing stays of a dry run."""
        with change_directory(self.site.engine, dry_run=dry_run) as directory:
            yield Desk(directory, self.tenant, self.actor, self.site.now(), self.site.new_id)

    def note(self, action: str, subject: str, **detail: Any) -> None:
        """Audit what was done by itself."""
        with self.changing() as desk:
            desk.note(action, subject, **detail)


class Needs:
    """A dependency: the caller, if its token has the scope. ``None`` takes any token."""

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope

    def __call__(
        self, request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
    ) -> Caller:
        """Return who asks. Raises ProblemError 401, 403 or 429."""
        door: Door = request.app.state.door
        token, tenant = door.enter(shown.credentials if shown else None, address_of(request.scope))
        request.scope.setdefault("state", {})["token"] = token.name
        if self.scope is not None and self.scope not in token.scopes:
            raise ProblemError(
                403, f"token {token.name!r} lacks the scope {self.scope.value!r}: create one that has it"
            )
        return Caller(door.site, token, tenant)
