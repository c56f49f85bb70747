"""Reads a generated file as Asterisk would: sections, and in the dialplan extensions, steps, applications."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A line of a dialplan: ``data`` is all between the application's outer parentheses."""

    label: str
    application: str
    data: str


Dialplan = dict[str, dict[str, list[Step]]]


def uncommented(text: str) -> list[str]:
    """The lines with meaning. Every `;` begins a comment: our files never write an escaped one."""
    return [line for line in (raw.partition(";")[0].rstrip() for raw in text.split("\n")) if line]


def sections(text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sections in order, each with its (key, value) lines; sections may come several times."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for line in uncommented(text):
        if line.startswith("["):
            assert line.endswith("]"), line
            found.append((line[1:-1], []))
        else:
            key, equals, value = line.partition("=")
            assert equals, line
            found[-1][1].append((key.strip(), value.removeprefix(">").strip()))
    return found


def dialplan(text: str) -> Dialplan:
    """Contexts, their extensions and their steps; `include` stands as an extension of that name."""
    plan: Dialplan = {}
    for context, lines in sections(text):
        assert context not in plan
        extensions = plan.setdefault(context, {})
        current: list[Step] = []
        for key, value in lines:
            if key == "include":
                extensions.setdefault("include", []).append(Step("", "include", value))
                continue
            if key == "exten":
                name, _, rest = value.partition(",")
                assert name not in extensions, f"{name} comes twice in {context}"
                current = extensions.setdefault(name, [])
            else:
                assert key == "same", key
                rest = value
            priority, _, call = rest.partition(",")
            number, _, label = priority.rstrip(")").partition("(")
            assert number == ("1" if key == "exten" else "n")
            application, _, data = call.partition("(")
            assert data.endswith(")"), call
            current.append(Step(label, application, data[:-1]))
    return plan
