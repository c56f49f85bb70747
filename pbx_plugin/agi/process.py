"""The same scripts as plain AGI processes: ``python -m pbx_plugin.agi.process consent|toggle``, one process a call.

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

from asterisk.agi import AGIException

from pbx_plugin.agi.toggle import toggle
from pbx_plugin.asterisk.agi import AgiSession
from pbx_plugin.asterisk.variables import AGI_CONSENT, AGI_TOGGLE

APPLY_SECONDS = 1.0
"""How long the process may stay for the database; what it does not take is left for another process to bring in."""


def main(arguments: list[str]) -> int:
    """Run the script named first. Always returns 0: Asterisk takes anything else for a reason to end the call."""
    try:
        session = AgiSession(sys.stdin.buffer, sys.stdout.buffer)

        def hung_up(_signal: int, _frame: FrameType | None) -> None:
            session.note_hangup()

        signal.signal(signal.SIGHUP, hung_up)
        run(session, arguments[0] if arguments else "")
    except AGIException as error:
        sys.stderr.write(f"pbxrec: {error}\n")
    except Exception as error:  # nothing that happens here may end the call
        sys.stderr.write(f"pbxrec: {type(error).__name__}: {error}\n")
    return 0


def run(session: AgiSession, script: str) -> None:
    """Run one script on ``session``. Raises ValueError for a name that is none, and what the script raises."""
    if script == AGI_TOGGLE:
        toggle(session)
    elif script == AGI_CONSENT:
        _consent(session)
    else:
        raise ValueError(f"no AGI script is called {script!r}")


def _consent(session: AgiSession) -> None:
    from pbx_plugin import clock  # noqa: PLC0415  (see the module's docstring, also for those that follow)
    from pbx_plugin.agi.consent import ConsentScript  # noqa: PLC0415
    from pbx_plugin.agi.rulebook_keeper import RulebookKeeper  # noqa: PLC0415
    from pbx_plugin.bootstrap import build_journal, build_prompts, build_rulebook_source  # noqa: PLC0415
    from pbx_plugin.settings import load_settings  # noqa: PLC0415

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
