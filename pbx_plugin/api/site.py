"""What the routes work with: one site's database and settings, and the way to the recorder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from pbx_plugin.api.limits import Buckets
from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriClient, AriError, AriUnreachableError
from pbx_plugin.db.paging import PageQueries
from pbx_plugin.db.remarks import DatabaseRemarks
from pbx_plugin.db.tokens import DatabaseTokens
from pbx_plugin.db.webhooks import DatabaseWebhooks
from pbx_plugin.settings import Ari, Settings

AskRecorder = Callable[[Mapping[str, str]], None]
"""Hands a question to the recorder. Raises NotAskedError when it cannot be reached."""


class NotAskedError(Exception):
    """The recorder could not be asked: nothing has happened."""


@dataclass(frozen=True)
class ApiSite:
    """One site. ``now`` returns aware UTC time, ``new_id`` row ids, ``ticks`` seconds of a clock that is never set."""

    settings: Settings
    engine: Engine
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    ticks: Callable[[], float]
    ask: AskRecorder

    @property
    def queries(self) -> PageQueries:
        """The reads of calls, recordings and evidence."""
        return PageQueries(self.engine)

    @property
    def tokens(self) -> DatabaseTokens:
        """The tokens."""
        return DatabaseTokens(self.engine)

    @property
    def remarks(self) -> DatabaseRemarks:
        """Tags and notes."""
        return DatabaseRemarks(self.engine)

    @property
    def webhooks(self) -> DatabaseWebhooks:
        """Webhooks and deliveries."""
        return DatabaseWebhooks(self.engine)

    def buckets_of_tokens(self) -> Buckets:
        """Return what limits each token."""
        return Buckets(self.settings.api.token_rate, self.settings.api.token_burst, self.ticks)

    def buckets_of_addresses(self) -> Buckets:
        """Return what limits each address."""
        return Buckets(self.settings.api.address_rate, self.settings.api.address_burst, self.ticks)


def asking_by_ari(ari: Ari) -> AskRecorder:
    """Return the way to the recorder through Asterisk's event stream, in which its other events come too.

    So what a program asks has its place and its time among them, on Asterisk's own clock.
    """

    async def send(said: Mapping[str, str]) -> None:
        async with AriClient(ari, timeout=3.0) as client:
            await client.user_event(variables.EVENT_ASK, ari.app, said)

    def ask(said: Mapping[str, str]) -> None:
        try:
            asyncio.run(send(said))
        except (AriError, AriUnreachableError) as error:
            raise NotAskedError(str(error)) from error

    return ask
