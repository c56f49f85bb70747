"""Every command and every option says what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from pbx_plugin.cli.main import app


def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, f"{name} {word}")


COMMANDS = dict(walk(typer.main.get_command(app), "pbx-plugin"))
PRINTING_OTHERWISE = {"run", "recorder", "agi", "bridge", "api", "portal run", "recordings path", "recordings undelete"}
"""They serve, print one line that a program reads as it is, or only say that it cannot be done."""
CHANGING = {
    "add",
    "set",
    "remove",
    "enrol",
    "add-ddi",
    "add-consent",
    "set-consent",
    "apply",
    "rollback",
    "off",
    "on",
    "phone",
}


def leaves() -> list[str]:
    return [name for name, command in COMMANDS.items() if not hasattr(command, "commands")]


def options(name: str) -> set[str]:
    return {opt for parameter in COMMANDS[name].params for opt in parameter.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_in_one_sentence_what_it_does(name: str) -> None:
    help_text = (COMMANDS[name].help or "").strip()
    assert help_text.endswith(".")
    assert "\n" not in help_text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_says_what_it_is_for(name: str) -> None:
    for parameter in COMMANDS[name].params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.parametrize("name", leaves())
def test_everything_that_prints_data_prints_json_too(name: str) -> None:
    word = name.removeprefix("pbx-plugin ")
    assert ("--json" in options(name)) == (word not in PRINTING_OTHERWISE)


@pytest.mark.parametrize("name", [name for name in leaves() if name.split()[-1] in CHANGING])
def test_every_change_can_be_tried(name: str) -> None:
    assert "--dry-run" in options(name)
    assert ("--actor" in options(name)) == ("dialplan" not in name)


def test_the_commands_that_were_promised_are_there() -> None:
    promised = (
        "init run recorder agi explain gaps doctor users/list users/add users/set users/remove users/enrol "
        "departments/list departments/add departments/remove groups/list groups/add groups/set groups/remove "
        "numbers/list numbers/add-ddi numbers/add-consent numbers/set-consent numbers/remove "
        "exclude/list exclude/add exclude/remove policy/show policy/apply policy/versions policy/diff "
        "policy/rollback policy/off policy/on calls/list calls/show consent/list consent/show "
        "consent/receipt consent/verify consent/keys/list consent/keys/export consent/keys/rotate "
        "recordings/list recordings/show recordings/path prompts/build prompts/list prompts/listen "
        "dialplan/show dialplan/diff dialplan/install dialplan/rollback sandbox/up sandbox/down sandbox/status"
    )
    missing = {f"pbx-plugin {word.replace('/', ' ')}" for word in promised.split()} - set(leaves())
    assert not missing
