"""Measures what the product costs and how long people wait, and writes `docs/benchmarks.md`.

    python -m pbx_plugin.sandbox.bench [--quick] [--only NAME] [--minutes N] [--rows N] [--json]

A whole run takes about ten minutes and writes the report; a quick one, or a part, is printed only. With `--minutes 60`
(`make bench HOUR=1`) the long call takes a real hour; with `--rows 1000000` recordings are found among a million.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pbx_plugin.clock import now
from pbx_plugin.sandbox import (
    bench_alone,
    bench_cpu,
    bench_delays,
    bench_hour,
    bench_keys,
    bench_portal,
    bench_search,
    bench_trial,
    bench_writing,
)
from pbx_plugin.sandbox.bench_cpu import Plan
from pbx_plugin.sandbox.bench_figures import Result
from pbx_plugin.sandbox.bench_machine import machine
from pbx_plugin.sandbox.bench_report import Run, as_json, as_markdown
from pbx_plugin.sandbox.bench_sipp import SippError
from pbx_plugin.sandbox.bench_site import BenchError, BenchSite
from pbx_plugin.sandbox.instance import AsteriskError
from pbx_plugin.sandbox.phone import PhoneError
from pbx_plugin.sandbox.provision import cache_dir
from pbx_plugin.sandbox.service import ServiceError

REPORT = Path("docs/benchmarks.md")
COMMAND = "make bench"

Say = Callable[[str], None]

FULL = Plan({25: 1, 50: 3}, window_s=10.0)
TRIES = 2
ROWS = 100_000
"""Recordings in the databases of a whole run: of a million, writing them alone takes longer than all the rest."""
TROUBLES = (BenchError, SippError, AsteriskError, ServiceError, PhoneError, ValueError)
QUICK = Plan({25: 1}, window_s=6.0)


class Bench:
    """The measurements by name. The site is started when the first one needs it."""

    def __init__(self, folder: Path, *, quick: bool, minutes: float | None = None, rows: int | None = None) -> None:
        self._folder = folder
        self._quick = quick
        self._site: BenchSite | None = None
        self._sites = 0
        self.measures: dict[str, Callable[[Say], Result]] = {
            "cpu": lambda say: bench_cpu.measure(self._started(say), QUICK if quick else FULL, say),
            "delays": lambda say: bench_delays.measure(self._started(say), self._of(40, 12), 2.0, say),
            "digits": lambda say: bench_keys.digits(self._started(say), self._of(5, 1), say),
            "toggle": lambda say: bench_keys.toggle(self._started(say), self._of(12, 5), say),
            "hour": lambda say: bench_hour.measure(self._started(say), minutes or (0.5 if quick else 1.5), say),
            "finalise": lambda say: bench_alone.finalising(folder, self._of(5, 2), say),
            "decide": lambda say: bench_alone.deciding(self._of(10, 2), say),
            "trial": lambda say: bench_trial.measure(
                folder / "trial", self._of(bench_trial.CALLS, 5_000), self._of(3, 1), say
            ),
            "search": lambda say: bench_search.measure(
                folder / "search", rows or self._of(ROWS, 20_000), self._of(10, 3), say
            ),
            "portal": lambda say: bench_portal.measure(
                folder / "portal", rows or self._of(ROWS, 20_000), self._of(60, 10), say
            ),
            "writing": lambda say: bench_writing.measure(folder / "writing", 60, self._of(4, 2), say),
            "journal": lambda say: bench_alone.journalling(folder, self._of(3200, 640), say),
        }

    def close(self) -> None:
        """End whatever was started; again is harmless."""
        if self._site is not None:
            self._site.close()
            self._site = None

    def anew(self) -> None:
        """Leave nothing of what went wrong: the next measurement starts a site of its own."""
        self.close()
        self._sites += 1

    def _of(self, full: int, quick: int) -> int:
        return quick if self._quick else full

    def _started(self, say: Say) -> BenchSite:
        if self._site is None:
            say("a private Asterisk with a company of its own")
            folder = self._folder / f"site-{self._sites}"
            folder.mkdir(mode=0o750)
            self._site = BenchSite(folder)
            self._site.start()
        return self._site


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 when everything was measured (aims are reported, not judged), 1 when not, 130 when interrupted."""
    names = list(Bench(Path(), quick=True).measures)
    parser = argparse.ArgumentParser(
        prog="python -m pbx_plugin.sandbox.bench", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="a small sample of everything, in about two minutes")
    parser.add_argument("--only", choices=names, action="append", metavar="NAME", help=f"one of: {', '.join(names)}")
    parser.add_argument("--minutes", type=float, help="how long the long call is (a whole run: 1.5)")
    parser.add_argument(
        "--rows", type=int, help=f"recordings that are searched, and in the portal (a whole run: {ROWS:,})"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--report", type=Path, help=f"write the report there (a whole run: {REPORT})")
    options = parser.parse_args(arguments)
    chosen = [name for name in names if not options.only or name in options.only]
    report = options.report or (None if options.quick or options.only else REPORT)
    screen, output = Console(stderr=True), Console()
    try:
        with _folder() as folder, _interruptible():
            began, at, load = time.monotonic(), now(), os.getloadavg()[0]
            results, failed = _measure(
                folder, chosen, screen, quick=options.quick, minutes=options.minutes, rows=options.rows
            )
            what = machine(folder)
    except KeyboardInterrupt:
        screen.print("interrupted: everything that was started is stopped")
        return 130
    except TROUBLES as error:
        screen.print(f"not measured: {error}", markup=False)
        return 1
    words = [*(["--quick"] if options.quick else []), *(f"--only {name}" for name in options.only or ())]
    words += [f"--minutes {options.minutes:g}"] if options.minutes else []
    words += [f"--rows {options.rows}"] if options.rows else []
    command = f"python -m pbx_plugin.sandbox.bench {' '.join(words)}" if words else COMMAND
    run = Run(at, command, time.monotonic() - began, load, failed)
    text = as_markdown(results, what, run)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(text)
        screen.print(f"written: {report}")
    if options.json:
        output.print_json(as_json(results, what, run))
    elif report is None:
        output.print(Markdown(text) if output.is_terminal else text, markup=False, soft_wrap=True)
    return 1 if failed else 0


def _measure(
    folder: Path, chosen: Sequence[str], screen: Console, *, quick: bool, minutes: float | None, rows: int | None
) -> tuple[list[Result], dict[str, str]]:
    """Return what was measured, and of what could not be, twice, why: the rest is measured all the same."""
    results: list[Result] = []
    failed: dict[str, str] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bench = Bench(folder, quick=quick, minutes=minutes, rows=rows)
    with contextlib.closing(bench), Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task("", total=len(chosen))
        for name in chosen:

            def say(what: str, name: str = name) -> None:
                progress.update(task, description=f"{name}: {what}")
                if not screen.is_terminal:
                    screen.print(f"{name}: {what}", markup=False)

            for _ in range(TRIES):
                try:
                    results.append(bench.measures[name](say))
                    failed.pop(name, None)
                    break
                except TROUBLES as error:
                    failed[name] = (str(error).strip() or type(error).__name__).splitlines()[-1]
                    screen.print(f"{name}: {error}", markup=False)
                    bench.anew()
            progress.advance(task)
        progress.update(task, description="stopping everything")
    return results, failed


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder on a real disk, as a recorder has one: what is measured includes syncing to it."""
    cache = cache_dir()
    cache.mkdir(mode=0o750, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench.", dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let TERM end the run as Ctrl-C does: in order."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
