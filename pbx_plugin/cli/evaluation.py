"""``pbx-plugin evaluation``: the questions by which recordings are judged, and each user's results."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.calls import moment
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, engine, looking
from pbx_plugin.cli.recordings_working import at_work
from pbx_plugin.db.working import look_at_work
from pbx_plugin.domain.evaluation import form_as_data
from pbx_plugin.services import evaluating
from pbx_plugin.services.directory import RefusedError

app = typer.Typer(help="Evaluation of recordings: form and results.", no_args_is_help=True, context_settings=WIDE)
form = typer.Typer(help="The evaluation form, in versions.", no_args_is_help=True, context_settings=WIDE)
app.add_typer(form, name="form")

LARGEST_FORM = 1_000_000

From = Annotated[str, typer.Option("--from", metavar="TIME", help="Only recordings that began then or later (UTC).")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Only recordings that began before then (UTC).")]


@form.command("show")
def show_form(json: Json = False, tenant: Company = "") -> None:
    """Show the form in use; with --json as 'form set' takes it."""
    with looking(tenant) as desk, engine() as opened, look_at_work(opened) as work:
        found = evaluating.form_in_use(work, desk.tenant.id)
    if found is None:
        raise RefusedError("there is no evaluation form yet: make one with 'pbx-plugin evaluation form set FILE'")
    if json:
        speech.say_json(form_as_data(found.form))
        return
    speech.fields(
        {
            "version": f"{found.version}, by {found.author}",
            "at (UTC)": found.at,
            "scale": f"{found.form.lowest} (worst) to {found.form.highest} (best)",
        }
    )
    rows = [(c.name, c.weight, q.key, q.text, q.weight) for c in found.form.categories for q in c.questions]
    speech.table(("category", "weight", "key", "question", "weight"), rows, "no questions")


@form.command("set")
def set_form(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON, as 'form show --json' prints it.")],
    json: Json = False,
    dry_run: DryRun = False,
    tenant: Company = "",
    actor: Actor = "",
) -> None:
    """Make a new version of the form. Evaluations keep the version that they were made with."""
    data = _read(file)
    with at_work(tenant, actor, dry_run=dry_run) as (work, desk):
        saved = evaluating.set_form(work, desk, None, data)
    if json:
        speech.say_json({"version": saved.version, "questions": len(saved.form.questions)})
    else:
        speech.line(f"evaluation form, version {saved.version}: {len(saved.form.questions)} questions")


@app.command()
def results(since: From = "", until: To = "", json: Json = False, tenant: Company = "") -> None:
    """Show each user's results, the best first; scores are percent."""
    start, end = moment(since), moment(until)
    with looking(tenant) as desk, engine() as opened, look_at_work(opened) as work:
        names = {person.id: f"{person.name} ({person.extension})" for person in desk.directory.people(desk.tenant.id)}
        found = evaluating.results_by_user(work, desk.tenant.id, None, start, end)
    shown = [
        {
            "user_id": one.person_id,
            "user": names.get(one.person_id, one.person_id),
            "evaluations": one.evaluations,
            "score": _percent(one.score),
            "categories": {name: _percent(part) for name, part in one.categories.items()},
        }
        for one in found
    ]
    if json:
        speech.say_json(shown)
        return
    rows = [
        (one["user"], one["evaluations"], one["score"], ", ".join(f"{k}: {v}" for k, v in _parts(one))) for one in shown
    ]
    speech.table(("user", "evaluations", "score", "by category"), rows, "no evaluations in this time")


def _parts(shown: dict[str, Any]) -> list[tuple[str, object]]:
    return [(name, "–" if part is None else part) for name, part in shown["categories"].items()]


def _percent(score: int | None) -> float | None:
    return None if score is None else score / 10


def _read(file: Path) -> Any:
    try:
        if file.stat().st_size > LARGEST_FORM:
            raise RefusedError(f"{file} has more than {LARGEST_FORM} bytes: that is no evaluation form")
        return json_format.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RefusedError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RefusedError(f"{file} is no JSON in UTF-8: {error}") from error
