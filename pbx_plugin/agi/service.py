"""The FastAGI service: the consent IVR and the codes, as threads of one process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from pbx_plugin.agi.consent import ConsentScript
from pbx_plugin.agi.pause import pause
from pbx_plugin.agi.rulebook_keeper import RulebookKeeper
from pbx_plugin.agi.toggle import toggle
from pbx_plugin.agi.withdraw import withdraw
from pbx_plugin.asterisk import variables
from pbx_plugin.asterisk.fastagi import FastAgiServer, Handler
from pbx_plugin.prompts.library import PromptLibrary
from pbx_plugin.services.ports import Journal, RulebookSource
from pbx_plugin.settings import Settings

_log = structlog.get_logger(__name__)


class AgiService:
    """Serves ``agi://host:port/consent,<number id>``, ``…/toggle``, ``…/pause`` and ``…/withdraw``.

    The journal belongs to the caller, who closes it after :meth:`stop`. ``now`` returns aware UTC time.
    """

    def __init__(
        self,
        settings: Settings,
        rulebook_source: RulebookSource,
        journal: Journal,
        prompts: PromptLibrary,
        now: Callable[[], datetime],
    ) -> None:
        self._keeper = RulebookKeeper(rulebook_source, settings.recorder.rulebook_refresh)
        consent = ConsentScript(self._keeper.current, journal, prompts, now)
        routes: dict[str, Handler] = {
            variables.AGI_CONSENT: consent,
            variables.AGI_TOGGLE: toggle,
            variables.AGI_PAUSE: pause,
            variables.AGI_WITHDRAW: withdraw,
        }
        self._server = FastAgiServer(settings.agi.host, settings.agi.port, routes)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port in use. Raises RuntimeError unless started."""
        return self._server.address

    def start(self) -> None:
        """Read the rulebook, then listen. Raises OSError when the address is taken; the database may be away."""
        self._keeper.start()
        try:
            self._server.start()
        except OSError:
            self._keeper.stop()
            raise
        host, port = self.address
        _log.info("agi.answering", host=host, port=port)

    def stop(self, grace: float = 2.0) -> None:
        """Stop listening, let running scripts end within ``grace`` seconds. Their calls go on. Again is harmless."""
        self._server.stop(grace)
        self._keeper.stop()
