"""What README and docs say is so: commands, links, targets, rules, words and defaults."""

import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
from cli_site import Site, type_in

from pbx_plugin.asterisk import variables
from pbx_plugin.cli.main import PROGRAM, app
from pbx_plugin.cli.reference import reference
from pbx_plugin.domain.call import Direction
from pbx_plugin.domain.decide import RULES
from pbx_plugin.domain.policy import Announce, GroupKind, GroupPolicy, HuntGroup, PolicyVersion, announce_for
from pbx_plugin.domain.retention import days_of
from pbx_plugin.domain.rulebook import Tenant
from pbx_plugin.services.directory import Department
from pbx_plugin.services.policy_document import Names, from_document
from pbx_plugin.settings import DEFAULT_CONFIG, Agi, Ami, Ari, Dialplan, Paths, Settings

TOP = Path(__file__).parents[2]
COMMANDS = TOP / "docs" / "commands.md"
DOCS = sorted(
    {
        *(TOP / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")),
        *(TOP / name for name in ("dialplan/README.md", "ivr_prompts/README.md")),
        *(TOP / "docs").glob("*.md"),
    }
)
WRITTEN = [path for path in DOCS if path != COMMANDS]
COUNTED = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
           "thirteen", "fourteen", "fifteen")  # fmt: skip
MADE_UP = re.compile(r"[A-Z]{3,}")


def each(paths: list[Path]) -> pytest.MarkDecorator:
    """One test a document."""
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(TOP)))


def blocks(language: str, path: Path) -> list[str]:
    """What stands in a document's blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def shell_lines(text: str) -> list[str]:
    """The lines of all shell blocks, without comments."""
    found = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = (re.sub(r"(^|\s+)#.*", "", line) for block in found for line in block.splitlines())
    return [line for line in lines if line]


def inline_code(text: str) -> list[str]:
    """What stands between single backticks outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def command_lines(text: str) -> Iterator[tuple[str, bool]]:
    """Every line that calls the program, and whether it is one to be typed as it stands."""
    for line in shell_lines(text):
        if line.startswith(f"{PROGRAM} "):
            yield line, True
    for code in inline_code(text):
        if code.startswith(f"{PROGRAM} "):
            yield code, False


@cache
def whole_program() -> Any:
    """The program with all its commands, made once: that takes a while."""
    return typer.main.get_command(app)


def refusal(line: str, *, whole: bool) -> str:
    """Why the program would not take a line, or nothing; the line is parsed, not run.

    A line in running text may leave out what a command cannot do without.
    """
    words = re.split(r"\s[>|]\s", line)[0]
    rest = shlex.split(words)[1:]
    command = whole_program()
    while hasattr(command, "commands"):
        if not rest:
            return ""
        word = rest.pop(0)
        if MADE_UP.fullmatch(word):
            return ""
        if word.startswith("--"):
            [option] = [one for one in command.params if word in one.opts] or [None]
            if option is None:
                return f"no option {word}"
            if not option.is_flag:
                rest.pop(0)
        elif word in command.commands:
            command = command.commands[word]
        else:
            return f"no command {word}"
    try:
        command.make_context(PROGRAM, rest)
    except Exception as error:
        if type(error).__name__ == "MissingParameter" and not whole:
            return ""
        return str(error)
    return ""


def section(path: Path, heading: str) -> str:
    """The text below a heading, to the next one of its kind."""
    return re.split(r"\n## ", path.read_text().split(f"\n## {heading}", 1)[1])[0]


def anchors(path: Path) -> set[str]:
    """The places in a document that a link can lead to."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


# Commands


def test_the_list_of_commands_is_what_the_program_has() -> None:
    assert COMMANDS.read_text() == reference(), "docs/commands.md is not of this program: run 'make docs'"


@each(WRITTEN)
def test_every_command_that_is_shown_would_be_taken(path: Path) -> None:
    refused = {line: why for line, whole in command_lines(path.read_text()) if (why := refusal(line, whole=whole))}
    assert refused == {}


def test_the_check_of_commands_sees_what_is_wrong() -> None:
    wrong = (
        "pbx-plugin users ad 101 Anna",
        "pbx-plugin users add 101",
        "pbx-plugin users add 101 Anna --enroll",
        "pbx-plugin users add 101 Anna --mode sometimes",
        "pbx-plugin doctor now",
        "pbx-plugin --quiet doctor",
    )
    assert all(refusal(line, whole=True) for line in wrong)


def test_people_groups_and_policy_can_be_typed_as_installing_says(
    tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, migrated_file)
    monkeypatch.chdir(tmp_path)
    install = TOP / "docs" / "install.md"
    for line in shell_lines(section(install, "3. People") + section(install, "4. Groups")):
        words, _, file = line.partition(" > ")
        said = site.does(*shlex.split(words)[1:])
        if file:
            assert [line for line in said.out.splitlines() if line.startswith("[")][-1] == "[groups]"
            Path(file).write_text(said.out + blocks("toml", install)[0])
    shown = site.does("policy", "show", "--json").data
    assert shown["number"] == 1
    assert sorted(shown["policy"]["groups"].values()) == [GroupPolicy.CONSENT_IVR, GroupPolicy.NEVER]


def test_two_lines_for_asterisk_are_those_that_init_speaks_of(tmp_path: Path) -> None:
    said = type_in("init", "--dry-run", "--json", "--config", str(tmp_path / "config.toml")).data
    text = (TOP / "docs" / "install.md").read_text()
    assert set(re.findall(r"`#include (/\S+)`", text)) == set(said["snippets"].values())


# Links, files, targets


@each(DOCS)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", path.read_text()):
        if target.startswith(("http:", "https:")):
            continue
        leads_to = (path.parent / target).resolve() if target else path
        assert leads_to.exists(), target
        assert not anchor or anchor in anchors(leads_to), f"{target}#{anchor}"


@each(WRITTEN)
def test_every_file_and_room_that_is_named_is_there(path: Path) -> None:
    named = re.findall(r"(?<![\w./-])([a-z_][\w-]*(?:/[\w-]+)*(?:\.(?:py|sh)|/[\w.-]+\.md))(?![\w/])", path.read_text())
    named += [code for code in inline_code(path.read_text()) if re.fullmatch(r"[a-z_]+/(?:[a-z_]+/)*", code)]
    homes = (TOP, TOP / "pbx_plugin", path.parent)
    known = {one.name for room in ("pbx_plugin", "tests") for one in (TOP / room).rglob("*.py")}
    missing = {name for name in named if name not in known and not any((home / name).exists() for home in homes)}
    assert missing == set()


@each(WRITTEN)
def test_every_target_of_make_that_is_named_is_there(path: Path) -> None:
    text = path.read_text()
    shown = [*shell_lines(text), *inline_code(text)]
    named = {line.split()[1] for line in shown if line.startswith("make ")}
    assert named <= targets()


def targets() -> set[str]:
    """What make can make."""
    found = re.findall(r"^([a-z][a-z ]*):", (TOP / "Makefile").read_text(), re.MULTILINE)
    return {word for words in found for word in words.split()}


def test_each_target_is_a_script_and_make_alone_tells_of_it() -> None:
    told = set(re.findall(r"'make (\w+) ", (TOP / "Makefile").read_text()))
    assert told == targets() - {"help"}
    assert {name for name in told if not (TOP / "deploy" / f"{name}.sh").is_file()} == set()


def test_the_first_commands_of_the_readme_are_those_that_are_tried() -> None:
    assert blocks("sh", TOP / "README.md")[0].splitlines() == ["make demo", "make test"]
    assert (TOP / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"


# Rules and words


def test_the_rules_are_told_as_they_are_asked() -> None:
    text = (TOP / "docs" / "deciding.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == [rule.number for rule in RULES]
    for rule, (_, told, verdict) in zip(RULES, rows, strict=True):
        name = {word for word in re.findall(r"\w{4,}", rule.name) if word not in ("recorded", "with")}
        assert name, rule.name
        assert all(word in told for word in name), (rule.name, told)
        given = {word.lower() for word in re.findall(r"Verdict\.([A-Z]+)", inspect.getsource(rule.judge))}
        assert set(re.findall(r"never|record|armed|no\b(?!t)", verdict.split(",")[0])) == given, rule.name


@pytest.mark.parametrize("name", ["docs/deciding.md", "CHANGELOG.md"])
def test_the_rules_are_counted_right(name: str) -> None:
    assert f"{COUNTED[len(RULES)]} rules" in (TOP / name).read_text()


def test_the_groups_words_and_how_hard_to_announce_are_those_that_the_policy_knows() -> None:
    text = (TOP / "docs" / "deciding.md").read_text()
    paragraph = text.split("Group words:")[1].split("\n\n")[0]
    assert re.findall(r"`((?:not|always|never) [^`]*)`", paragraph.replace("\n", " ")) == [g.value for g in GroupPolicy]
    how_hard = text.split("`announce` says how hard:")[1].split(". ")[0]
    assert re.findall(r"`([^`]*)`", how_hard) == [a.value for a in Announce]
    assert f"`{PolicyVersion('').announce}` (default)" in how_hard


@each(WRITTEN)
def test_every_group_word_in_quotes_is_one(path: Path) -> None:
    quoted = re.findall(r'"((?:always|never) \([^"]*)"', path.read_text())
    assert set(quoted) <= {word.value for word in GroupPolicy}


def test_the_policy_file_that_is_shown_is_one() -> None:
    [shown] = blocks("toml", TOP / "docs" / "deciding.md")
    tenant = Tenant("t1", "Acme")
    groups = tuple(
        HuntGroup(str(n), "t1", str(600 + n), f"support-{name}", GroupKind.QUEUE)
        for n, name in enumerate(("recorded", "unrecorded"))
    )
    names = Names(tenant, (Department("d1", "t1", "Sales"),), groups, frozenset({"+4570100900"}))
    policy = from_document(tomllib.loads(shown), 1, names)
    assert policy.groups == {"0": GroupPolicy.CONSENT_IVR, "1": GroupPolicy.NEVER}
    assert policy.departments[Direction.INCOMING].department_ids == {"d1", ""}
    # What it shows of the plain settings are their defaults, so that copying it changes nothing unawares.
    default = PolicyVersion("t1")
    plain = ("country", "recording_off", "can_switch_off", "announce", "hold_closes_segment", "retention_days")
    assert [getattr(policy, key) for key in plain] == [getattr(default, key) for key in plain]


def test_every_piece_of_a_policy_that_is_shown_is_one() -> None:
    pieces = blocks("toml", TOP / "docs" / "policies.md")
    names = Names(Tenant("t1", "Acme"), (Department("d1", "t1", "Legal"),), (), frozenset())
    schedule, announce, retention = (from_document(tomllib.loads(piece), 1, names) for piece in pieces)
    assert schedule.schedule is not None
    assert len(schedule.schedule.spans) == 5
    assert [announce_for(announce, rule, d) for rule, d in ((12, Direction.INCOMING), (10, Direction.OUTGOING))] == [
        Announce.BEST_EFFORT, Announce.BEST_EFFORT,
    ]  # fmt: skip
    assert [days_of(retention, department, rule) for department, rule in (("d1", 10), ("", 7), ("d2", 7))] == [
        365, 14, 180,
    ]  # fmt: skip


def test_the_readme_names_the_days_and_the_star_code_that_are_the_defaults() -> None:
    text = (TOP / "README.md").read_text()
    assert f"{COUNTED[PolicyVersion('').retention_days]} days" in text
    assert set(re.findall(r"`(\*\d)`", text)) == {f"*{Dialplan().toggle_digit}"}


# Settings


@each(WRITTEN)
def test_channelvars_are_told_as_the_recorder_needs_them(path: Path) -> None:
    told = re.findall(r"^channelvars = (.*)$", path.read_text(), re.MULTILINE)
    assert set(told) <= {",".join(variables.CHANNEL_VARIABLES)}


def test_installing_tells_the_channelvars() -> None:
    assert "\nchannelvars = PBXREC_" in (TOP / "docs" / "install.md").read_text()


@each(WRITTEN)
def test_every_settings_key_that_is_named_exists(path: Path) -> None:
    text = re.sub(r"\s+", " ", path.read_text())
    for key, section_name in re.findall(r"`(\w+) = \w+` in the settings' section `\[(\w+)\]`", text):
        assert key in type(getattr(Settings(), section_name)).model_fields, (section_name, key)


def test_the_dialplans_readme_says_where_pjsip_is_switched_on() -> None:
    assert "`pjsip = true` in the settings' section `[dialplan]`" in (TOP / "dialplan" / "README.md").read_text()


@each(WRITTEN)
def test_every_place_on_disk_and_every_port_is_a_default(path: Path) -> None:
    text = path.read_text()
    paths = Paths()
    own = (paths.journal, paths.prompts, paths.witness)
    known = {DEFAULT_CONFIG, DEFAULT_CONFIG.parent, *paths.model_dump().values(), *own}
    for place in re.findall(r"(?<![\w.:/-])(/(?:etc|var)/[\w./-]*\w)", text):
        here = Path(place)
        assert here in known or paths.asterisk_etc in here.parents or here.parent == paths.state / "asterisk", place
    ports = {str(one.port) for one in (Ari(), Ami(), Agi())}
    assert set(re.findall(r"\bport (\d{4,5})\b", text)) <= ports


@each(DOCS)
def test_nothing_speaks_of_one_machine_or_of_what_is_still_to_do(path: Path) -> None:
    assert (
        re.findall(r"(?<![\w.])/(?:root|home|tmp|work|Users)\b\S*|TODO|FIXME|XXX|https?://\S+:\d+", path.read_text())
        == []
    )


@each(DOCS)
def test_every_block_is_closed_and_every_table_has_the_same_columns_throughout(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert sum(line.startswith("```") for line in lines) % 2 == 0
    for first, second in pairwise(lines):
        if first.startswith("|") and second.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", first)) == len(re.findall(r"(?<!\\)\|", second)), second


# The picture


def test_the_picture_is_small_fetches_nothing_and_shows_a_whole_call() -> None:
    picture = TOP / "docs" / "demo.svg"
    assert picture.stat().st_size < 150_000
    text = picture.read_text()
    assert re.findall(r"https?://[^\"]*|url\(|@import|<image|<script|href", text) == ["http://www.w3.org/2000/svg"]
    said = "\n".join(ElementTree.fromstring(text).itertext()).replace("\xa0", " ")
    for words in ("Call 1:", "Rule 9 (group recorded with consent)", "Consent evidence", "SHA-256", "L Rikke", "R +45"):
        assert words in said
