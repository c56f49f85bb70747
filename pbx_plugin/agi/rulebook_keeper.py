"""Keeps the newest rulebook at hand, so that no call waits for the database."""

from __future__ import annotations

import threading

import structlog

from pbx_plugin.domain.rulebook import Rulebook
from pbx_plugin.services.ports import RulebookSource, StoreUnavailableError

_log = structlog.get_logger(__name__)


class RulebookKeeper:
    """Reads the rulebook at :meth:`start` and again, every ``refresh`` seconds, when its revision has changed.

    While the database is away the last one stays in force.
    """

    def __init__(self, source: RulebookSource, refresh: float) -> None:
        self._source = source
        self._refresh = refresh
        self._current: Rulebook | None = None
        self._away = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def current(self) -> Rulebook | None:
        """Return the rulebook in force; None while none could be read since the start."""
        return self._current

    def start(self) -> None:
        """Read once, now, and go on in a thread of its own. A database that is away raises nothing."""
        self._stop.clear()
        self.look()
        self._thread = threading.Thread(target=self._run, name="rulebook", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; what was read stays. Again is harmless."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=5)

    def look(self) -> None:
        """Read the rulebook if it has changed."""
        try:
            revision = self._source.revision()
            if self._current is None or revision != self._current.revision:
                self._current = self._source.load()
                _log.info("rulebook.loaded", revision=self._current.revision)
        except StoreUnavailableError as error:
            self._complain(str(error))
        except Exception:
            # A rulebook that cannot be read must not end the thread: the next revision may be readable.
            _log.exception("rulebook.unreadable")
        else:
            self._away = False

    def _complain(self, reason: str) -> None:
        if not self._away:
            _log.warning("rulebook.away", reason=reason, in_force=self._current is not None)
        self._away = True

    def _run(self) -> None:
        while not self._stop.wait(self._refresh):
            self.look()
