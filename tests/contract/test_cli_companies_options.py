"""Companies apart at the command line, continued: options and cells that name another company's things.

Made from the commands themselves: an option of a known name that nobody has said how to try fails here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from api_site import OTHER, ApiStage
from cli_site import Said, type_in
from portal_company import add_account
from sqlalchemy import text
from test_cli_companies import commands

from pbx_plugin.services import policy_drafts, recording_groups, units
from pbx_plugin.services.people_records import UnitKind

NAMING = {
    *("--department", "--in-department", "--district", "--cost-centre", "--office", "--user", "--group", "--consent"),
    *("--yes", "--no", "--member", "--supervisor", "--call", "--from", "--draft"),
    *("--recording-group", "--account"),
}
"""Options whose value is the name of something that a company has."""

LINES = [
    "users add 4001 x --department {department}",
    "users add 4001 x --district {unit}",
    "users add 4001 x --cost-centre {cost_centre}",
    "users add 4001 x --office {office}",
    "users set 101 --department {department}",
    "users set 101 --district {unit}",
    "users set 101 --cost-centre {cost_centre}",
    "users set 101 --office {office}",
    "users set --in-department {department} --may-pause",
    "users enrol --in-department {department}",
    "users notify --in-department {department}",
    "users acknowledge --in-department {department} --how paper",
    "groups add fresh 4002 --member {person}",
    "groups set no1 --member {person}",
    "recording-groups add fresh --member {person}",
    "recording-groups add fresh --supervisor {person}",
    "recording-groups set own --member {person}",
    "recording-groups set own --supervisor {person}",
    "numbers add-ddi 70104003 --user {person}",
    "numbers add-ddi 70104003 --group {group}",
    "numbers add-ddi 70104003 --consent {consent_number}",
    "numbers add-consent 4004 --yes {group} --no no1",
    "numbers add-consent 4004 --yes yes1 --no user:{person}",
    "numbers set-consent 160 --yes {group}",
    "numbers set-consent 160 --no user:{person}",
    "exclude add --user {person}",
    "exclude remove --user {person}",
    "policy draft new fresh --from {version}",
    "policy draft set recording_off=true --draft {draft}",
    "policy draft edit /dev/null --draft {draft}",
    "portal accounts add x@one.example --user {person}",
    "portal accounts add x@one.example --department {department}",
    "portal accounts add x@one.example --recording-group {recording_group}",
    "portal accounts change own@one.example --user {person}",
    "portal accounts change own@one.example --department {department}",
    "portal accounts change own@one.example --recording-group {recording_group}",
    "portal sessions list --account {account}",
    "portal sessions revoke --account {account}",
    "gaps --call {call}",
    "recordings list --call {call}",
]
SHOWING = ("export", "gaps", "deliveries", "versions", "show", "diff")
FLAGS = {("policy show", "--draft"), ("evaluation results", "--from")}
"""Options of such a name that take no value, or a time."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> ApiStage:
    folder = tmp_path_factory.mktemp("options")
    made = ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    config = f'database = "{made.settings.database}"\n[paths]\nstate = "{folder}"\narchive = "{made.archive}"\n'
    (folder / "config.toml").write_text(config)
    things = made.other.things
    with made.desk(made.other.tenant) as desk:
        for kind, name in (
            (UnitKind.DISTRICT, "unit"),
            (UnitKind.COST_CENTRE, "cost_centre"),
            (UnitKind.OFFICE, "office"),
        ):
            things[name] = units.add(desk, kind, f"{name}-of-theirs").name
        things["draft"] = policy_drafts.create(desk, "draft-of-theirs").name
        things["recording_group"] = recording_groups.add(desk, "circle-of-theirs").name
    things["account"], _ = add_account(made.engine, OTHER, "theirs@two.example")
    made.other.words += [things[name] for name in ("unit", "cost_centre", "office", "draft", "account")]
    for line in ("recording-groups add own", "policy draft new mine", "portal accounts add own@one.example"):
        assert said(made, line).code == 0
    return made


def said(stage: ApiStage, line: str) -> Said:
    return type_in("--config", str(stage.folder / "config.toml"), *line.split(), "--tenant", "Company One")


def rows(stage: ApiStage) -> list[str]:
    stage.engine.dispose()
    with stage.engine.connect() as connection:
        return list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]


@pytest.mark.parametrize("line", LINES)
def test_an_option_finds_nothing_of_another_company(stage: ApiStage, line: str) -> None:
    typed = line.format(**stage.other.things)
    before = rows(stage)
    answer = said(stage, typed)
    assert answer.code == 2, answer.out + answer.err
    assert [word for word in stage.other.words if word in answer.out + answer.err and word not in typed] == []
    assert rows(stage) == before


def test_every_option_that_names_something_is_tried() -> None:
    there = {
        (name, option)
        for name, command in commands()
        for parameter in command.params
        for option in parameter.opts
        if option in NAMING and "--tenant" in {one for other in command.params for one in other.opts}
    }
    tried = {
        (name, option)
        for name, option in there
        for line in LINES
        if line.startswith(f"{name} ") and option in line.split()
    }
    assert there - tried - FLAGS == set()


@pytest.mark.parametrize("name", sorted(name for name, _ in commands() if name.split()[-1] in SHOWING))
def test_nothing_that_shows_much_shows_another_companys(stage: ApiStage, name: str) -> None:
    if "--tenant" in {option for parameter in dict(commands())[name].params for option in parameter.opts}:
        answer = said(stage, name)
        assert [word for word in stage.other.words if word in answer.out + answer.err] == []


@pytest.mark.parametrize(
    ("table", "cells"),
    [
        ("users", "id,extension,name\n{person},4005,Stolen\n"),
        ("users", "extension,name,department\n4006,x,{department}\n"),
        ("users", "extension,name,ddis\n4007,x,+45701020100\n"),
        ("groups", "id,name,number,members\n{group},stolen,4008,\n"),
        ("groups", "name,number,members\nmine,4009,201\n"),
        ("recording-groups", "id,name,members\n{group},mine2,201\n"),
        ("numbers", "number,leads_to,target\n+4570102200,group,yes1\n"),
        ("numbers", "number,leads_to,target\n+4570104010,group,no2\n"),
        ("exclude", "number,user\n,201\n"),
    ],
)
def test_no_cell_of_a_file_reaches_another_company(stage: ApiStage, table: str, cells: str) -> None:
    def theirs() -> list[object]:
        found: list[object] = []
        with stage.engine.connect() as connection:
            for name in (
                "person",
                "hunt_group",
                "direct_number",
                "recording_group",
                "exclusion",
                "group_member",
                "device",
            ):
                query = text(f"select * from {name} where tenant_id = :theirs")
                found += sorted(map(tuple, connection.execute(query, {"theirs": stage.other.tenant.id})), key=repr)
        return found

    before = theirs()
    file = stage.folder / "cells.csv"
    file.write_text(cells.format(**stage.other.things))
    answer = said(stage, f"{table} import {file}")
    given = file.read_text()
    assert [word for word in stage.other.words if word in answer.out + answer.err and word not in given] == []
    assert theirs() == before
