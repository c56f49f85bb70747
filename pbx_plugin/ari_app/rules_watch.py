"""The rules in force: read when the database has newer ones; the ones before stay while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from pbx_plugin.domain.book import Book
from pbx_plugin.services.ports import RulebookSource, StoreUnavailableError

log = structlog.get_logger(__name__)


class RulesWatch:
    """Looks every ``every`` seconds whether the rules have changed, without holding anybody up."""

    def __init__(self, rulebooks: RulebookSource, every: float, now: Callable[[], datetime]) -> None:
        self._rulebooks = rulebooks
        self._every = every
        self._now = now
        self._revision = -1

    async def first(self) -> Book:
        """Return the rules, however long the database keeps us waiting."""
        while True:
            book = await self._newer()
            if book is not None:
                return book
            log.warning("no rulebook yet: nothing is recorded until the database answers")
            await asyncio.sleep(self._every)

    async def run(self, changed: Callable[[Book, datetime], None]) -> None:
        """Tell ``changed`` of every newer rulebook and when it was read; returns only when it is cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                book = await self._newer()
            except Exception:
                log.exception("the rulebook cannot be read: the one before stays in force")
                continue
            if book is not None:
                changed(book, self._now())

    async def _newer(self) -> Book | None:
        """Return the rulebook when the database has a newer one, None when not or when it is away."""
        try:
            revision = await asyncio.to_thread(self._rulebooks.revision)
            if revision == self._revision:
                return None
            rules = await asyncio.to_thread(self._rulebooks.load)
        except StoreUnavailableError:
            return None
        self._revision = revision
        return await asyncio.to_thread(Book.of, rules, self._now())
