"""Who listens on an application: Asterisk gives its events to whoever came last, so two would rob each other for ever.

Asterisk itself keeps the name of the listener, in a global variable that changes with each heartbeat. Whoever finds
another's name there, and sees it change, stands back; a name that no longer changes belongs to nobody.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import structlog

from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.ari import AriError

log = structlog.get_logger(__name__)

STILL_LOOKS = 4
"""So often in a row must a listener's word be found unchanged before its post counts as left."""


def listener_name(state: Path) -> str:
    """Return how a program with this state folder, on this machine, is named among all that could listen."""
    return f"{os.uname().nodename}:{state.resolve()}"


class Registry(Protocol):
    """The part of the ARI client that is needed here."""

    async def get_application(self, app: str) -> object: ...
    async def get_global(self, variable: str) -> str: ...
    async def set_global(self, variable: str, value: str) -> None: ...


class Post:
    """One application's place at one Asterisk. ``who`` names us: the same after a restart, another's never.

    Every method raises AriError or AriUnreachableError as its requests do.
    """

    def __init__(self, ari: Registry, app: str, who: str) -> None:
        self._ari = ari
        self._app = app
        self._variable = variables.LISTENER_PREFIX + "".join(c if c.isalnum() else "_" for c in app)
        self._who = who.replace(variables.LISTENER_SEPARATOR, "_")
        self._beats = 0
        self._seen = ""
        self._looks = 0

    async def take(self) -> bool:
        """Take the post, unless somebody else listens there and lives; ask again after a heartbeat, or longer."""
        word = await self._ari.get_global(self._variable)
        holder = word.rpartition(variables.LISTENER_SEPARATOR)[0]
        if holder not in ("", self._who) and await self._taken():
            self._looks = self._looks + 1 if word == self._seen else 0
            self._seen = word
            if self._looks < STILL_LOOKS:
                log.error("another program listens on this Asterisk in our name", app=self._app, it=holder[:200])
                return False
        self._looks = 0
        await self.hold()
        return True

    async def hold(self) -> None:
        """Say that we are there; to be said with each heartbeat."""
        self._beats += 1
        await self._ari.set_global(self._variable, f"{self._who}{variables.LISTENER_SEPARATOR}{self._beats}")

    async def _taken(self) -> bool:
        try:
            await self._ari.get_application(self._app)
        except AriError as error:
            if error.status == 404:
                return False
            raise
        return True
