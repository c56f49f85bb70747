"""``pbx-plugin departments``: what the department policy speaks of."""

from __future__ import annotations

from typing import Annotated

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.services import people

app = typer.Typer(
    help="Departments; users without one belong to Undefined.", no_args_is_help=True, context_settings=WIDE
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The department's name.")]


@app.command("list")
def list_departments(json: Json = False, tenant: Company = "") -> None:
    """List the departments and how many users each has."""
    with looking(tenant) as desk:
        everyone = desk.directory.people(desk.tenant.id)
        found = [
            {"id": d.id, "name": d.name, "users": sum(p.department_id == d.id for p in everyone)}
            for d in desk.directory.departments(desk.tenant.id)
        ]
    if json:
        speech.say_json(found)
    else:
        rows = [[department["name"], department["users"]] for department in found]
        speech.table(("name", "users"), rows, "no departments yet: add one with 'pbx-plugin departments add'")


@app.command()
def add(name: Name, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Add a department."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        department = people.add_department(desk, name)
    if json:
        speech.say_json({"id": department.id, "name": department.name, "users": 0})
    else:
        speech.line(f"added department {department.name}")


@app.command()
def remove(name: Name, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = "") -> None:
    """Remove a department that has no users."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        department = people.remove_department(desk, name)
    if json:
        speech.say_json({"id": department.id, "name": department.name, "users": 0})
    else:
        speech.line(f"removed department {department.name}")
