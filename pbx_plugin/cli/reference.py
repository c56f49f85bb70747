"""Writes ``docs/commands.md``: every command as the program itself knows it.

python -m pbx_plugin.cli.reference > docs/commands.md
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from pbx_plugin.cli.main import PROGRAM, app

HEADING = """\
# Every command

Made from the program by `make docs`; do not edit it by hand. `pbx-plugin COMMAND --help` says the same.

A command ends with exit code 0 when it is done, 1 when something is in trouble, 2 when the input was wrong; then
nothing was changed. Data goes to standard output, everything else to standard error.
"""

_Row = tuple[str, str]
"""How an option is written, and what it is for."""

COMMON = ("--json", "--dry-run", "--tenant", "--actor")
"""Options that mean the same nearly wherever they are; told once, and again where one means something else."""


def reference() -> str:
    """Return the page as Markdown. The same program gives the same page on every machine."""
    commands = list(walk(typer.main.get_command(app), PROGRAM))
    name, whole = commands[0]
    parts = [HEADING, _contents(commands), "## Options for any command\n", _usage(f"{name} [OPTIONS] COMMAND …")]
    parts.append(_table(_options(whole), "option"))
    parts.append("These mean the same wherever they are offered:\n")
    common = _common(commands)
    parts.append(_table(common, "option"))
    for name, command in commands[1:]:
        parts += _group(name, command) if hasattr(command, "commands") else _command(name, command, common)
    return "\n".join(parts)


def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every command with the words that call it: plain commands first, then each group with its own."""
    yield name, command
    inside = getattr(command, "commands", {}).items()
    for word, inner in sorted(inside, key=lambda pair: hasattr(pair[1], "commands")):
        yield from walk(inner, f"{name} {word}")


def _contents(commands: list[tuple[str, Any]]) -> str:
    lines = []
    for name, command in commands[1:]:
        words = name.removeprefix(f"{PROGRAM} ")
        if hasattr(command, "commands"):
            inside = ", ".join(f"[{word}](#{_anchor(f'{name} {word}')})" for word in command.commands)
            lines.append(f"- **{words}**: {inside}")
        elif " " not in words:
            lines.append(f"- [**{words}**](#{_anchor(name)})")
    return "\n".join(lines) + "\n"


def _group(name: str, group: Any) -> list[str]:
    return [f"## {name}\n", f"{group.help}\n"]


def _command(name: str, command: Any, common: list[_Row]) -> list[str]:
    level = "##" if name.count(" ") == 1 else "###"
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    own = [row for row in _options(command) if row not in common]
    shared = [f"`{record.split()[0]}`" for record, text in _options(command) if (record, text) in common]
    words = [name, *(["[OPTIONS]"] if own or shared else []), *(_placed(argument) for argument in arguments)]
    parts = [f"{level} {name}\n", f"{command.help}\n", _usage(" ".join(words))]
    if arguments:
        parts.append(_table(((_metavar(argument), argument.help) for argument in arguments), "argument"))
    if own:
        parts.append(_table(own, "option"))
    if shared:
        parts.append(f"{'Also' if own else 'Options:'} {', '.join(shared)}.\n")
    return parts


def _options(command: Any) -> Iterator[_Row]:
    context = command.context_class(command, info_name=PROGRAM)
    for parameter in command.params:
        if parameter.param_type_name == "option" and not parameter.hidden:
            record, text = parameter.get_help_record(context)
            several = " (repeatable)" if parameter.multiple and "repeat" not in text else ""
            yield record, re.sub(r" {2,}", " ", text) + several


def _common(commands: list[tuple[str, Any]]) -> list[_Row]:
    found = Counter(row for _name, command in commands for row in _options(command))
    by_use = [row for row, _uses in found.most_common()]
    return [next(row for row in by_use if row[0].split()[0] == option) for option in COMMON]


def _metavar(argument: Any) -> str:
    return str(argument.metavar).strip("[]{}.")


def _placed(argument: Any) -> str:
    words = _metavar(argument) + ("..." if argument.nargs == -1 else "")
    return words if argument.required else f"[{words}]"


def _usage(words: str) -> str:
    return f"```\n{words}\n```\n"


def _table(rows: Iterable[tuple[str, str]], what: str) -> str:
    lines = [f"| {what} | what it is for |", "| --- | --- |"]
    lines += [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(heading: str) -> str:
    return heading.replace(" ", "-")


def main() -> int:
    """Print the page."""
    sys.stdout.write(reference())
    return 0


if __name__ == "__main__":
    sys.exit(main())
