"""``pbx-plugin run``, ``recorder``, ``agi``, ``bridge`` and ``api``: the services, in the foreground.

Each imports its own room when it is wanted: a recorder that comes back in mid-call, and every other command, would
otherwise wait a second for a web framework that it never uses.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable

import structlog
import typer

from pbx_plugin import bootstrap, clock
from pbx_plugin.cli.frame import TroubleError
from pbx_plugin.cli.speech import log_to_stderr
from pbx_plugin.cli.supervisor import Supervisor
from pbx_plugin.services.ports import JournalError
from pbx_plugin.settings import load_settings

SERVICES = ("recorder", "agi", "bridge", "api")
"""The commands that ``run`` keeps running beside the portal, each for itself."""

AGI_JOURNAL = "agi"
CLOSING_PATIENCE = 5.0

log = structlog.get_logger(__name__)


def run() -> None:
    """Run recorder, consent service, bridge, REST interface, portal; one that dies is restarted, all end with this."""
    settings = load_settings()
    log_to_stderr(logging.INFO)
    program = [sys.executable, "-m", "pbx_plugin.cli.main"]
    commands = {name: [*program, name] for name in SERVICES}
    commands["portal"] = [*program, "portal", "run"]
    # Without a mail server there is nothing to send through; mails wait.
    if settings.mail.host:
        commands["mail"] = [*program, "mail", "run", "--stay"]
    stopping = _stop_signal()
    Supervisor(commands, say=log.info, wait=stopping.wait).run()


def recorder() -> None:
    """Run the recorder; running recordings go on in Asterisk when it ends, and the next start adopts them."""
    settings = load_settings()
    log_to_stderr(logging.INFO)
    from pbx_plugin.ari_app import runner  # noqa: PLC0415

    raise typer.Exit(runner.run(settings))


def bridge() -> None:
    """Run the bridge: rings and bridges the groups that are set so; without it Asterisk rings them in its own way."""
    settings = load_settings()
    log_to_stderr(logging.INFO)
    from pbx_plugin.bridge_app import runner  # noqa: PLC0415

    raise typer.Exit(runner.run(settings))


def agi() -> None:
    """Run the consent service (FastAGI): the IVR and the star code."""
    settings = load_settings()
    log_to_stderr(logging.INFO)
    from pbx_plugin.agi.service import AgiService  # noqa: PLC0415

    stopping = _stop_signal()
    try:
        journal = bootstrap.build_journal(settings, AGI_JOURNAL)
    except JournalError as error:
        raise TroubleError(f"the consent service cannot start: {error}") from error
    try:
        source, prompts = bootstrap.build_rulebook_source(settings), bootstrap.build_prompts(settings)
        service = AgiService(settings, source, journal, prompts, clock.now)
        try:
            service.start()
        except OSError as error:
            where = f"{settings.agi.host}:{settings.agi.port}"
            raise TroubleError(f"the consent service cannot listen on {where}: {error.strerror or error}") from error
        try:
            log.info("answering", host=service.address[0], port=service.address[1])
            _wait(stopping.wait)
        finally:
            service.stop()
    finally:
        journal.close(CLOSING_PATIENCE)


def api() -> None:
    """Run the REST interface, on the loopback unless the settings say otherwise, and send the webhooks."""
    settings = load_settings()
    log_to_stderr(logging.INFO)
    from pbx_plugin.api import runner  # noqa: PLC0415

    try:
        listening = runner.listen(settings)
    except OSError as error:
        where = f"{settings.api.host}:{settings.api.port}"
        raise TroubleError(f"the REST interface cannot listen on {where}: {error.strerror or error}") from error
    with listening:
        runner.run(settings, listening)


def _stop_signal() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _wait(wait: Callable[[float], bool]) -> None:
    # With a timeout: a wait without one would not let Python's signal handlers run on every platform.
    while not wait(1.0):
        continue
