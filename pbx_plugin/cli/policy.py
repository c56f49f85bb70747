"""``pbx-plugin policy``: edited as a document, then applied as an immutable version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pbx_plugin.cli import policy_draft, policy_try, speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.cli.policy_words import (
    HEADING,
    Acknowledge,
    Comment,
    changes_as_data,
    plain_version,
    read_file,
    report,
    show_changes,
    words_of,
)
from pbx_plugin.services import policies
from pbx_plugin.services.directory import AppliedPolicy, RefusedError

app = typer.Typer(
    help="The policy: which calls are recorded; edited as a file, then applied.",
    no_args_is_help=True,
    context_settings=WIDE,
)

app.add_typer(policy_draft.app, name="draft")


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
        heading = HEADING.format(company=speech.safe(desk.tenant.name), what=f"version {policy.version.number}")
        toml = policies.toml_of(desk, policy.version, heading)
    if json:
        speech.say_json({**plain_version(policy), "policy": document})
    elif draft:
        speech.block(toml.rstrip("\n"))
    else:
        _tell(policy)
        for key, value in document.items():
            if isinstance(value, dict):
                for name, inner in value.items():
                    speech.line(f"  {key}: {name} = {words_of(inner)}")
            else:
                speech.line(f"  {key} = {words_of(value)}")


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
    document = read_file(file)
    with changing(tenant, actor, dry_run=dry_run) as desk:
        outcome = policies.apply(desk, document, comment=comment, acknowledged=acknowledge_announcement)
    report(outcome, json, dry_run)


@app.command()
def versions(json: Json = False, tenant: Company = "") -> None:
    """List the versions that were applied."""
    with looking(tenant) as desk:
        found = [plain_version(policy) for policy in desk.directory.policies(desk.tenant.id)]
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
        speech.say_json({"old": old.version.number, "new": new.version.number, "changes": changes_as_data(changes)})
    else:
        speech.line(f"version {old.version.number} to {new.version.number}")
        show_changes(changes)


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
    report(outcome, json, dry_run)


@app.command()
def off(
    comment: Comment = "", json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Switch all recording off for calls that begin from now on; the rest of the policy stays."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        outcome = policies.switch(desk, off=True, comment=comment)
    report(outcome, json, dry_run)


@app.command()
def on(
    comment: Comment = "", json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Switch recording on again, as the policy says."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        outcome = policies.switch(desk, off=False, comment=comment)
    report(outcome, json, dry_run)


app.command("try")(policy_try.try_policy)


def _tell(policy: AppliedPolicy) -> None:
    if policy.version.number:
        when = speech.safe(policy.at)
        speech.line(f"version {policy.version.number}, applied {when} UTC by {policy.author}: {policy.comment or '-'}")
    else:
        speech.line("version 0: no policy was applied, nothing is recorded")
