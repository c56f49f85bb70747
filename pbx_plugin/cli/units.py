"""``pbx-plugin units``: districts, cost centres and offices, by which recordings are found."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pbx_plugin.cli import speech
from pbx_plugin.cli.frame import WIDE, Actor, Company, DryRun, Json, changing, looking
from pbx_plugin.services import units
from pbx_plugin.services.people_records import UnitKind

app = typer.Typer(
    help="Districts, cost centres and offices; a user has at most one of each.",
    no_args_is_help=True,
    context_settings=WIDE,
)


class KindWord(StrEnum):
    """A kind of unit as it is typed."""

    DISTRICT = "district"
    COST_CENTRE = "cost-centre"
    OFFICE = "office"


Kind = Annotated[KindWord, typer.Argument(metavar="KIND", help="district, cost-centre or office.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The unit's name.")]


@app.command("list")
def list_units(json: Json = False, tenant: Company = "") -> None:
    """List the units and how many users each has."""
    with looking(tenant) as desk:
        everyone = desk.directory.people(desk.tenant.id)
        found = [
            {
                "id": unit.id,
                "kind": unit.kind.value,
                "name": unit.name,
                "users": sum(units.of(person, unit.kind) == unit.id for person in everyone),
            }
            for unit in desk.directory.units(desk.tenant.id)
        ]
    if json:
        speech.say_json(found)
    else:
        rows = [[unit["kind"], unit["name"], unit["users"]] for unit in found]
        speech.table(("kind", "name", "users"), rows, "no units yet: add one with 'pbx-plugin units add'")


@app.command()
def add(
    kind: Kind, name: Name, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Add a district, cost centre or office."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        unit = units.add(desk, _kind(kind), name)
    if json:
        speech.say_json({"id": unit.id, "kind": unit.kind.value, "name": unit.name, "users": 0})
    else:
        speech.line(f"added {unit.kind} {unit.name}")


@app.command()
def remove(
    kind: Kind, name: Name, json: Json = False, dry_run: DryRun = False, tenant: Company = "", actor: Actor = ""
) -> None:
    """Remove a unit that has no users."""
    with changing(tenant, actor, dry_run=dry_run) as desk:
        unit = units.remove(desk, _kind(kind), name)
    if json:
        speech.say_json({"id": unit.id, "kind": unit.kind.value, "name": unit.name, "users": 0})
    else:
        speech.line(f"removed {unit.kind} {unit.name}")


def _kind(word: KindWord) -> UnitKind:
    return UnitKind(word.value.replace("-", " "))
