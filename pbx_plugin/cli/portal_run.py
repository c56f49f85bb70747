"""``pbx-plugin portal run``: the portal, in the foreground."""

from __future__ import annotations

import logging

from pbx_plugin.cli.frame import TroubleError
from pbx_plugin.cli.speech import log_to_stderr
from pbx_plugin.settings import load_settings


def run() -> None:
    """Run the portal, on the loopback unless the settings say otherwise (section [portal])."""
    settings = load_settings()
    log_to_stderr(logging.INFO)
    # Only when it is wanted: every other command would wait a second for a web framework that it never uses.
    from pbx_plugin.portal import runner  # noqa: PLC0415

    try:
        listening = runner.listen(settings)
    except OSError as error:
        where = f"{settings.portal.host}:{settings.portal.port}"
        raise TroubleError(f"the portal cannot listen on {where}: {error.strerror or error}") from error
    with listening:
        runner.run(settings, listening)
