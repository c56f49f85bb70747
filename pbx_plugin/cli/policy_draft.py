"""``pbx-plugin policy draft``: policies that somebody works on, kept until they are applied or discarded."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.cli.policy_words import HEADING, Acknowledge, Comment, changes_as_data, read_file, report, show_changes
from pbx_plugin.services import policies, policy_drafts
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.policy_drafts import Comparison, OutdatedError
from pbx_plugin.services.policy_records import Draft

app = typer.Typer(
    help="Drafts of the policy: worked on for as long as you like, then applied.",
    no_args_is_help=True,
    context_settings=WIDE,
)

Name = Annotated[str, typer.Argument(metavar="[DRAFT]", help="Which draft. [default: the only one]")]
DraftOption = Annotated[str, typer.Option("--draft", metavar="DRAFT", help="Which draft. [default: the only one]")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="[DRAFT]", help="What to call it.")] = "draft",
    version: Annotated[
        int | None, typer.Option("--from", metavar="NUMBER", help="An earlier version. [default: the one in force]")
    ] = None,
    comment: Comment = "",
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Make a draft that says what the policy in force says."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        draft = policy_drafts.create(desk, name, base=version, comment=comment)
    if json:
        speech.say_json(_plain(draft))
    else:
        speech.line(f"draft {draft.name!r} made from version {draft.base}")


@app.command("list")
def list_drafts(json: Json = False, tenant: Company = "") -> None:
    """List the drafts."""
    with looking(tenant) as desk:
        found = list(desk.directory.drafts(desk.tenant.id))
    if json:
        speech.say_json([_plain(draft) for draft in found])
        return
    rows = [(d.name, d.base, d.created_by, d.changed_at, d.changed_by, d.comment) for d in found]
    speech.table(("draft", "made from", "by", "changed (UTC)", "by", "comment"), rows, "no drafts")


@app.command()
def show(name: Name = "", json: Json = False, tenant: Company = "") -> None:
    """Show a draft as TOML, with every group and department and its present value as comments."""
    with looking(tenant) as desk:
        draft = policy_drafts.find(desk, name)
        what = f"draft {speech.safe(draft.name)!r} from version {draft.base}"
        heading = HEADING.format(company=speech.safe(desk.tenant.name), what=what)
        toml = policies.toml_of(desk, draft.version, heading)
        document = policy_drafts.document_of(desk, draft)
    if json:
        speech.say_json({**_plain(draft), "policy": document})
    else:
        speech.block(toml.rstrip("\n"))


@app.command("set")
def set_(
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="SETTING=VALUE...",
            help="Such as announce='best effort', groups.support='always (whitelisted)', departments.incoming=all or "
            "retention_rules.7=30; a list as ['Sales', 'Undefined']; nothing behind = takes it out.",
        ),
    ],
    name: DraftOption = "",
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for those who ask later.")] = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Change some settings of a draft."""
    wanted = [_setting(text) for text in settings]
    with changing(tenant, actor, dry_run=dry_run) as desk:
        changes = policy_drafts.put(desk, policy_drafts.find(desk, name), wanted, comment=comment)
    _say_changed(changes, json)


@app.command()
def edit(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON document; - reads it from stdin.")],
    name: DraftOption = "",
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for those who ask later.")] = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Let a draft say what a document says."""
    document = read_file(file)
    with changing(tenant, actor, dry_run=dry_run) as desk:
        changes = policy_drafts.edit(desk, policy_drafts.find(desk, name), document, comment=comment)
    _say_changed(changes, json)


@app.command()
def diff(name: Name = "", json: Json = False, tenant: Company = "") -> None:
    """Show what a draft changes, and what was put in force since it was made."""
    with looking(tenant) as desk:
        beside = policy_drafts.compare(desk, policy_drafts.find(desk, name))
    if json:
        speech.say_json(_compared(beside))
    else:
        _show(beside)


@app.command()
def rebase(
    name: Name = "", json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Put a draft's changes on the version that is in force now."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        changes = policy_drafts.rebase(desk, policy_drafts.find(desk, name))
    _say_changed(changes, json)


@app.command()
def discard(
    name: Name = "", json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Delete a draft."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        draft = policy_drafts.find(desk, name)
        policy_drafts.discard(desk, draft)
    if json:
        speech.say_json(_plain(draft))
    else:
        speech.line(f"draft {draft.name!r} {'would be' if dry_run else 'is'} discarded")


@app.command()
def apply(
    name: Name = "",
    comment: Comment = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also take back what was put in force since the draft was made.")
    ] = False,
    acknowledge_announcement: Acknowledge = False,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Put a draft in force as a new version; the draft is gone then."""
    try:
        with changing(tenant, actor, dry_run=dry_run) as desk:
            draft = policy_drafts.find(desk, name)
            outcome = policy_drafts.apply(
                desk, draft, comment=comment, acknowledged=acknowledge_announcement, anyway=anyway
            )
    except OutdatedError as outdated:
        if json:
            speech.say_json({**_compared(outdated.comparison), "applied": False})
        else:
            _show(outdated.comparison)
        raise
    report(outcome, json, dry_run)


def _setting(text: str) -> tuple[str, object]:
    setting, equals, value = text.partition("=")
    if not equals:
        raise RefusedError(f"{text!r} is no setting with its value: write it as announce='best effort'")
    setting, value = setting.strip(), value.strip()
    if not value:
        return setting, None
    try:
        return setting, tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, KeyError):
        # What is no TOML is a text, so that quotes need not be written twice for the shell.
        return setting, value


def _plain(draft: Draft) -> dict[str, Any]:
    return {
        "name": draft.name,
        "base": draft.base,
        "created_by": draft.created_by,
        "created_at": draft.created_at,
        "changed_by": draft.changed_by,
        "changed_at": draft.changed_at,
        "comment": draft.comment,
    }


def _compared(beside: Comparison) -> dict[str, Any]:
    return {
        **_plain(beside.draft),
        "in_force": beside.in_force,
        "outdated": beside.outdated,
        "changes": changes_as_data(beside.ours),
        "changed_since": changes_as_data(beside.theirs),
        "would_change": changes_as_data(beside.would_change),
    }


def _say_changed(changes: policy_drafts.Changes, json: bool) -> None:
    if json:
        speech.say_json({"changes": changes_as_data(changes)})
    else:
        show_changes(changes)


def _show(beside: Comparison) -> None:
    draft = beside.draft
    speech.line(f"draft {draft.name!r} changes of version {draft.base}, from which it was made:")
    show_changes(beside.ours)
    if beside.outdated:
        speech.line()
        speech.line(f"version {beside.in_force}, in force now, changed since:")
        show_changes(beside.theirs)
        speech.line()
        speech.line("applying the draft as it is would change:")
        show_changes(beside.would_change)
