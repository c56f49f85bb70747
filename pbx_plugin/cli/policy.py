"""``pbx-plugin policy``: edited as a document, then applied as an immutable version."""

from __future__ import annotations

import json as json_module
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.services import policies
from pbx_plugin.services.directory import AppliedPolicy, RefusedError
from pbx_plugin.services.policy_document import as_toml

app = typer.Typer(
    help="The policy: which calls are recorded; edited as a file, then applied.",
    no_args_is_help=True,
    context_settings=WIDE,
)

LONGEST_FILE = 1_000_000
_HEADING = """\
Policy of {company}, version {number}. Edit, then: pbx-plugin policy apply FILE --comment WHY
announce: "announce or do not record", "best effort" or "no announcement"
departments: "all", or a list of names ("Undefined" are users without a department)
groups: "not applicable", "always (whitelisted)", "always (consent via IVR)",
        "always (consent via trusted route)" or "never (refused via IVR)\""""

Comment = Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who ask later.")]
Acknowledge = Annotated[
    bool,
    typer.Option(
        "--acknowledge-announcement",
        help="You know that callers may be recorded without having been told, and that it is lawful; this is audited.",
    ),
]


@app.command()
def show(
    number: Annotated[int | None, typer.Option("--version", metavar="NUMBER", help="An earlier version.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="As TOML, to edit and apply.")] = False,
    json: Json = False,
    tenant: Company = "",
) -> None:
    """Show the policy in force, or an earlier version."""
    if draft and json:
        raise RefusedError("--draft and --json do not go together: a policy can be applied from either")
    with looking(tenant) as desk:
        policy = policies.in_force(desk) if number is None else policies.find(desk, number)
        document = policies.document_of(desk, policy)
    if json:
        speech.say_json({**_plain(policy), "policy": document})
    elif draft:
        heading = _HEADING.format(company=speech.safe(desk.tenant.name), number=policy.version.number)
        speech.block(as_toml(document, heading).rstrip("\n"))
    else:
        _tell(policy)
        for key, value in document.items():
            if isinstance(value, dict):
                for name, inner in value.items():
                    speech.line(f"  {key}: {name} = {_words(inner)}")
            else:
                speech.line(f"  {key} = {_words(value)}")


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON document; - reads it from stdin.")],
    comment: Comment = "",
    acknowledge_announcement: Acknowledge = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Check a document, show what it changes, and put it in force as a new version."""
    document = _read(file)
    with changing(tenant, actor, dry_run=dry_run) as desk:
        outcome = policies.apply(desk, document, comment=comment, acknowledged=acknowledge_announcement)
    _report(outcome, json, dry_run)


@app.command()
def versions(json: Json = False, tenant: Company = "") -> None:
    """List the versions that were applied."""
    with looking(tenant) as desk:
        found = [_plain(policy) for policy in desk.directory.policies(desk.tenant.id)]
    if json:
        speech.say_json(found)
    else:
        rows = [(v["number"], v["at"], v["author"], v["comment"]) for v in found]
        speech.table(("version", "applied (UTC)", "by", "comment"), rows, "no policy was applied: nothing is recorded")


@app.command()
def diff(
    before: Annotated[int | None, typer.Argument(metavar="[OLD]", help="A version. [default: the one before]")] = None,
    after: Annotated[int | None, typer.Argument(metavar="[NEW]", help="A version. [default: the one in force]")] = None,
    json: Json = False,
    tenant: Company = "",
) -> None:
    """Show what differs between two versions."""
    with looking(tenant) as desk:
        new = policies.in_force(desk) if after is None else policies.find(desk, after)
        old = policies.find(desk, max(new.version.number - 1, 0) if before is None else before)
        changes = policies.compare(desk, old, new)
    if json:
        speech.say_json({"old": old.version.number, "new": new.version.number, "changes": _changes(changes)})
    else:
        speech.line(f"version {old.version.number} to {new.version.number}")
        _show_changes(changes)


@app.command()
def rollback(
    number: Annotated[
        int, typer.Argument(metavar="VERSION", help="The version whose content is to be in force again.")
    ],
    comment: Comment = "",
    acknowledge_announcement: Acknowledge = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Put an earlier version's content in force again, as a new version."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        outcome = policies.roll_back(desk, number, comment=comment, acknowledged=acknowledge_announcement)
    _report(outcome, json, dry_run)


@app.command()
def off(
    comment: Comment = "", json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Switch all recording off for calls that begin from now on; the rest of the policy stays."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        outcome = policies.switch(desk, off=True, comment=comment)
    _report(outcome, json, dry_run)


@app.command()
def on(
    comment: Comment = "", json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Switch recording on again, as the policy says."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        outcome = policies.switch(desk, off=False, comment=comment)
    _report(outcome, json, dry_run)


def _read(file: Path) -> dict[str, Any]:
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


def _plain(policy: AppliedPolicy) -> dict[str, Any]:
    applied = policy.version.number > 0
    return {
        "number": policy.version.number,
        "author": policy.author,
        "at": policy.at if applied else None,
        "comment": policy.comment,
    }


def _changes(changes: Any) -> list[dict[str, Any]]:
    return [{"setting": setting, "before": before, "after": after} for setting, before, after in changes]


def _report(outcome: policies.Outcome, json: bool, dry_run: bool) -> None:
    if json:
        plain = {**_plain(outcome.policy), "applied": bool(outcome.changes) and not dry_run}
        speech.say_json({**plain, "changes": _changes(outcome.changes)})
        return
    if not outcome.changes:
        speech.line(f"nothing changes: version {outcome.policy.version.number} stays in force")
        return
    _show_changes(outcome.changes)
    speech.line(f"version {outcome.policy.version.number} {'would be' if dry_run else 'is'} in force")


def _show_changes(changes: Any) -> None:
    rows = [(setting, _words(before), _words(after)) for setting, before, after in changes]
    speech.table(("setting", "before", "after"), rows, "no difference")


def _tell(policy: AppliedPolicy) -> None:
    if policy.version.number:
        when = speech.safe(policy.at)
        speech.line(f"version {policy.version.number}, applied {when} UTC by {policy.author}: {policy.comment or '-'}")
    else:
        speech.line("version 0: no policy was applied, nothing is recorded")


def _words(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "none"
    return str(value)
