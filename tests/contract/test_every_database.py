"""What a company does in a day, by commands and by programs, on each database that the product knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from api_site import ApiStage
from cli_site import Said, type_in
from fastapi.routing import APIRoute
from test_api_companies import method_of, name_of, parameters, thing

from pbx_plugin.api.app import ROUTERS
from pbx_plugin.db.directory import read_directory
from pbx_plugin.services import policies
from pbx_plugin.services.directory import RefusedError
from pbx_plugin.services.ports import StoreUnavailableError

pytestmark = pytest.mark.wide

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
READS = [route for route in ROUTES if method_of(route) == "GET"]
OWN = ("--tenant", "Company One")


@pytest.fixture
def stage(tmp_path: Path, database_url: str) -> Iterator[ApiStage]:
    """Two companies with everything that a company can have; making them is the first test of each database."""
    made = ApiStage(tmp_path, database_url)
    with made.served():
        yield made


class Typist:
    """Types commands at the site's database."""

    def __init__(self, stage: ApiStage) -> None:
        self.folder = stage.folder
        self.config = stage.folder / "config.toml"
        self.config.write_text(
            f'database = "{stage.settings.database}"\n[paths]\nstate = "{stage.folder}"\n'
            f'archive = "{stage.archive}"\nasterisk_etc = "{stage.folder}/asterisk"\n[dialplan]\npjsip = false\n'
        )

    def __call__(self, *words: str) -> Said:
        said = type_in("--config", str(self.config), *words, *OWN)
        assert said.code == 0, (words, said.err)
        return said


def test_every_read_of_the_interface_answers(stage: ApiStage) -> None:
    things = stage.own.things | {"version": "1"}
    with stage.client(stage.token()) as program:
        for route in READS:
            path = route.path
            for parameter in parameters(route):
                path = path.replace(f"{{{parameter}}}", things[thing(route.path, parameter)])
            answer = program.get(path)
            assert answer.status_code in (200, 206), (name_of(route), answer.text)


def test_a_day_by_commands(stage: ApiStage) -> None:
    types = Typist(stage)
    (stage.folder / "users.csv").write_text(
        "extension,name,department,enrolled,mode\n301,Søren 👩,New,yes,always\n302,=1+1,New,no,\n"
    )
    types("users", "import", "--add-departments", str(stage.folder / "users.csv"))
    out = types("users", "export").out
    assert "301,Søren 👩" in out
    assert "'=1+1" in out
    types("imports", "undo", "last")
    types("users", "import", "--add-departments", str(stage.folder / "users.csv"))
    types("users", "set", "301", "--mode", "on-demand")
    types("users", "acknowledge", "301", "--how", "on paper")
    types("users", "remove", "302")
    types("groups", "set", "yes1", "--member", "301")
    (stage.folder / "x.csv").write_text("number,prefix,reason\n+4531200300,no,asked\n+45313,yes,a range\n")
    types("exclude", "import", str(stage.folder / "x.csv"))
    types("policy", "draft", "discard", "draft of 1")
    types("policy", "draft", "new", "autumn")
    types(
        "policy",
        "draft",
        "set",
        "departments.outgoing=New",
        "groups.yes1=always (consent via IVR)",
        "--draft",
        "autumn",
    )
    tried = types("policy", "try", "autumn", "--since", "2000-01-01", "--json").data
    assert tried["calls"] == 2
    types("policy", "draft", "apply", "autumn")
    types("policy", "off")
    types("policy", "rollback", "1")
    assert types("policy", "show", "--json").data["number"] == 4
    for words in (
        ["calls", "list"], ["recordings", "list"], ["gaps"], ["consent", "list"], ["users", "list"],
        ["groups", "list"], ["numbers", "list"], ["exclude", "list"], ["mail", "list"], ["imports", "list"],
        ["policy", "versions"], ["tokens", "list"], ["webhooks", "list"], ["webhooks", "deliveries"],
    ):  # fmt: skip
        assert isinstance(json.loads(types(*words, "--json").out), list), words


def test_a_day_by_programs(stage: ApiStage) -> None:
    things, linked = stage.own.things, "1700000001.5"
    with stage.client(stage.token()) as program:

        def does(method: str, path: str, **body: Any) -> Any:
            answer = program.request(method, f"/v1/{path}", json=body or None)
            assert answer.status_code < 300, (path, answer.text)
            return answer.json() if answer.content else None

        does("PUT", f"calls/{linked}/tags", tags=["a 👩", "\x1b[2J", None])
        does("PUT", f"calls/{linked}/tags", tags=["", "b", "c"])
        does("PUT", "calls/1800000000.1/tags", tags=["early", None, None])
        does("PUT", "calls/1800000000.1/tags", tags=["earlier", None, "x"])
        stage.call(stage.own, "1800000000.1", stage.site.now())
        assert does("GET", "calls/1800000000.1")["tags"] == ["earlier", "", "x"]
        note = does("POST", f"recordings/{things['recording']}/notes", text="=heard 👩", at_ms=1000)
        does("DELETE", f"recordings/{things['recording']}/notes/{note['id']}")
        does("POST", "people", name="Bo", extension="199", department="Sales 1")
        does("PATCH", "people/199", name="Bodil")
        does("DELETE", "people/199")
        for _ in range(2):
            assert does("GET", f"receipts/{things['receipt']}/signed")
        hook = does("POST", "webhooks", url="https://new.example.com/", events=["stored"])
        does("DELETE", f"webhooks/{hook['id']}")
        found = does("GET", "recordings?number=3120&limit=1")
        assert len(found["items"]) == 1
        assert does("GET", f"recordings?number=3120&limit=1&cursor={found['next']}")["items"]
        sound = program.get(f"/v1/recordings/{things['recording']}/audio", headers={"Range": "bytes=0-9"})
        assert (sound.status_code, len(sound.content)) == (206, 10)


def test_of_two_who_apply_at_once_none_is_lost_unsaid(stage: ApiStage) -> None:
    before, done = versions(stage), 0
    with suppress(RefusedError), stage.desk(stage.own.tenant) as slow:
        assert policies.in_force(slow).version.number == before[-1]
        # Where a database lets in one at a time, the other is told to try again.
        with suppress(StoreUnavailableError), stage.desk(stage.own.tenant) as quick:
            policies.apply(quick, {"retention_days": 30})
        done = len(versions(stage)) - len(before)
        policies.apply(slow, {"retention_days": 60})
        done += 1
    assert done >= 1
    assert versions(stage) == list(range(1, before[-1] + done + 1))


def versions(stage: ApiStage) -> list[int]:
    with read_directory(stage.engine) as directory:
        return [one.version.number for one in directory.policies(stage.own.tenant.id)]
