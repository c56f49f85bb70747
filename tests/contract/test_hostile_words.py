"""Hostile names, numbers and words through every way in that takes text: commands, CSV files, the REST interface.

Each is kept exactly as it is or refused with one clear line, whatever shows it shows it harmless, and nothing of it is
ever done.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
import typer
from api_site import ApiStage
from cli_site import Said, type_in
from hostile_words import CANARY, NO_TEXT, TEXTS, harmful, strings
from sqlalchemy import String

from pbx_plugin.cli.main import app
from pbx_plugin.db.models import Base

pytestmark = pytest.mark.wide

JSON = {"Content-Type": "application/json"}
OWN = ("--tenant", "Company One")


class House:
    """A site that is worked on by commands, files and programs at the same time."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.folder = folder
        self.stage = ApiStage(folder, Path(shutil.copy(database, folder / "pbx.sqlite")))
        self.config = folder / "config.toml"
        self.config.write_text(
            f'database = "{self.stage.settings.database}"\n[paths]\nstate = "{folder}"\narchive = "{folder}/archive"\n'
            f'asterisk_etc = "{folder}/asterisk"\n[dialplan]\npjsip = false\n'
        )
        self.numbers = itertools.count(3000)
        self.tried: set[tuple[str, str]] = set()

    def type(self, *words: str) -> Said:
        return type_in("--config", str(self.config), *words)

    def does(self, *words: str) -> Said:
        said = self.type(*words)
        assert said.code == 0, said.err
        return said

    def rows(self) -> list[str]:
        with self.stage.engine.connect() as connection:
            dump: Any = connection.connection.driver_connection
            # When a token was used last is written down beside every request.
            return [line for line in dump.iterdump() if not line.startswith('INSERT INTO "api_token"')]

    def column(self, name: str) -> set[Any]:
        table, column = name.split(".")
        with self.stage.engine.connect() as connection:
            return {value for (value,) in connection.exec_driver_sql(f'select "{column}" from "{table}"')}

    def tables(self) -> set[str]:
        with self.stage.engine.connect() as connection:
            return {name for (name,) in connection.exec_driver_sql("select name from sqlite_schema")}


@dataclass(frozen=True)
class Answer:
    """What came of a try: whether it was taken, and all that was said."""

    taken: bool
    refused: bool
    said: str


@dataclass(frozen=True)
class Way:
    """A way in. ``column`` is where the text must be afterwards, word for word."""

    column: str
    words: list[str] = field(default_factory=list)
    cells: str = ""
    post: tuple[str, str, dict[str, Any]] = ("", "", {})
    before: list[str] = field(default_factory=list)
    end: str = ""
    """What stands behind the text, where it would not be the first of its name."""
    only: Callable[[str], bool] = lambda _: True
    """Which of the texts may be kept; the others must be refused."""

    def go(self, house: House, program: httpx2.Client, text: str) -> Answer:
        number = str(next(house.numbers))

        def put(part: Any) -> Any:
            if isinstance(part, str):
                return part.replace("«n»", number).replace("«folder»", str(house.folder)).replace("«text»", text)
            if isinstance(part, dict):
                return {key: put(value) for key, value in part.items()}
            return [put(one) for one in part] if isinstance(part, list) else part

        def put_path(path: str) -> str:
            return quote(path.replace("«n»", number).replace("«text»", text), safe="/", errors="replace")

        if self.before:
            house.does(*(put(word) for word in self.before), *OWN)
        if self.post[0]:
            method, path, body = self.post
            answer = program.request(method, put_path(path), content=json.dumps(put(body)), headers=JSON)
            assert answer.status_code < 500, answer.text
            return Answer(answer.status_code < 300, answer.status_code in (404, 409, 422), answer.text)
        words = [put(word) for word in self.words]
        if self.cells:
            file = house.folder / "table.csv"
            cell = '"' + text.replace('"', '""') + '"'
            content = self.cells.replace("«n»", number).replace("«text»", cell)
            file.write_bytes(content.encode("utf-8", "surrogatepass"))
            words.append(str(file))
        if "policy" in words and "apply" in words:
            (house.folder / f"policy-{number}.json").write_text(json.dumps({"retention_days": int(number) % 300 + 7}))
        said = house.type(*words, *OWN)
        assert said.err.count("\n") <= 2, said.err
        assert not harmful(said.out + said.err)
        return Answer(said.code == 0, said.code == 2, said.out + said.err)


def typed(column: str, line: str, *, before: str = "", only: Callable[[str], bool] = lambda _: True) -> Way:
    return Way(column, line.split(), before=before.split(), only=only)


def filed(column: str, line: str, content: str) -> Way:
    return Way(column, line.split(), content)


def sent(column: str, line: str, *, before: str = "", end: str = "", **body: Any) -> Way:
    method, path = line.split()
    return Way(column, post=(method, f"/v1/{path}", body), before=before.split(), end=end)


CONSENT = "numbers add-consent «n» --yes yes1 --no no1"
FREE = {
    "a user's name": typed("person.name", "users add «n» «text»"),
    "a user's new name": typed("person.name", "users set «n» --name «text»", before="users add «n» x"),
    "a department": typed("department.name", "departments add «text»"),
    "a district": typed("unit.name", "units add district «text»"),
    "a recording group": typed("recording_group.name", "recording-groups add «text»"),
    "a consent number's purpose": typed("consent_number.purpose", f"{CONSENT} --purpose «text»"),
    "an exclusion's reason": typed("exclusion.reason", "exclude add +453123«n» --reason «text»"),
    "a policy's comment": typed("policy_version.comment", "policy apply «folder»/policy-«n».json --comment «text»"),
    "a draft's comment": typed("policy_draft.comment", "policy draft new draft-«n» --comment «text»"),
    "a draft's name": typed(
        "policy_draft.name",
        "policy draft new «text»",
        only=lambda text: text.isprintable() and "/" not in text and len(text) <= 60,
    ),
    "how it was acknowledged": typed(
        "enrolment_notice.acknowledged_how",
        "users acknowledge «n» --how «text»",
        before="users add «n» Told --enrol",
    ),
    "a token's name": typed("api_token.name", "tokens create «text» --scope calls:read"),
    "who does it": typed("audit.actor", "departments add dep-«n» --actor «text»"),
    "users.csv, name": filed("person.name", "users import", "extension,name\n«n»,«text»\n"),
    "users.csv, department": filed(
        "department.name", "users import --add-departments", "extension,name,department\n«n»,x,«text»\n"
    ),
    "users.csv, office": filed("unit.name", "users import --add-departments", "extension,name,office\n«n»,x,«text»\n"),
    "recording-groups.csv, name": filed("recording_group.name", "recording-groups import", "name\n«text»\n"),
    "exclusions.csv, reason": filed("exclusion.reason", "exclude import", "number,reason\n+453124«n»,«text»\n"),
    "POST people, name": sent("person.name", "POST people", extension="«n»", name="«text»"),
    "PATCH people, name": sent("person.name", "PATCH people/«n»", before="users add «n» x", name="«text»"),
    "POST departments, name": sent("department.name", "POST departments", end=" dep", name="«text» dep"),
    "POST consent-numbers, purpose": sent(
        "consent_number.purpose", "POST consent-numbers", number="«n»", yes="yes1", no="no1", purpose="«text»"
    ),
    "POST exclusions, reason": sent("exclusion.reason", "POST exclusions", number="+453125«n»", reason="«text»"),
    "PUT tags": sent("call_tag.text", "PUT calls/1700000001.5/tags", tags=["«text»", None, ""]),
    "PUT tags before the call": sent("call_tag.text", "PUT calls/17«n».1/tags", tags=[None, "«text»", None]),
    "POST drafts, comment": sent("policy_draft.comment", "POST policy/drafts", name="posted «n»", comment="«text»"),
    "POST notes": sent("recording_note.text", "POST recordings/«recording»/notes", text="«text»"),
}
"""Ways that take any words."""

STRICT = {
    "an extension": typed("person.extension", "users add «text» x"),
    "a device": typed("device.endpoint", "users add «n» x --device «text»"),
    "a device behind a good beginning": typed("device.endpoint", "users add «n» x --device PJSIP/«n»«text»"),
    "an e-mail address": typed("person.email", "users add «n» x --email «text»"),
    "a direct number": typed("direct_number.e164", "users add «n» x --ddi «text»"),
    "a language": typed("person.language", "users add «n» x --language «text»"),
    "a group's name": typed("hunt_group.name", "groups add «text» «n»"),
    "a group's number": typed("hunt_group.number", "groups add group-«n» «text»"),
    "a number of a group": typed("direct_number.e164", "numbers add-ddi «text» --group yes1"),
    "a consent number": typed("consent_number.number", "numbers add-consent «text» --yes yes1 --no no1"),
    "where yes leads": typed("consent_number.yes_place", f"{CONSENT} --yes dialplan:«text»,s,1"),
    "whom yes leads to": typed("consent_number.yes_place", f"{CONSENT} --yes user:«text»"),
    "a country's language": typed("consent_number.by_country", f"{CONSENT} --country SE=«text»"),
    "a key's language": typed("consent_number.by_key", f"{CONSENT} --key «text»=en"),
    "an excluded number": typed("exclusion.pattern", "exclude add «text»"),
    "an excluded prefix": typed("exclusion.pattern", "exclude add +45312«text» --prefix"),
    "an expiry": typed("exclusion.pattern", "exclude add +453126«n» --expires «text»"),
    "a scope": typed("api_token.scopes", "tokens create token-«n» --scope «text»"),
    "a webhook": typed("webhook.url", "webhooks add «text»"),
    "a webhook's path": typed("webhook.url", "webhooks add https://example.com/«text»"),
    "a setting": typed("policy_version.body", "policy draft set «text»=1 --draft base"),
    "whom to remove": typed("person.name", "users remove «text»"),
    "which call": typed("call.id", "calls show «text»"),
    "what to explain": typed("call.id", "explain «text»"),
    "which recording": typed("recording.id", "recordings show «text»"),
    "which file": typed("recording.id", "recordings path «text»"),
    "which import": typed("import_run.id", "imports undo «text»"),
    "which mail": typed("mail.id", "mail retry «text»"),
    "which version": typed("policy_version.number", "policy rollback «text»"),
    "users.csv, extension": filed("person.extension", "users import", "extension,name\n«text»,x\n"),
    "users.csv, devices": filed("device.endpoint", "users import", "extension,name,devices\n«n»,x,«text»\n"),
    "users.csv, e-mail": filed("person.email", "users import", "extension,name,email\n«n»,x,«text»\n"),
    "users.csv, numbers": filed("direct_number.e164", "users import", "extension,name,ddis\n«n»,x,«text»\n"),
    "users.csv, mode": filed("person.mode", "users import", "extension,name,mode\n«n»,x,«text»\n"),
    "users.csv, heading": filed("person.name", "users import", "extension,name,«text»\n«n»,x,y\n"),
    "groups.csv, name": filed("hunt_group.name", "groups import", "name,number,kind\n«text»,«n»,queue\n"),
    "groups.csv, members": filed("hunt_group.name", "groups import", "name,number,members\ng«n»,«n»,«text»\n"),
    "numbers.csv, number": filed("direct_number.e164", "numbers import", "number,leads_to,target\n«text»,group,yes1\n"),
    "numbers.csv, target": filed(
        "direct_number.e164", "numbers import", "number,leads_to,target\n+457055«n»,group,«text»\n"
    ),
    "exclusions.csv, number": filed("exclusion.pattern", "exclude import", "number\n«text»\n"),
    "exclusions.csv, expires": filed("exclusion.pattern", "exclude import", "number,expires\n+453127«n»,«text»\n"),
    "POST people, extension": sent("person.extension", "POST people", extension="«text»", name="x"),
    "POST people, devices": sent("device.endpoint", "POST people", extension="«n»", name="x", devices=["«text»"]),
    "POST people, e-mail": sent("person.email", "POST people", extension="«n»", name="x", email="«text»"),
    "POST groups, name": sent("hunt_group.name", "POST groups", name="«text»", number="«n»"),
    "POST numbers": sent("direct_number.e164", "POST numbers", number="«text»", group="yes1"),
    "POST consent-numbers": sent(
        "consent_number.yes_place", "POST consent-numbers", number="«n»", yes="«text»", no="no1"
    ),
    "POST exclusions, number": sent("exclusion.pattern", "POST exclusions", number="«text»"),
    "POST policy": sent("policy_version.body", "POST policy/versions", document={"groups": {"«text»": "«text»"}}),
    "POST webhooks": sent("webhook.url", "POST webhooks", url="«text»", events=["stored"]),
    "PUT tags of no call": sent("call_tag.name", "PUT calls/x-«text»/tags", tags=["a", "b", "c"]),
}
"""Ways into values that mean something to Asterisk, to a network or to a database: no words are such a value."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> House:
    made = House(tmp_path_factory.mktemp("hostile"), migrated_file)
    made.does("policy", "draft", "new", "base", *OWN)
    return made


@pytest.fixture(scope="module")
def program(house: House) -> Iterator[httpx2.Client]:
    with house.stage.served(), house.stage.client(house.stage.token()) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def tables(house: House) -> set[str]:
    """The tables as they are before anything hostile comes in."""
    return house.tables()


@pytest.fixture(scope="module", autouse=True)
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which everything runs, where a command that is carried out would leave its file."""
    place = tmp_path_factory.mktemp("workplace")
    with contextlib.chdir(place):
        yield place


def way_in(ways: dict[str, Way], name: str, house: House) -> Way:
    way = ways[name]
    recording = house.stage.own.things["recording"]
    method, path, body = way.post
    return replace(way, post=(method, path.replace("«recording»", recording), body))


@pytest.mark.parametrize("name", FREE)
def test_words_are_kept_as_they_are_or_refused_whole(house: House, program: httpx2.Client, name: str) -> None:
    way = way_in(FREE, name, house)
    for what, text in TEXTS.items():
        house.tried.add((name, text))
        answer = way.go(house, program, text)
        if way.only(text):
            assert answer.taken, f"{what}: {answer.said}"
            assert text + way.end in house.column(way.column), what
        else:
            assert answer.refused, f"{what}: {answer.said}"
            assert text not in house.column(way.column), what
    for what, text in NO_TEXT.items():
        before = house.column(way.column)
        answer = way.go(house, program, text)
        assert answer.refused, f"{what}: {answer.said}"
        assert house.column(way.column) - before <= {"x", "Told", ""}, what


SHOWN = (
    *("a user's name", "a department", "a district", "a recording group", "a consent number's purpose"),
    *("an exclusion's reason", "a policy's comment", "a draft's comment", "how it was acknowledged"),
    *("a token's name", "PUT tags", "POST notes", "users.csv, department"),
)
"""Ways that fill what is shown: some have come in already where other tests ran before, and are refused."""


@pytest.mark.parametrize("name", STRICT)
def test_words_are_refused_where_something_else_is_wanted(house: House, program: httpx2.Client, name: str) -> None:
    way = way_in(STRICT, name, house)
    before = house.rows()
    for what, text in (
        ("commands", TEXTS["commands"]),
        ("zero", NO_TEXT["zero"]),
        ("half", NO_TEXT["half a surrogate pair"]),
    ):
        answer = way.go(house, program, text)
        assert answer.refused, f"{what}: {answer.said}"
    assert house.rows() == before


@pytest.mark.parametrize("name", FREE)
def test_nothing_is_kept_that_is_longer_than_its_column(house: House, program: httpx2.Client, name: str) -> None:
    way = way_in(FREE, name, house)
    table, column = way.column.split(".")
    kind = Base.metadata.tables[table].columns[column].type
    limit = kind.length if isinstance(kind, String) and kind.length else getattr(kind, "length", None) or 10**9
    answer = way.go(house, program, "y" * 120)
    assert answer.taken or answer.refused, answer.said
    kept = "y" * 120 + way.end in house.column(way.column)
    assert kept is answer.taken
    assert max(len(str(value)) for value in house.column(way.column)) <= limit


def listing(house: House) -> Iterator[tuple[str, ...]]:
    """Return every command that shows a list, and those that show one thing with words in it."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for word, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, word))
        if not hasattr(command, "commands"):
            yield words, command

    for words, command in walk(typer.main.get_command(app), ()):
        options = {option for parameter in command.params for option in parameter.opts}
        alone = not any(parameter.required for parameter in command.params)
        if alone and words[-1] in ("list", "versions", "export", "deliveries", "gaps") and "--tenant" in options:
            yield (*words, *OWN)
    yield from [("policy", "show", *OWN), ("policy", "diff", *OWN), ("policy", "show", "--draft", *OWN)]
    yield from [("policy", "draft", "show", "base", *OWN), ("imports", "show", *OWN)]
    yield from [("recordings", "show", house.stage.own.things["recording"], *OWN), ("dialplan", "show")]


@pytest.fixture(scope="module")
def filled(house: House, program: httpx2.Client) -> House:
    """A site that is full of hostile words."""
    for name in SHOWN:
        for text in TEXTS.values():
            if (name, text) not in house.tried:
                way_in(FREE, name, house).go(house, program, text)
    return house


def test_no_list_says_anything_that_a_terminal_would_obey(filled: House) -> None:
    for words in listing(filled):
        said = filled.does(*words)
        if words[1] == "export":
            continue
        assert not harmful(said.out + said.err), words
        assert "\n[a]\nexten" not in said.out, words


def test_json_holds_the_words_as_they_are_and_is_ascii(filled: House) -> None:
    seen: set[str] = set()
    for words in listing(filled):
        if "--draft" not in words:
            said = filled.does(*words, "--json")
            assert said.out.isascii(), words
            seen |= set(strings(said.data))
    assert set(TEXTS.values()) <= seen


@pytest.mark.parametrize("options", [(), ("--excel",)])
@pytest.mark.parametrize("what", ["users", "recording-groups", "exclude"])
def test_exported_words_come_back_and_no_spreadsheet_would_do_them(
    filled: House, what: str, options: tuple[str, ...]
) -> None:
    file = filled.folder / f"{what}.csv"
    filled.does(what, "export", "--output", str(file), *options, *OWN)
    text = file.read_text(encoding="utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if options else ","))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not any(
        cell.lstrip(" '\t\r\n").startswith(tuple("=+-@")) and not cell.startswith("'") for row in rows for cell in row
    )
    diff = filled.does(what, "import", str(file), "--json", *OWN).data
    assert diff["changes"] == []


def test_programs_get_the_words_as_they_are_and_nothing_else(filled: House, program: httpx2.Client) -> None:
    seen: set[str] = set()
    recording = filled.stage.own.things["recording"]
    for path in (
        *("people", "departments", "groups", "numbers", "consent-numbers", "exclusions", "policy/versions", "webhooks"),
        *("calls", "calls/1700000001.5/tags", "recordings", f"recordings/{recording}/notes", "receipts"),
    ):
        answer = program.get(f"/v1/{path}")
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        seen |= set(strings(answer.json()))
    assert set(TEXTS.values()) <= seen


def test_a_hostile_name_for_a_file_is_shown_harmless(filled: House) -> None:
    file = filled.folder / "users \x1b]0;owned\x07 $(id) \u202e.csv"
    file.write_text("extension,name\n4999,x\n")
    said = filled.type("users", "import", str(file), *OWN)
    missing = filled.type("users", "import", f"{file}x", *OWN)
    assert (said.code, missing.code) == (0, 2)
    assert not harmful(said.out + said.err + missing.err + filled.does("imports", "list", *OWN).out)


@pytest.mark.parametrize("header", ["Authorization", "X-Request-Id", "Range", "If-Range", "Host", "Accept"])
def test_hostile_headers_make_no_header_and_no_trouble(filled: House, program: httpx2.Client, header: str) -> None:
    recording = filled.stage.own.things["recording"]
    for text in ("${SHELL(id)}", "x'); DROP TABLE person; --", "<script>", "../../x", "y" * 4000):
        answer = program.get(f"/v1/recordings/{recording}/audio", headers={header: text})
        assert answer.status_code < 500
        assert text not in answer.headers.get("x-request-id", "")


def test_hostile_paths_and_questions_find_nothing_and_make_no_trouble(filled: House, program: httpx2.Client) -> None:
    before = filled.rows()
    for text in (f"x{TEXTS['pages and queries']}", f"x{TEXTS['lines']}", "..", "a\0b", "%ff%fe", "A" * 5000):
        for path in ("people", "calls", "recordings", "consent-numbers", "receipts"):
            quoted = quote(text, safe="")
            for answer in (program.get(f"/v1/{path}/{quoted}"), program.delete(f"/v1/{path}/{quoted}")):
                assert answer.status_code in (404, 405, 409, 422), f"{path} {text!r}: {answer.text}"
        for name in ("number", "extension", "cursor", "direction"):
            answer = program.get("/v1/recordings", params={name: text})
            assert answer.status_code in (200, 422), f"{name} {text!r}: {answer.text}"
            if answer.status_code == 200:
                assert answer.json()["items"] == []
    assert filled.rows() == before


def test_nothing_of_it_was_done(filled: House, tables: set[str], workplace: Path) -> None:
    assert filled.tables() == tables
    assert not any(CANARY in path.name for place in (filled.folder, workplace) for path in place.rglob("*"))
    assert not Path("/tmp", CANARY).exists()
    written = filled.does("dialplan", "show").out
    assert CANARY not in written
    assert "SHELL(" not in written
