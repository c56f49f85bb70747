"""Companies apart at the command line: every command that takes a name, with what is another company's.

Made from the commands themselves: a command that nobody has said how to try fails here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from api_site import OTHER, ApiStage
from cli_site import type_in
from portal_company import add_account

from pbx_plugin.cli.main import app
from pbx_plugin.services import policy_drafts, recording_groups, units
from pbx_plugin.services.people_records import ImportRun, Mail, UnitKind

THINGS: dict[str, list[str]] = {
    "users set": ["{person}", "--name", "Changed"],
    "users enrol": ["{person}"],
    "users phone": ["{person}"],
    "users remove": ["{person}"],
    "users notify": ["{person}"],
    "users acknowledge": ["{person}", "--how", "on paper"],
    "users notices": ["{person}"],
    "departments remove": ["{department}"],
    "units remove": ["district", "{unit}"],
    "recording-groups set": ["{recording_group}", "--name", "changed"],
    "recording-groups remove": ["{recording_group}"],
    "imports show": ["{import_run}"],
    "imports undo": ["{import_run}"],
    "mail retry": ["{mail}"],
    "groups set": ["{group}", "--name", "changed"],
    "groups remove": ["{group}"],
    "numbers set-consent": ["{consent_number}", "--tries", "2"],
    "numbers remove": ["{number}"],
    "exclude remove": ["{exclusion}"],
    "policy rollback": ["{version}"],
    "policy try": ["{draft}"],
    "policy draft show": ["{draft}"],
    "policy draft set": ["recording_off=true", "--draft", "{draft}"],
    "policy draft edit": ["/dev/null", "--draft", "{draft}"],
    "policy draft diff": ["{draft}"],
    "policy draft rebase": ["{draft}"],
    "policy draft discard": ["{draft}"],
    "policy draft apply": ["{draft}"],
    "calls show": ["{call}"],
    "explain": ["{call}"],
    "recordings show": ["{recording}"],
    "recordings path": ["{recording}"],
    "recordings delete": ["{recording}", "--i-understand-the-consequences"],
    "recordings expire": ["{recording}", "--on", "2099-12-24"],
    "recordings export": ["{recording}", "--zip", "/nowhere/theirs.zip"],
    "recordings note": ["{recording}", "ours now"],
    "recordings flag": ["{recording}", "red"],
    "recordings outcome": ["{recording}", "--tag", "ours"],
    "consent show": ["{receipt}"],
    "consent receipt": ["{call}"],
    "tokens revoke": ["{token}"],
    "webhooks remove": ["{webhook}"],
    "webhooks retry": ["{delivery}"],
    "portal accounts show": ["{account}"],
    "portal accounts change": ["{account}", "--name", "Changed"],
    "portal accounts remove": ["{account}"],
    "portal accounts invite": ["{account}"],
    "portal accounts reset": ["{account}"],
    "portal accounts lock": ["{account}"],
    "portal accounts unlock": ["{account}"],
    "portal sessions revoke": ["{session}"],
}
"""How to name another company's thing to each command."""

NOTHING_OF_A_COMPANYS = {
    *("users add", "departments add", "groups add", "numbers add-ddi", "numbers add-consent", "exclude add"),
    *(
        "units add",
        "recording-groups add",
        "policy apply",
        "policy diff",
        "policy draft new",
        "tokens create",
        "webhooks add",
    ),
    *("recordings lists", "evaluation form set"),
    *("portal create-admin", "portal accounts add", "portal rules set", "portal terms set"),
    *("users import", "groups import", "recording-groups import", "numbers import", "exclude import"),
}
"""Commands whose arguments name something new, or a version number that may be one's own."""


def commands() -> Iterator[tuple[str, Any]]:
    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for word, inner in command.commands.items():
                yield from walk(inner, f"{name} {word}".strip())
        else:
            yield name, command

    yield from walk(typer.main.get_command(app), "")


def of_a_company(command: Any) -> bool:
    """Whether a command works on one company and takes an argument."""
    options = {option for parameter in command.params for option in parameter.opts}
    return "--tenant" in options and any(parameter.param_type_name == "argument" for parameter in command.params)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> ApiStage:
    folder = tmp_path_factory.mktemp("companies")
    made = ApiStage(folder, Path(shutil.copy(migrated_file, folder / "pbx.sqlite")))
    config = f'database = "{made.settings.database}"\n[paths]\nstate = "{folder}"\narchive = "{made.archive}"\n'
    (folder / "config.toml").write_text(config)
    with made.desk(made.other.tenant) as desk:
        unit = units.add(desk, UnitKind.DISTRICT, "North of theirs")
        draft = policy_drafts.create(desk, "Draft of theirs")
        circle = recording_groups.add(desk, "Circle of theirs")
        mail = Mail(desk.new_id(), OTHER, made.other.things["person"], desk.at, "a@example.com", "s", "b", desk.at)
        desk.directory.add_mails([mail])
        run = ImportRun(desk.new_id(), OTHER, desk.at, "Sofie", "theirs.csv", "ab" * 32, ())
        desk.directory.add_import_run(run)
    made.other.things |= {"unit": unit.name, "recording_group": circle.id, "mail": mail.id, "import_run": run.id}
    made.other.things["draft"] = draft.name
    made.other.words += [draft.name, unit.name, circle.name, mail.id, run.id, "theirs.csv"]
    made.other.things["token"] = made.site.tokens.create(desk, "x" * 40, "theirs", ["calls:read"]).id
    account, session = add_account(made.engine, OTHER, "theirs@two.example")
    made.other.things |= {"account": account, "session": session}
    made.other.words += ["theirs@two.example", account, session]
    made.engine.dispose()
    return made


def rows(stage: ApiStage) -> list[str]:
    with stage.engine.connect() as connection:
        return list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]


@pytest.mark.parametrize("name", sorted(THINGS))
def test_what_is_another_companys_is_not_there(stage: ApiStage, name: str) -> None:
    words = [word.format(**stage.other.things) for word in THINGS[name]]
    before = rows(stage)
    said = type_in("--config", str(stage.folder / "config.toml"), *name.split(), *words, "--tenant", "Company One")
    assert said.code == 2, said.out + said.err
    given = set(words)
    told = said.out + said.err
    assert [word for word in stage.other.words if word in told and word not in given] == []
    assert rows(stage) == before


@pytest.mark.parametrize("name", sorted(name for name, command in commands() if name.endswith(" list")))
def test_no_list_holds_anything_of_another_company(stage: ApiStage, name: str) -> None:
    if "--tenant" not in {option for parameter in dict(commands())[name].params for option in parameter.opts}:
        return
    said = type_in("--config", str(stage.folder / "config.toml"), *name.split(), "--tenant", "Company One")
    assert [word for word in stage.other.words if word in said.out] == []


def test_every_command_that_takes_a_name_is_tried() -> None:
    taking = {name for name, command in commands() if of_a_company(command)}
    assert set(THINGS) <= taking
    assert taking - set(THINGS) - NOTHING_OF_A_COMPANYS == set()
