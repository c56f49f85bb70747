"""The command ``pbx-plugin``: puts the command groups together, and turns every trouble into one clear line."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import (
    audit,
    calls,
    consent,
    consent_keys,
    departments,
    dialplan,
    doctor,
    evaluation,
    exclude,
    groups,
    handing,
    imports,
    init,
    mail,
    numbers,
    policy,
    portal,
    processes,
    prompts,
    recording_groups,
    recordings,
    recordings_working,
    sandbox,
    speech,
    tokens,
    units,
    users,
    users_asterisk,
    users_told,
    webhooks,
)
from pbx_plugin.cli.csv_tables import add_csv_commands
from pbx_plugin.cli.frame import EXIT_BAD_INPUT, EXIT_TROUBLE, WIDE, TroubleError
from pbx_plugin.db.queries import AmbiguousError, NotFoundError
from pbx_plugin.services import import_runs
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.ports import StoreUnavailableError
from pbx_plugin.settings import CONFIG_VARIABLE, SettingsError

PROGRAM = "pbx-plugin"

app = typer.Typer(
    name=PROGRAM,
    help="Call recording for Asterisk: who is recorded, with whose consent, and where the recordings are.",
    no_args_is_help=True,
    context_settings=WIDE,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_GROUPS = {
    "users": users.app,
    "departments": departments.app,
    "units": units.app,
    "groups": groups.app,
    "recording-groups": recording_groups.app,
    "numbers": numbers.app,
    "exclude": exclude.app,
    "imports": imports.app,
    "mail": mail.app,
    "policy": policy.app,
    "calls": calls.app,
    "consent": consent.app,
    "recordings": recordings.app,
    "handing": handing.app,
    "prompts": prompts.app,
    "dialplan": dialplan.app,
    "portal": portal.app,
    "tokens": tokens.app,
    "webhooks": webhooks.app,
    "audit": audit.app,
    "evaluation": evaluation.app,
    "sandbox": sandbox.app,
}
users_told.add_commands(users.app)
recordings_working.add_commands(recordings.app)
consent.app.add_typer(consent_keys.app, name="keys")
users_asterisk.add_commands(users.app)
for _table, _what in (
    (import_runs.USERS, "the users"),
    (import_runs.HUNT_GROUPS, "the hunt groups and who they ring"),
    (import_runs.NUMBERS, "the direct numbers"),
    (import_runs.EXCLUSIONS, "the excluded list"),
):
    add_csv_commands(_GROUPS["exclude" if _table is import_runs.EXCLUSIONS else _table.kind], _table, _what)
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name)
app.command()(init.init)
app.command()(init.upgrade)
app.command()(calls.explain)
app.command()(recordings.gaps)
app.command()(processes.run)
app.command()(processes.recorder)
app.command()(processes.agi)
app.command()(processes.bridge)
app.command()(processes.api)
app.command()(doctor.doctor)

# Typer raises its complaints as one family and names only some of its members.
_COMPLAINT: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _show_version(wanted: bool) -> None:
    if wanted:
        speech.line(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _whole(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="PATH", help=f"Configuration file. [default: ${CONFIG_VARIABLE}]")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the program a trouble came from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Call recording for Asterisk: who is recorded, with whose consent, and where the recordings are."""
    del debug, version  # both are dealt with before any command runs
    if config is not None:
        # In the environment, so that the processes of 'run' read the same file.
        os.environ[CONFIG_VARIABLE] = str(config.absolute())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 trouble, 2 bad input (nothing was changed)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    speech.log_to_stderr(logging.WARNING)
    try:
        code = _command().main(words, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except (RefusedError, SettingsError, NotFoundError, AmbiguousError) as error:
        code = _complain(str(error), EXIT_BAD_INPUT)
    except UnicodeEncodeError:
        # Bytes that are no UTF-8 come from the shell as halves of surrogate pairs, and no database takes those.
        code = _complain("what was typed is not valid text: type it again in UTF-8", EXIT_BAD_INPUT)
    except _COMPLAINT as error:
        code = _refuse(error, words)
    except StoreUnavailableError as error:
        code = _complain(f"{error}; nothing was changed, try again or run 'pbx-plugin doctor'", EXIT_TROUBLE)
    except TroubleError as error:
        code = _complain(str(error), EXIT_TROUBLE)
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("interrupted", EXIT_TROUBLE)
    except BrokenPipeError:
        # Whoever read us has gone, as 'head' does; nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_TROUBLE
    except Exception as error:  # the last line of defence: a person at a terminal gets a sentence, not a traceback
        if "--debug" in words:
            traceback.print_exc()
        code = _complain(f"unexpected trouble: {type(error).__name__}: {error} (more with --debug)", EXIT_TROUBLE)
    return code if isinstance(code, int) else 0


@cache
def _command() -> Any:
    # Typer reads the signatures of all commands anew for every call; once is enough.
    return typer.main.get_command(app)


def _refuse(error: Exception, typed: Sequence[str]) -> int:
    context = getattr(error, "ctx", None)
    words: str = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        for part in words.splitlines():
            speech.hint(part)
        return EXIT_BAD_INPUT
    value = _value_of(getattr(error, "param", None), typed)
    if value and repr(value) not in words:
        words = f"{words.rstrip('.')}, not {value!r}"
    where = f" (see '{context.command_path} --help')" if context else ""
    return _complain(words.rstrip(".") + where, EXIT_BAD_INPUT)


def _value_of(option: Any, typed: Sequence[str]) -> str:
    """Return what was typed for an option that was refused: Typer's own words do not always repeat it."""
    for name in getattr(option, "opts", ()):
        for word, following in zip(typed, [*typed[1:], ""], strict=True):
            if word == name:
                return following
            if word.startswith(f"{name}="):
                return word.removeprefix(f"{name}=")
    return ""


def _complain(text: str, code: int) -> int:
    speech.hint(f"{PROGRAM}: {text}")
    return code


if __name__ == "__main__":
    sys.exit(main())
