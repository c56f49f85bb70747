"""``pbx-plugin recordings note|flag|outcome|lists``: what people make of a recording, from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from pbx_plugin import clock
from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import Actor, Company, DryRun, Json, engine, named, new_id, tenant_of
from pbx_plugin.db.queries import DatabaseQueries
from pbx_plugin.db.working import SqlWork, change_work
from pbx_plugin.domain.working import ChoiceKind, Flag, Mark
from pbx_plugin.services import working
from pbx_plugin.services.audit import Desk
from pbx_plugin.services.working import Marking

Name = Annotated[str, typer.Argument(metavar="RECORDING", help="Recording id or its beginning.")]


def add_commands(app: typer.Typer) -> None:
    """Add them to the group ``recordings``."""
    app.command("note")(note)
    app.command("flag")(flag)
    app.command("outcome")(outcome)
    app.command("lists")(lists)


def note(
    recording: Name,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be said.")],
    at: Annotated[float | None, typer.Option("--at", metavar="SECONDS", help="The place that it is about.")] = None,
    colour: Annotated[Flag, typer.Option("--colour", help="Its colour.")] = Flag.NONE,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Write a note on a recording, or on a place in it."""
    with at_work(tenant, actor, dry_run=dry_run) as (work, desk):
        found = _found(work, desk, recording)
        at_ms = None if at is None else round(at * 1000)
        written = working.add_note(work, desk, None, found, text, at_ms, colour)
    if json:
        speech.say_json(asdict(written))
    else:
        speech.line(f"note on recording {found}")


def flag(
    recording: Name,
    colour: Annotated[Flag, typer.Argument(metavar="COLOUR", help="green, red, blue or none.")],
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Flag a recording."""
    _mark(recording, Marking(flag=colour), json, dry_run, tenant, actor)


def outcome(
    recording: Name,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="One of the list; '' for none.")] = None,
    response: Annotated[
        str | None,
        typer.Option("--response", metavar="TEXT", help="The customer's, of its list; '' for none."),
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TEXT", help="A free word; '' for none.")] = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Say what came of a call."""
    _mark(recording, Marking(outcome=text, response=response, tag=tag), json, dry_run, tenant, actor)


def lists(
    kind: Annotated[ChoiceKind, typer.Argument(metavar="LIST", help="outcome or response.")],
    entries: Annotated[list[str] | None, typer.Argument(metavar="ENTRY", help="The whole list anew, in order.")] = None,
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Show a list to choose from, or make it anew; what is left out stays where it was chosen."""
    with at_work(tenant, actor, dry_run=dry_run) as (work, desk):
        if entries:
            working.set_choices(work, desk, None, kind, entries)
        there = [choice for choice in work.choices(desk.tenant.id) if choice.kind is kind]
    if json:
        speech.say_json([{"id": choice.id, "text": choice.text, "retired": choice.retired} for choice in there])
    else:
        rows = [(choice.text, "retired" if choice.retired else "") for choice in there]
        speech.table((kind.value, ""), rows, f"no {kind.value}s yet: add their names behind the command")


@contextmanager
def at_work(company: str, actor: str, *, dry_run: bool = False) -> Iterator[tuple[SqlWork, Desk]]:
    """Open a company's marks, notes and evaluations for a change, in force as a whole; nothing stays of a dry run."""
    with engine() as opened, change_work(opened, dry_run=dry_run) as work:
        tenant = tenant_of(work.directory, company)
        yield work, Desk(work.directory, tenant, named(actor), clock.now(), new_id)
    if dry_run:
        speech.hint("dry run: nothing was changed")


def _mark(recording: str, wish: Marking, json: bool, dry_run: bool, tenant: str, actor: str) -> None:
    with at_work(tenant, actor, dry_run=dry_run) as (work, desk):
        found = _found(work, desk, recording)
        marked = working.mark(work, desk, None, found, wish)
        words = {choice.id: choice.text for choice in work.choices(desk.tenant.id)}
    shown = _shown(marked, words)
    if json:
        speech.say_json({"recording_id": found, **shown})
    else:
        speech.fields({"recording": found, **shown})


def _found(work: SqlWork, desk: Desk, name: str) -> str:
    return DatabaseQueries(work.engine).recording_detail(name, desk.tenant.id).recording.recording_id


def _shown(mark: Mark, words: dict[str, str]) -> dict[str, object]:
    return {
        "flag": mark.flag.value,
        "outcome": words.get(mark.outcome, ""),
        "response": words.get(mark.response, ""),
        "tag": mark.tag,
    }
