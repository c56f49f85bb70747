"""What trying a draft on the calls of the past costs: the command as it is typed, on a database full of calls."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert

from pbx_plugin.clock import now
from pbx_plugin.db.engine import make_engine, writing
from pbx_plugin.db.migrate import upgrade
from pbx_plugin.db.models import CallRow, DecisionRow, PolicyVersionRow, TenantRow
from pbx_plugin.db.rulebook import policy_body
from pbx_plugin.domain.call import Direction, Marks, Mode, Number, Party, User
from pbx_plugin.domain.decide import decide
from pbx_plugin.domain.decision import Facts
from pbx_plugin.domain.exclusions import ExclusionIndex
from pbx_plugin.domain.explain import facts_as_dict, trace_as_list
from pbx_plugin.domain.policy import DepartmentRule, PolicyVersion
from pbx_plugin.sandbox.bench_figures import Aim, Result, Spread, Table, number, ranged

Say = Callable[[str], None]

CALLS = 100_000
PEOPLE = 1_000
SECONDS = 10.0
_AT_ONCE = 5_000
_TENANT = str(uuid.UUID(int=1))
_DRAFT = """\
[schedule]
time_zone = "Europe/Copenhagen"
monday = ["08:00-17:00"]
tuesday = ["08:00-17:00"]
wednesday = ["08:00-17:00"]
thursday = ["08:00-17:00"]
friday = ["08:00-17:00"]

[departments]
incoming = "all"
"""


def measure(folder: Path, calls: int, rounds: int, say: Say) -> Result:
    """Try a draft on so many calls, in a process of its own."""
    began = time.monotonic()
    folder.mkdir(mode=0o750)
    say(f"{calls:,} calls are written")
    _fill(folder, calls)
    cpu, wall = [], []
    found: dict[str, Any] = {}
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        used, took, found = _tried(folder)
        cpu.append(used)
        wall.append(took)
    spent = Spread.of(cpu)
    # Of fewer calls most is the program's own start, which says nothing of many.
    whole = calls >= CALLS
    aim = Aim(f"{CALLS:,} calls in less than {SECONDS:g} s of one core", number(spent.median), spent.median < SECONDS)
    return Result(
        name="trial",
        title="Trying a draft",
        method=(
            f"'pbx-plugin policy try' on an SQLite database with {calls:,} calls of a month and {PEOPLE:,} users, each "
            "with its decision and facts as the recorder stores them. CPU time of the whole command, on one core, from "
            "its start to the JSON that it prints."
        ),
        runs=f"{rounds} rounds; {found['gained']:,} parts gained, {found['lost']:,} lost.",
        tables=(
            Table(
                ("", ""),
                (
                    ("CPU seconds", ranged(spent)),
                    ("seconds by the clock", ranged(Spread.of(wall))),
                    ("calls per CPU second", number(calls / spent.median)),
                ),
            ),
        ),
        aims=(aim,) if whole else (),
        figures={"CPU seconds": spent.median, "calls per CPU second": calls / spent.median},
        seconds=time.monotonic() - began,
    )


def _tried(folder: Path) -> tuple[float, float, dict[str, Any]]:
    config = str(folder / "config.toml")
    words = [sys.executable, "-m", "pbx_plugin.cli.main", "--config", config]
    words += ["policy", "try", str(folder / "draft.toml"), "--json"]
    before, start = _children(), time.monotonic()
    done = subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return _children() - before, time.monotonic() - start, found


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _fill(folder: Path, calls: int) -> None:
    database = f"sqlite:///{folder / 'pbx.sqlite'}"
    (folder / "config.toml").write_text(f'database = "{database}"\n[paths]\nstate = "{folder}"\n')
    (folder / "config.toml").chmod(0o640)
    (folder / "draft.toml").write_text(_DRAFT)
    upgrade(database)
    engine = make_engine(database)
    try:
        _write(engine, calls, now())
    finally:
        engine.dispose()


def _write(engine: Engine, calls: int, at: datetime) -> None:
    policy = PolicyVersion(_TENANT, 1, departments={Direction.OUTGOING: DepartmentRule(everyone=True)})
    with writing(engine) as session:
        session.add(TenantRow(id=_TENANT, name="Benchmark", country="DK", language="en"))
        session.flush()
        body = policy_body(policy)
        session.add(PolicyVersionRow(tenant_id=_TENANT, number=1, author="", at=at, comment="", body=body))
    rows = _rows(policy, calls, at)
    for _ in range(0, calls, _AT_ONCE):
        some = [row for row, _ in zip(rows, range(_AT_ONCE), strict=False)]
        with writing(engine) as session:
            session.execute(insert(CallRow), [call for call, _ in some])
            session.execute(insert(DecisionRow), [decision for _, decision in some])


def _rows(policy: PolicyVersion, calls: int, at: datetime) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    nobody = ExclusionIndex.build((), at)
    modes = list(Mode)
    for n in range(calls):
        began = at - timedelta(days=29) + timedelta(days=29) * n / calls
        user = User(
            id=f"u{n % PEOPLE}",
            tenant_id=_TENANT,
            name=f"User {n % PEOPLE}",
            extension=str(1000 + n % PEOPLE),
            mode=modes[n % 3],
            enrolled=n % 7 != 0,
            department_id=f"d{n % 50}",
            devices=(f"PJSIP/{1000 + n % PEOPLE}",),
        )
        far = Number(f"31{n % 1_000_000:06}", f"+4531{n % 1_000_000:06}")
        outgoing = n % 2 == 0
        facts = Facts(
            user,
            Direction.OUTGOING if outgoing else Direction.INCOMING,
            (Party(far),),
            dialled=far if outgoing else Number("70101010", "+4570101010"),
            marks=Marks(presented_to=() if outgoing or n % 4 == 1 else ("g1",)),
        )
        decided = decide(facts, policy, nobody)
        call_id = str(uuid.UUID(int=n + 1))
        call = {"id": call_id, "tenant_id": _TENANT, "linkedid": f"{n}.1", "began_at": began, "policy_version": 1}
        yield (
            call,
            {
                "id": str(uuid.UUID(int=n + 1)),
                "tenant_id": _TENANT,
                "call_id": call_id,
                "person_id": user.id,
                "at": began,
                "verdict": decided.verdict.value,
                "rule": decided.rule,
                "rule_name": decided.rule_name,
                "policy_version": 1,
                "facts": facts_as_dict(facts),
                "trace": trace_as_list(decided),
            },
        )
