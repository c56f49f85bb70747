"""The report tells figures, ranges, machine, date and command, and says so when an aim was missed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from pbx_plugin.sandbox.bench_figures import Aim, Result, Table
from pbx_plugin.sandbox.bench_report import Machine, Run, as_json, as_markdown

MACHINE = Machine("Some CPU", 2, "8.0 GiB", "Debian 12, Linux 6.1", "ext4", "3.11.7", "22.10.1")
RUN = Run(datetime(2026, 11, 22, 5, 42, tzinfo=UTC), "make bench", 600.0, 0.1)
RESULT = Result(
    name="delays",
    title="Waiting",
    method="From hanging up to the stored recording.",
    runs="60 calls.",
    tables=(Table(("", "p50 ms", "what"), (("hang-up to stored", "141", "a|b"),)),),
    aims=(Aim("within 2 s", "335 ms at most", True),),
    figures={"p50": 141.0},
    seconds=39.4,
)


def test_the_report_says_on_what_when_and_how_it_was_measured() -> None:
    text = as_markdown([RESULT], MACHINE, RUN)
    for fact in (
        "Some CPU, 2 cores",
        "22.10.1",
        "3.11.7",
        "ext4",
        "2026-11-22 05:42 UTC",
        "10.0 minutes",
        "`make bench`",
    ):
        assert fact in text


def test_a_section_has_method_figures_runs_and_its_own_command() -> None:
    text = as_markdown([RESULT], MACHINE, RUN)
    section = text.partition("## Waiting\n\n")[2]
    assert section.startswith("From hanging up")
    assert "| hang-up to stored | 141 | a\\|b |" in section
    assert "| --- | ---: | --- |" in section
    assert "60 calls. Again: `python -m pbx_plugin.sandbox.bench --only delays` (39 s)." in section


def test_a_missed_aim_is_told_as_loudly_as_a_met_one() -> None:
    assert "Aim met: within 2 s. Reached: 335 ms at most." in as_markdown([RESULT], MACHINE, RUN)
    late = replace(RESULT, aims=(Aim("within 2 s", "2,400 ms at most", False),))
    text = as_markdown([late], MACHINE, RUN)
    assert "**Aim missed**: within 2 s. Reached: 2,400 ms at most." in text
    assert "Aim met" not in text


def test_the_same_is_to_be_had_by_programs() -> None:
    told = json.loads(as_json([RESULT], MACHINE, RUN))
    assert told["machine"]["cores"] == 2
    assert told["run"]["at"] == "2026-11-22T05:42:00+00:00"
    assert told["results"][0]["figures"] == {"p50": 141.0}
    assert told["results"][0]["aims"][0]["met"] is True


def test_all_aims_stand_in_one_table_before_the_figures_each_with_what_repeats_it() -> None:
    late = replace(RESULT, name="cpu", aims=(Aim("within 2 s", "2,400 ms at most", False),))
    before = as_markdown([RESULT, late], MACHINE, RUN).partition("## Waiting")[0]
    assert "| within 2 s | 335 ms at most | reached | `--only delays` |" in before
    assert "| within 2 s | 2,400 ms at most | **not reached** | `--only cpu` |" in before


def test_what_could_not_be_measured_is_told_with_its_reason() -> None:
    text = as_markdown([RESULT], MACHINE, replace(RUN, failed={"toggle": "no call was answered"}))
    assert "**Not measured**: toggle. no call was answered" in text
    assert "## Waiting" in text
