"""Writes what was found as `docs/benchmarks.md`: figures with their ranges, the machine, and how to repeat them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from pbx_plugin.sandbox.bench_figures import Result, Table

WIDTH = 118


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were measured on."""

    cpu: str
    cores: int
    memory: str
    system: str
    disk: str
    python: str
    asterisk: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmarks: begun when (aware), by which command, how long it took; ``failed`` parts with why."""

    at: datetime
    command: str
    seconds: float
    load_before: float
    failed: Mapping[str, str] = field(default_factory=dict)


def as_markdown(results: Sequence[Result], machine: Machine, run: Run) -> str:
    """Return the whole report."""
    facts = Table(
        ("measured", ""),
        (
            ("on", f"{run.at:%Y-%m-%d %H:%M} UTC, in {run.seconds / 60:.1f} minutes"),
            ("with", f"`{run.command}`"),
            ("CPU", f"{machine.cpu}, {machine.cores} cores (load before: {run.load_before:.2f})"),
            ("memory, disk", f"{machine.memory}, {machine.disk}"),
            ("system", machine.system),
            ("Asterisk", machine.asterisk),
            ("Python", machine.python),
        ),
    )
    parts = [
        "# Benchmarks",
        _wrapped(
            "Written by the command below; what it says was measured in that one run. Telephones, Asterisk and "
            "recorder share the machine, so absolute figures are worth little elsewhere; ratios travel better. A "
            "range in parentheses is from the lowest to the highest run."
        ),
        _table(facts),
        *([_table(_aims(results))] if any(result.aims for result in results) else []),
        *(_wrapped(f"**Not measured**: {name}. {why}") for name, why in run.failed.items()),
        *(_section(result) for result in results),
    ]
    return "\n\n".join(parts) + "\n"


def _aims(results: Sequence[Result]) -> Table:
    """Return all aims in one table, and which were reached."""
    rows = [
        (aim.wanted, aim.reached, "reached" if aim.met else "**not reached**", f"`--only {result.name}`")
        for result in results
        for aim in result.aims
    ]
    return Table(("aim", "found", "", "repeats it: `python -m pbx_plugin.sandbox.bench`"), tuple(rows))


def as_json(results: Sequence[Result], machine: Machine, run: Run) -> str:
    """Return the same for programs."""
    return json.dumps(
        {
            "machine": asdict(machine),
            "run": asdict(run) | {"at": run.at.isoformat()},
            "results": [asdict(result) for result in results],
        },
        indent=2,
    )


def _section(result: Result) -> str:
    parts = [f"## {result.title}", _wrapped(result.method), *(_table(table) for table in result.tables)]
    for aim in result.aims:
        verdict = "Aim met" if aim.met else "**Aim missed**"
        parts.append(_wrapped(f"{verdict}: {aim.wanted}. Reached: {aim.reached}."))
    parts += [_wrapped(remark) for remark in result.remarks]
    again = f"`python -m pbx_plugin.sandbox.bench --only {result.name}`"
    parts.append(_wrapped(f"{result.runs} Again: {again} ({result.seconds:.0f} s)."))
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    aligned = ["---", *("---:" if _numeric(table, column) else "---" for column in range(1, len(table.head)))]
    return "\n".join([line(table.head), line(aligned), *(line(row) for row in table.rows)])


def _numeric(table: Table, column: int) -> bool:
    return all(row[column][:1] in "0123456789-" for row in table.rows)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
