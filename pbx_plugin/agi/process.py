"""The same scripts as plain AGI processes: ``python -m pbx_plugin.agi.process consent``, one process a call.

Slower than the service (an interpreter starts for every call) but in need of nothing that runs. What only the consent
script needs is imported inside it: the star code must not wait for a database library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import uuid
from types import FrameType

from asterisk.agi import AGIException, AGIHangup

from pbx_plugin.agi.pause import pause
from pbx_plugin.agi.toggle import toggle
from pbx_plugin.agi.withdraw import withdraw
from pbx_plugin.asterisk.agi import AgiSession
from pbx_plugin.asterisk.variables import AGI_CONSENT, AGI_PAUSE, AGI_TOGGLE, AGI_WITHDRAW

APPLY_SECONDS = 1.0
"""How long the process may stay for the database; what it does not take is left for another process to bring in."""


def main(arguments: list[str]) -> int:
    """Run the script named first. Always returns 0: whatever happens here, the call goes on.

    What goes wrong is told to Asterisk, which logs it, and on standard error, which Asterisk may throw away.
    """
    session: AgiSession | None = None

    def hung_up(_signal: int, _frame: FrameType | None) -> None:
        if session is not None:
            session.note_hangup()

    signal.signal(signal.SIGHUP, hung_up)
    try:
        session = AgiSession(sys.stdin.buffer, sys.stdout.buffer)
        run(session, arguments[0] if arguments else "")
    except AGIHangup:
        return 0
    except Exception as error:
        said = _one_line(f"pbxrec: {type(error).__name__}: {error}")
        sys.stderr.write(f"{said}\n")
        if session is not None:
            with contextlib.suppress(AGIException):
                session.verbose(said)
    return 0


def _one_line(text: str) -> str:
    """Return text in which nothing can steer a terminal or begin a line of its own; callers choose parts of it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def run(session: AgiSession, script: str) -> None:
    """Run one script on ``session``. Raises ValueError for a name that is none, and what the script raises."""
    scripts = {AGI_TOGGLE: toggle, AGI_PAUSE: pause, AGI_WITHDRAW: withdraw, AGI_CONSENT: _consent}
    if script not in scripts:
        raise ValueError(f"no AGI script is called {script!r}")
    scripts[script](session)


def _consent(session: AgiSession) -> None:
    import structlog  # noqa: PLC0415  (see the module's docstring, also for those that follow)

    from pbx_plugin import clock  # noqa: PLC0415
    from pbx_plugin.agi.consent import ConsentScript  # noqa: PLC0415
    from pbx_plugin.agi.rulebook_keeper import RulebookKeeper  # noqa: PLC0415
    from pbx_plugin.bootstrap import build_journal, build_prompts, build_rulebook_source  # noqa: PLC0415
    from pbx_plugin.settings import load_settings  # noqa: PLC0415

    # Standard output belongs to Asterisk. Callers choose parts of what is told, and JSON escapes what steers terminals.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    settings = load_settings()
    rulebook = RulebookKeeper(build_rulebook_source(settings), settings.recorder.rulebook_refresh)
    rulebook.look()
    journal = build_journal(settings, f"agi-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        ConsentScript(rulebook.current, journal, build_prompts(settings), clock.now)(session)
    finally:
        _let_go()
        journal.close(APPLY_SECONDS)


def _let_go() -> None:
    """Close standard output, by which the dialplan goes on: the caller does not wait for the database."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
