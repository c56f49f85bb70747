"""What the commands about policies share: their options, reading a document, and saying what changed."""

from __future__ import annotations

import json as json_module
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.services import policies
from pbx_plugin.services.directory import AppliedPolicy, RefusedError

LONGEST_FILE = 1_000_000
HEADING = """\
Policy of {company}, {what}. Edit, then: pbx-plugin policy apply FILE --comment WHY
announce: "announce or do not record", "best effort" or "no announcement"; also for a rule or a direction
announce_user: a list of "incoming", "outgoing" and "internal"; beep_seconds: 0, or 10 to 120
beep_to: "other party", "user" or "both"; both settings of the beep also for a direction
departments: "all", or a list of names ("Undefined" are users without a department)
groups: "not applicable", "always (whitelisted)", "always (consent via IVR)",
        "always (consent via trusted route)" or "never (refused via IVR)"
retention_days: 7 to 365; also for a rule or a department, where the shorter holds of what is said of both
schedule: hours in which recording is on; with none it is on all week
Lines that begin with # change nothing: they show how things stand."""

Comment = Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who ask later.")]
Acknowledge = Annotated[
    bool,
    typer.Option(
        "--acknowledge-announcement",
        help="You know that callers may be recorded without having been told, and that it is lawful; this is audited.",
    ),
]


def read_file(file: Path) -> dict[str, Any]:
    """Read a policy document. Raises RefusedError saying what is wrong with the file."""
    try:
        if str(file) == "-":
            text = sys.stdin.read(LONGEST_FILE + 1)
        else:
            with file.open(encoding="utf-8") as opened:
                text = opened.read(LONGEST_FILE + 1)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise RefusedError(f"policy file {str(file)!r} cannot be read: {error}") from error
    if len(text) > LONGEST_FILE:
        raise RefusedError(f"policy file {str(file)!r} is too long: at most {LONGEST_FILE} characters")
    try:
        document = json_module.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"policy file {str(file)!r} is neither TOML nor JSON: {error}") from error
    # What 'policy show --json' prints can be applied as it is.
    inner = document.get("policy", document)
    if not isinstance(inner, dict):
        raise RefusedError(f"policy file {str(file)!r} holds no policy: see 'pbx-plugin policy show --draft'")
    return inner


def plain_version(policy: AppliedPolicy) -> dict[str, Any]:
    """Return what is told of a version, for JSON."""
    applied = policy.version.number > 0
    return {
        "number": policy.version.number,
        "author": policy.author,
        "at": policy.at if applied else None,
        "comment": policy.comment,
    }


def changes_as_data(changes: Any) -> list[dict[str, Any]]:
    """Return changes for JSON."""
    return [{"setting": setting, "before": before, "after": after} for setting, before, after in changes]


def report(outcome: policies.Outcome, json: bool, dry_run: bool) -> None:
    """Say what applying did."""
    if json:
        plain = {**plain_version(outcome.policy), "applied": bool(outcome.changes) and not dry_run}
        speech.say_json({**plain, "changes": changes_as_data(outcome.changes)})
        return
    if not outcome.changes:
        speech.line(f"nothing changes: version {outcome.policy.version.number} stays in force")
        return
    show_changes(outcome.changes)
    speech.line(f"version {outcome.policy.version.number} {'would be' if dry_run else 'is'} in force")


def show_changes(changes: Any) -> None:
    """Print changes as a table."""
    rows = [(setting, words_of(before), words_of(after)) for setting, before, after in changes]
    speech.table(("setting", "before", "after"), rows, "no difference")


def words_of(value: object) -> str:
    """Return a setting's value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)
